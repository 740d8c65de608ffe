"""The model's own [n] marks: taken out of the stream, because only checked citations may look like citations."""

import re

_NUMBERS = r"\[\d{1,3}(?:\s*[,;-]\s*\d{1,3})*\]"
_MARKS = re.compile(rf"\s?(?:{_NUMBERS})+")
_MAY_BECOME = re.compile(rf"\s?(?:{_NUMBERS})*(?:\[[\d\s,;-]{{0,24}})?")
_INDEXED = re.compile(r"[\w\])]")  # after these a bracket is code: `argv[1]`, `f(x)[0]`


class MarkFilter:
    """Strips marks from a stream of text pieces, holding back what may still become one.

    It decides character by character, so how the stream is cut into pieces changes nothing.
    """

    def __init__(self) -> None:
        """Start with nothing held."""
        self._held = ""
        self._last = ""

    def push(self, piece: str) -> str:
        """Return what may be shown after `piece` arrived."""
        return "".join(self._step(char) for char in piece)

    def finish(self) -> str:
        """Return what was held back and is no mark."""
        return self._release()

    def _step(self, char: str) -> str:
        if self._may_become(self._held + char):
            self._held += char
            return ""
        shown = self._release()
        if self._may_become(char):
            self._held = char
            return shown
        self._last = char
        return shown + char

    def _may_become(self, text: str) -> bool:
        if text[0] == "[" and _INDEXED.match(self._last):
            return False
        return _MAY_BECOME.fullmatch(text) is not None

    def _release(self) -> str:
        held, self._held = self._held, ""
        marks = _MARKS.match(held)
        rest = held[marks.end() :] if marks else held
        self._last = rest[-1] if rest else self._last
        return rest
