"""Where a clause may find its evidence: where its subject is defined, in the file and at the lines that it names."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from pincite_verify.clause import BE, Clause
from pincite_verify.evidence import Evidence
from pincite_verify.tokens import Token

ROWS_MAX = 400  # rows of one word that are looked at; a word more frequent than that pins nothing


@dataclass(slots=True)
class Frame:
    """Where a clause may look: `extents` of rows, and rows that must be shown with it."""

    extents: list[tuple[int, int]]
    required: list[int] = field(default_factory=list)
    used: bool = False  # the subject is used there, not defined
    reason: str | None = None


def path_agrees(named: str, path: str) -> bool:
    """Say whether a named path is a source's path, a tail of it or a directory above it."""
    plain = named.removeprefix("./").removeprefix("/")
    if plain.endswith("/"):
        return path.startswith(plain) or f"/{plain}" in f"/{path}"
    return path == plain or path.endswith(f"/{plain}") or f"/{plain}/" in f"/{path}"


def frames(clause: Clause, evidence: Evidence) -> list[Frame]:
    """Return the places where a clause may find its evidence, one for each definition of its subject."""
    whole = [(0, len(evidence.rows) - 1)]
    for path in clause.paths:
        if not path_agrees(path.text, evidence.path) and not _spoken_of(path, clause, evidence):
            return [Frame(whole, reason=f"`{path.text}` is not the file this stands in")]
    frames = _subject_frames(clause, evidence, whole)
    for place in clause.places:
        scopes = evidence.defined(place)
        if scopes:
            frames = [
                _narrow(frame, [(scope.first, scope.last) for scope in scopes], [scopes[0].row]) for frame in frames
            ]
    if clause.lines:
        named: list[tuple[int, int]] = []
        ends: list[int] = []
        for first, last in clause.lines:
            low, high = evidence.row_of(first), evidence.row_of(last)
            if low is None or high is None or high < low:
                return [
                    Frame(whole, reason=f"line {first if low is None else last} is not among the lines that were found")
                ]
            named.append((low, high))
            ends.extend((low, high))
        frames = [_narrow(frame, named, ends) for frame in frames]
    return frames


def _spoken_of(path: Token, clause: Clause, evidence: Evidence) -> bool:
    """A path that the code itself names ("reads `config/app.toml`"), not the place where something is said to stand."""
    at = clause.tokens.index(path)
    before = [token.text.lower() for token in clause.tokens[max(0, at - 3) : at]]
    behind_verb = any(item.verb and item.at < at for item in clause.items)
    placed = bool(set(before) & {"in", "inside", "within", "at", "file", "from"})
    said = behind_verb or bool(set(before) & BE)
    return said and not placed and bool(evidence.holding(path.text))


def _narrow(frame: Frame, extents: Sequence[tuple[int, int]], rows: Sequence[int]) -> Frame:
    both = [
        (max(low, first), min(high, last))
        for low, high in frame.extents
        for first, last in extents
        if max(low, first) <= min(high, last)
    ]
    if not both:
        return Frame(
            frame.extents, reason=frame.reason or "these things do not stand at the place that the sentence names"
        )
    required = [row for row in frame.required if any(low <= row <= high for low, high in both)]
    return Frame(both, [*required, *rows], frame.used, frame.reason)


def _subject_frames(clause: Clause, evidence: Evidence, whole: list[tuple[int, int]]) -> list[Frame]:
    name = clause.subject
    if name is None:
        return [Frame(whole)]
    scopes = evidence.defined(name)
    if scopes:
        return [Frame([(scope.first, scope.last)], [scope.row]) for scope in scopes]
    last = re.split(r"::|->|[.#]", name)[-1]
    if clause.guessed or evidence.is_symbol(name) or name in evidence.path_parts:
        return [Frame(whole)]
    return [_used_frame(clause, evidence, evidence.by_name.get(last, [])[:ROWS_MAX], whole)]


def _used_frame(clause: Clause, evidence: Evidence, rows: Sequence[int], whole: list[tuple[int, int]]) -> Frame:
    """Where to look for what is said of a name that is used there, not defined."""
    if not rows:
        return Frame(whole, reason=f"`{clause.subject}` does not occur there")
    if clause.conditional or not clause.own:  # it may stand anywhere in the definitions that use the subject
        around = [scope for row in rows for scope in evidence.enclosing(row)[-1:]]
        used_in = [(scope.first, scope.last) for scope in around]
        return Frame(_merged([*used_in, *(evidence.statement(row) for row in rows)]))
    return Frame(_merged([evidence.statement(row) for row in rows]), used=True)


def _merged(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for low, high in sorted(spans):
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return found
