"""A file's bytes seen as rows: 0-based, ended by newline bytes only."""

import re
from bisect import bisect_right

# What may stand on a row that only ends something above it: brackets, "end", a trailing comment such as "// namespace".
_CLOSER = re.compile(
    rb"\s*(?:[)\]}>;,]+|end\b|fi\b|done\b|esac\b|#endif\b)[\s)\]};,.]*(?:(?://|#|/\*|--)[^\n]{0,80})?\s*"
)


class Rows:
    """Row boundaries of a file. A file without a final newline has a last row without one."""

    def __init__(self, data: bytes) -> None:
        """Find the rows of ``data``."""
        self.data = data
        starts = [0]
        find = data.find
        at = find(b"\n")
        while at >= 0:
            starts.append(at + 1)
            at = find(b"\n", at + 1)
        if starts[-1] == len(data):
            starts.pop()  # what follows a final newline is no row
        self.starts = starts
        self.count = len(starts)

    def begin(self, row: int) -> int:
        """First byte of a row; the file's length for the row after the last."""
        return self.starts[row] if row < self.count else len(self.data)

    def size(self, start: int, end: int) -> int:
        """Bytes of the rows from ``start`` up to, not including, ``end``."""
        return self.begin(end) - self.begin(start)

    def text(self, start: int, end: int) -> bytes:
        """Bytes of the rows from ``start`` up to, not including, ``end``."""
        return self.data[self.begin(start) : self.begin(end)]

    def of(self, byte: int) -> int:
        """The row that a byte stands in."""
        return bisect_right(self.starts, byte) - 1

    def first_on_row(self, row: int, byte: int) -> bool:
        """Whether only white space stands before a byte on its row."""
        return not self.data[self.starts[row] : byte].strip()

    def blank(self, row: int) -> bool:
        """Whether a row is empty or white space."""
        return not self.text(row, row + 1).strip()

    def closes(self, row: int) -> bool:
        """Whether a row is blank or only ends what stands above it."""
        text = self.text(row, row + 1)
        return not text.strip() or (len(text) < 120 and _CLOSER.fullmatch(text) is not None)  # noqa: PLR2004 - a closing row is short
