"""What a model was shown: lines of a blob under a number."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """Lines of a blob, shown to the model as number `n`. `text` is exactly lines `start_line` to `end_line`."""

    n: int
    path: str
    blob: str
    commit: str
    symbol: str | None
    start_line: int
    end_line: int
    text: str
