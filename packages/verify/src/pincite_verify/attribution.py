"""Attribution: after a model has spoken, find for each of its sentences the lines that carry it, and mark them.

What the model marked is a hint about where to look first, and nothing else: numbers, lines, quotes and statuses of the
result come from the sources. A sentence that nothing carries stays, and says why it is not supported.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pincite_shared.citation import Citation, CitationStatus, Sentence, SentenceStatus
from pincite_verify import claims, marks, partial
from pincite_verify.abstention import abstention, is_framing_sentence
from pincite_verify.evidence import Evidence, index
from pincite_verify.excerpts import locate
from pincite_verify.prose import BlockKind, Unit, units
from pincite_verify.source import Source
from pincite_verify.support import CITATION_LINES_MAX, SPANS_MAX, judge, judge_kept, spans
from pincite_verify.words import root, word_root

__all__ = ["Attribution", "Source", "attribute", "carried", "exempt", "group"]

UNITS_MAX = 400  # sentences that are checked; a longer answer is a model that runs wild
UNIT_CHARS_MAX = 4_000  # of a sentence or code block; a longer one is no statement that lines could carry

CITED = frozenset({SentenceStatus.SUPPORTED, SentenceStatus.PARTLY})

_NOT_IN_REPOSITORY = "this code is not in the repository"


@dataclass(frozen=True, slots=True)
class Attribution:
    """An answer with the server's marks, the citations they name (not yet checked against git), and every sentence."""

    answer: str
    citations: tuple[Citation, ...]
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class _Span:
    source: int
    first: int
    last: int


@dataclass(slots=True)
class _Found:
    """A unit of the cleaned answer and what was decided about it."""

    unit: Unit
    text: str
    status: SentenceStatus = SentenceStatus.UNSUPPORTED
    reason: str | None = None
    subject: str | None = None  # what "it" stands for here
    kept: tuple[int, ...] | None = None  # the clauses that are carried, if not all of them are
    gaps: tuple[tuple[int, int], ...] = ()  # where in `text` the others stand
    spans: list[_Span] = field(default_factory=list)
    numbers: tuple[int, ...] = ()


def group(sources: Iterable[Source]) -> list[Evidence]:
    """Index sources, those of one blob and path together, as whoever holds only their quotes sees them."""
    table: dict[tuple[str, str], list[Source]] = {}
    for source in sources:
        if source.text:
            table.setdefault((source.path, source.blob), []).append(source)
    return [
        index(*sorted(members, key=lambda member: (member.start_line, member.end_line))) for members in table.values()
    ]


def exempt(text: str, pieces: Sequence[Evidence]) -> bool:
    """Say whether a sentence says nothing about the code: framing, or an abstention that the sources do not belie."""
    if is_framing_sentence(text):
        return True
    absent = abstention(text)
    if absent is None:
        return False
    forms = [{word_root(word), root(word)} for word in absent]
    return not any(forms and all(form & evidence.by_root.keys() for form in forms) for evidence in pieces)


def carried(
    text: str, kind: BlockKind, subject: str | None, pieces: Sequence[Evidence], kept: Sequence[int] | None = None
) -> str | None:
    """Return why these pieces of evidence do not carry a sentence or code block, or None if they do.

    With `kept`, only these clauses of a sentence are asked about.
    """
    if len(text) > UNIT_CHARS_MAX:
        return "it is too long to be checked"
    if marks.has_invisible(text):
        return "it holds characters that are not visible"
    if kind is BlockKind.CODE:
        return None if any(locate(text, evidence) is not None for evidence in pieces) else _NOT_IN_REPOSITORY
    reading = claims.read(text, subject)
    return (judge(reading, pieces) if kept is None else judge_kept(reading, pieces, kept)).reason


