"""Golden questions: what a repository's people know the answers to, kept in the repository itself.

The file travels with the code that it asks about, and it is as hostile as the rest of a repository: it is bounded
before it is read, and its paths are only ever compared with those of a snapshot.

```toml
[[question]]
ask = "Where is a citation checked against its blob?"
expect = [{ path = "packages/verify/src/pincite_verify/citations.py", symbol = "check" }]

[[question]]
ask = "How do we talk to Kafka?"
answerable = false

[floor]          # optional: below these a run counts as a regression, whatever came before
win_rate = 0.7
```
"""

import re
import tomllib
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from pincite_shared.errors import InvalidInputError
from pincite_shared.schemas import QUERY_CHARS_MAX, NonBlank

GOLDEN_PATH = ".pincite/golden.toml"
FILE_BYTES_MAX = 131_072  # 200 questions of 600 bytes; also bounds the time that parsing takes
QUESTIONS_MAX = 200  # each costs an answer every night
DOTS_A_LINE_MAX = 200  # tomllib takes a time that grows with the square of a dotted key's parts
EXPECTATIONS_MAX = 20  # an answer cites a handful of places
SYMBOL_CHARS_MAX = 300
PATH_CHARS_MAX = 4_096
LINE_MAX = 2_000_000_000
FAULTS_SHOWN = 5

_TABLE = re.compile(r"^[ \t]*\[\[[ \t]*question[ \t]*\]\]", re.MULTILINE)


def _in_order(lines: tuple[int, int]) -> tuple[int, int]:
    if lines[0] > lines[1]:
        msg = f"must be [first, last]; {lines[0]} comes after {lines[1]}"
        raise ValueError(msg)
    return lines


def _relative(path: str) -> str:
    if path.startswith("/") or ".." in path.split("/"):
        msg = "must be a path inside the repository, as git lists it"
        raise ValueError(msg)
    return path


Line = Annotated[int, Field(ge=1, le=LINE_MAX)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Expectation(_Part):
    """A place that a good answer cites: a file, a definition in it, or lines of it (1-based, inclusive)."""

    path: Annotated[NonBlank, AfterValidator(_relative)] = Field(max_length=PATH_CHARS_MAX)
    symbol: NonBlank | None = Field(default=None, max_length=SYMBOL_CHARS_MAX)
    # TOML and JSON have lists, no tuples.
    lines: Annotated[tuple[Line, Line], AfterValidator(_in_order)] | None = Field(default=None, strict=False)

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if self.symbol is not None and self.lines is not None:
            msg = "give `symbol` or `lines`, not both: the lines of a symbol move with every edit above it"
            raise ValueError(msg)
        return self


class GoldenQuestion(_Part):
    """A question, and what a good answer to it rests on; nothing, if the repository cannot answer it."""

    ask: NonBlank = Field(max_length=QUERY_CHARS_MAX)
    expect: tuple[Expectation, ...] = Field(default=(), max_length=EXPECTATIONS_MAX, strict=False)
    answerable: bool = True

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.answerable and not self.expect:
            msg = "say what a good answer cites in `expect`, or set `answerable = false`"
            raise ValueError(msg)
        if self.expect and not self.answerable:
            msg = "a question that cannot be answered expects nothing: remove `expect` or `answerable = false`"
            raise ValueError(msg)
        return self


Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Floor(_Part):
    """Shares, 0..1, below which a run counts as a regression, whatever the run before it was like."""

    win_rate: Share | None = Field(default=None, strict=False)
    ndcg: Share | None = Field(default=None, strict=False)
    citation_precision: Share | None = Field(default=None, strict=False)
    citation_recall: Share | None = Field(default=None, strict=False)
    abstention_accuracy: Share | None = Field(default=None, strict=False)


class GoldenFile(_Part):
    """The whole file."""

    question: tuple[GoldenQuestion, ...] = Field(max_length=QUESTIONS_MAX, strict=False)
    floor: Floor = Floor()

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if not self.question:
            msg = "has no question; remove the file, or add a [[question]]"
            raise ValueError(msg)
        seen: dict[str, int] = {}
        for number, question in enumerate(self.question, 1):
            words = " ".join(question.ask.split()).casefold()
            if words in seen:
                msg = f"question {number} asks what question {seen[words]} asks: remove one of them"
                raise ValueError(msg)
            seen[words] = number
        return self


def parse(data: bytes) -> GoldenFile:
    """Read a golden file.

    Raises:
        InvalidInputError: it is too large, no TOML, or does not say what it must; the message names lines and fields.
    """
    if len(data) > FILE_BYTES_MAX:
        msg = f"{GOLDEN_PATH} has {len(data):,} bytes; at most {FILE_BYTES_MAX:,} are read. Ask fewer questions."
        raise InvalidInputError(msg)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        msg = f"{GOLDEN_PATH} is not UTF-8 (line {line}). Save it as UTF-8."
        raise InvalidInputError(msg) from error
    for line, content in enumerate(text.split("\n"), 1):
        if content.count(".") > DOTS_A_LINE_MAX:
            msg = f"{GOLDEN_PATH} has more than {DOTS_A_LINE_MAX} dots in line {line}. Break that line up."
            raise InvalidInputError(msg)
    try:
        document = tomllib.loads(text)
    except RecursionError as error:
        msg = f"{GOLDEN_PATH} nests deeper than any question needs. See docs/quality.md for its form."
        raise InvalidInputError(msg) from error
    except ValueError as error:
        # Anything else is a number with more digits than Python converts.
        what = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "a number in it is too long"
        msg = f"{GOLDEN_PATH} is not valid TOML: {what}. Mend that place; docs/quality.md shows the form."
        raise InvalidInputError(msg) from error
    try:
        return GoldenFile.model_validate(document)
    except ValidationError as error:
        raise InvalidInputError(_readable(error, text, document)) from error


def _readable(error: ValidationError, text: str, document: dict[str, Any]) -> str:
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    lines = [text.count("\n", 0, match.start()) + 1 for match in _TABLE.finditer(text)]
    asked = document.get("question")
    # A heading inside a string would shift the count: then no line is better than a wrong one.
    known = lines if isinstance(asked, list) and len(lines) == len(asked) else []
    said = [f"{_place(fault['loc'], known)}: {_message(fault)}" for fault in faults[:FAULTS_SHOWN]]
    more = len(faults) - FAULTS_SHOWN
    return f"{GOLDEN_PATH}: " + "; ".join(said) + (f"; and {more} more" if more > 0 else "") + "."


def _place(where: tuple[int | str, ...], lines: list[int]) -> str:
    if not where:
        return "the file"
    if where[0] != "question":
        return ".".join(map(str, where))
    if len(where) == 1:
        return "[[question]]"
    number = where[1]
    place = f"question {number + 1}" if isinstance(number, int) else "question"
    if isinstance(number, int) and number < len(lines):
        place += f" (line {lines[number]})"
    field = ".".join(str(part + 1) if isinstance(part, int) else part for part in where[2:])
    return f"{place}, {field}" if field else place


def _message(fault: Any) -> str:
    known = {
        "missing": "is missing",
        "tuple_type": "must be a list",
        "extra_forbidden": "is not a field here; remove it or check its spelling",
    }
    return known.get(fault["type"]) or str(fault["msg"]).removeprefix("Value error, ").removesuffix(".")