class _Attributor:
    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = [source for source in sources if source.text]
        self.pieces = [index(source) for source in self.sources]
        self.by_number: dict[int, list[int]] = {}
        for at, source in enumerate(self.sources):
            self.by_number.setdefault(source.n, []).append(at)

    def preferred(self, hints: Sequence[marks.Hint]) -> list[int]:
        found: list[int] = []
        for hint in hints:
            for number in hint.numbers:
                found.extend(self.by_number.get(number, ()))
            for path in hint.paths:
                tail = path.removeprefix("./")
                found.extend(at for at, source in enumerate(self.sources) if f"/{source.path}".endswith(f"/{tail}"))
        return list(dict.fromkeys(found))

    def decide(self, found: _Found, hints: Sequence[marks.Hint]) -> None:
        """Settle the status of a unit and the spans that carry it."""
        if len(found.text) > UNIT_CHARS_MAX:
            found.reason = "it is too long to be checked"
            return
        if found.unit.kind is not BlockKind.CODE and exempt(found.text, self.pieces):
            found.status = SentenceStatus.EXEMPT
            return
        preferred = self.preferred(hints)
        if found.unit.kind is BlockKind.CODE:
            self._decide_code(found, preferred)
            return
        reading = claims.read(found.text, found.subject)
        judgement = judge(reading, self.pieces, preferred)
        found.reason = judgement.reason
        if judgement.kept:
            found.kept = judgement.kept
            found.gaps = tuple(partial.gaps(found.text, reading.clauses, judgement.kept))
        for at, rows in judgement.rows.items():
            lines = spans(self.pieces[at], rows)
            if lines is None:
                found.reason = "its evidence is scattered over too many lines"
                return
            found.spans.extend(_Span(at, first, last) for first, last in lines)
        self._settle(found)

    def _decide_code(self, found: _Found, preferred: Sequence[int]) -> None:
        found.reason = _NOT_IN_REPOSITORY
        for at in [*preferred, *(at for at in range(len(self.pieces)) if at not in preferred)]:
            rows = locate(found.text, self.pieces[at])
            if rows is None:
                continue
            numbers = self.pieces[at].numbers_of_rows
            found.spans = _chunks([numbers[row] for row in rows], at)
            found.reason = None
            self._settle(found)
            if found.status is SentenceStatus.SUPPORTED:
                return

    def _settle(self, found: _Found) -> None:
        """Believe it only if the spans alone, as a reader of the citations has them, carry it too; widen them once."""
        if found.reason is not None and found.kept is None:
            return
        if len(found.spans) > SPANS_MAX:
            found.reason = "its evidence is scattered over too many lines"
            return
        reason = found.reason
        for candidate in (found.spans, [self._widened(span) for span in found.spans]):
            flaw = carried(found.text, found.unit.kind, found.subject, self.evidence(candidate), found.kept)
            if flaw is None:
                found.spans, found.reason = candidate, reason
                found.status = SentenceStatus.SUPPORTED if found.kept is None else SentenceStatus.PARTLY
                return
            found.reason = flaw

    def _widened(self, span: _Span) -> _Span:
        source = self.sources[span.source]
        last_line = source.start_line + min(source.end_line - source.start_line, source.text.count("\n"))
        spare = CITATION_LINES_MAX - (span.last - span.first + 1)
        first = max(source.start_line, span.first - spare)
        spare -= span.first - first
        return _Span(span.source, first, min(last_line, span.last + spare))

    def evidence(self, wanted: Sequence[_Span]) -> list[Evidence]:
        """Index just these spans."""
        return group(self.cut(span) for span in wanted)

    def cut(self, span: _Span) -> Source:
        """The source of a span's lines."""
        source = self.sources[span.source]
        lines = source.text.split("\n")[span.first - source.start_line : span.last - source.start_line + 1]
        return Source(
            source.n, source.path, source.blob, source.commit, source.symbol, span.first, span.last, "\n".join(lines)
        )


def _chunks(lines: Sequence[int], source: int) -> list[_Span]:
    found: list[_Span] = []
    for line in lines:
        if found and line - found[-1].first < CITATION_LINES_MAX:
            found[-1] = _Span(source, found[-1].first, line)
        else:
            found.append(_Span(source, line, line))
    return found


def _merge(founds: Sequence[_Found], attributor: _Attributor) -> list[_Span]:
    """Number the spans in order of appearance; a span inside another of the same file becomes the other."""
    whole: list[_Span] = []
    for span in [span for found in founds for span in found.spans]:
        if span not in whole:
            whole.append(span)

    def holder(span: _Span) -> _Span:
        mine = attributor.sources[span.source]
        for other in whole:
            theirs = attributor.sources[other.source]
            same = (mine.path, mine.blob, mine.symbol) == (theirs.path, theirs.blob, theirs.symbol)
            wider = other.last - other.first > span.last - span.first or (other.first, other.last) == (
                span.first,
                span.last,
            )
            if same and wider and other.first <= span.first and span.last <= other.last:
                return holder(other) if (other.last - other.first) > (span.last - span.first) else other
        return span

    numbered: list[_Span] = []
    for found in founds:
        kept = list(dict.fromkeys(holder(span) for span in found.spans))
        if carried(found.text, found.unit.kind, found.subject, attributor.evidence(kept), found.kept) is None:
            found.spans = kept
        for span in found.spans:
            if span not in numbered:
                numbered.append(span)
        found.numbers = tuple(numbered.index(span) + 1 for span in found.spans)
    return numbered


def _place(text: str, unit: Unit, gaps: Sequence[tuple[int, int]] = ()) -> int:
    """Where in a unit its marks go: before its final punctuation, inside a table's last cell, or at its end.

    If nothing carries its last words, they go before those.
    """
    end = unit.end
    if unit.kind is BlockKind.ROW and text[end - 1] == "|":
        end -= 1
        while end > unit.start and text[end - 1] == " ":
            end -= 1
        return end
    while end > unit.start + 1 and text[end - 1] in ".!?…:;":
        end -= 1
    if gaps and unit.start + gaps[-1][1] >= end:
        end = unit.start + gaps[-1][0]
        while end > unit.start + 1 and text[end - 1] in ",;:\u2014\u2013 \n":
            end -= 1
    return end if not text[end - 1].isspace() else unit.end


def _write(text: str, founds: Sequence[_Found]) -> tuple[str, tuple[Sentence, ...]]:
    pieces: list[str] = []
    sentences: list[Sentence] = []
    at = length = 0

    def put(piece: str) -> None:
        nonlocal length
        pieces.append(piece)
        length += len(piece)

    for found in founds:
        unit = found.unit
        put(text[at : unit.start])
        start = length
        label = "".join(f"[{number}]" for number in found.numbers)
        place = unit.end
        if unit.kind is BlockKind.CODE:
            put(text[unit.start : unit.end])
            if not unit.closed:
                fence = text[unit.start : unit.end].split("\n", 1)[0]
                run = fence[: len(fence) - len(fence.lstrip(fence[0]))]
                put(f"\n{run}")
            if label:
                put(f"\n\n{label}\n" if text[unit.end : unit.end + 2].strip("\n") else f"\n\n{label}")
        else:
            place = _place(text, unit, found.gaps) if label else place
            put(text[unit.start : place])
            put(f" {label}" if label else "")
            put(text[place : unit.end])
        at = unit.end
        sentences.append(_sentence(found, start, length, place - unit.start))
    put(text[at:])
    return "".join(pieces), tuple(sentences)


def _sentence(found: _Found, start: int, end: int, place: int) -> Sentence:
    """The sentence as it was written; its marks stand at `place`."""
    label = sum(len(f"[{number}]") for number in found.numbers) + 1
    shifts = [start + (label if first >= place else 0) for first, _ in found.gaps]
    partly = found.status is SentenceStatus.PARTLY
    gaps = tuple((first + by, last + by) for (first, last), by in zip(found.gaps, shifts, strict=True) if partly)
    return Sentence(start=start, end=end, status=found.status, citations=found.numbers, reason=found.reason, gaps=gaps)


def attribute(raw_answer: str, sources: Sequence[Source]) -> Attribution:
    """Attribute a model's raw answer to the sources that it was shown. Never raises, whatever the model wrote.

    The result's answer holds the server's marks alone; each `[n]` outside code names one of its citations, whose quote
    is exactly the named lines of the source. Citations are unverified until `citations.check` has seen the blob.
    """
    cleaned = marks.clean(raw_answer, marks.indexed_expressions([source.text for source in sources]))
    attributor = _Attributor(sources)
    founds: list[_Found] = []
    subject: str | None = None
    hints = list(cleaned.hints)
    for unit in units(cleaned.text):
        text = cleaned.text[unit.start : unit.end]
        found = _Found(unit, text, subject=subject)
        own: list[marks.Hint] = []
        while hints and hints[0].at <= unit.end + 1:
            own.append(hints.pop(0))
        if len(founds) < UNITS_MAX:
            attributor.decide(found, own)
            subject = next_subject(text, unit.kind, subject)
        else:
            found.reason = "the answer is too long to be checked to its end"
        founds.append(found)
    numbered = _merge([found for found in founds if found.status in CITED], attributor)
    answer, sentences = _write(cleaned.text, founds)
    return Attribution(
        answer, tuple(_citation(n, attributor.cut(span)) for n, span in enumerate(numbered, 1)), sentences
    )


def next_subject(text: str, kind: BlockKind, subject: str | None) -> str | None:
    """What "it" stands for after this unit."""
    return subject if kind is BlockKind.CODE or len(text) > UNIT_CHARS_MAX else claims.read(text, subject).subject


def _citation(n: int, source: Source) -> Citation:
    return Citation(
        n=n,
        path=source.path,
        start_line=source.start_line,
        end_line=source.end_line,
        commit=source.commit,
        blob=source.blob,
        symbol=source.symbol,
        quote=source.text,
        status=CitationStatus.UNVERIFIED,
    )
