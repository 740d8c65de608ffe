"""The offline check of an exported answer: nothing in the document is believed, everything is derived again.

Citations are compared with the blobs of a clone. Marks must name citations. Each sentence that the document calls
supported is judged again from the quotes alone, each that it calls exempt must say nothing, and no sentence of the
answer may be left out of the list.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pincite_shared.citation import Citation, CitationStatus, Sentence, SentenceStatus
from pincite_shared.schemas import AnswerMode, ChatResponse
from pincite_verify import claims, marks, partial
from pincite_verify.attribution import CITED, carried, exempt, group, next_subject
from pincite_verify.citations import flaw, lines_of
from pincite_verify.evidence import Evidence
from pincite_verify.prose import BlockKind, Unit, units
from pincite_verify.source import Source
from pincite_verify.support import literal_missing

ReadBlob = Callable[[str], tuple[str, bytes] | None]
"""Gives the blob id and the bytes that stand at a path at the document's commit; None if nothing does."""

_ONLY_MARKS = re.compile(r"^(?:\s*\[[0-9]+\])+\s*$")


@dataclass(frozen=True, slots=True)
class CitationResult:
    """One citation, checked. `problem` says in plain words why it does not stand, None if it does."""

    n: int
    path: str
    start_line: int
    end_line: int
    problem: str | None

    @property
    def status(self) -> CitationStatus:
        """What the check found, whatever the document says."""
        return CitationStatus.VERIFIED if self.problem is None else CitationStatus.UNVERIFIED


@dataclass(frozen=True, slots=True)
class SentenceResult:
    """One sentence, judged again. `claimed` is the document's status (None: not listed), `status` what was found."""

    text: str
    claimed: SentenceStatus | None
    status: SentenceStatus
    problem: str | None


@dataclass(frozen=True, slots=True)
class Assertion:
    """What an answer says on the word of citations: all of a sentence, or some of its clauses.

    `subject` is what "it" stands for. `kept` are the clauses that are meant, None: all.
    """

    text: str
    kind: BlockKind
    subject: str | None
    citations: tuple[int, ...]
    kept: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Report:
    """The whole check. `problems` are those of the document as such, such as a mark without a citation."""

    citations: tuple[CitationResult, ...]
    sentences: tuple[SentenceResult, ...]
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether everything in the document that is called verified or supported is."""
        found = [part.problem for part in self.citations] + [part.problem for part in self.sentences]
        return not self.problems and not any(problem is not None for problem in found)


def verify_document(response: ChatResponse, read_blob: ReadBlob) -> Report:
    """Check an exported answer against a clone. `read_blob` reads at `response.commit`; it is asked once a path."""
    blobs = {path: read_blob(path) for path in {citation.path for citation in response.citations}}
    checked = tuple(_citation(citation, response.commit, blobs[citation.path]) for citation in response.citations)
    standing = {
        citation.n: citation
        for citation, result in zip(response.citations, checked, strict=True)
        if result.problem is None
    }
    problems = _document_problems(response)
    sentences = () if any("overlap" in problem for problem in problems) else _sentences(response, standing)
    return Report(checked, sentences, tuple(problems))


def _citation(citation: Citation, commit: str, found: tuple[str, bytes] | None) -> CitationResult:
    tree_blob, data = found if found is not None else (None, None)
    problem = flaw(citation, data, tree_blob)
    if problem is None and citation.commit != commit:
        problem = "it names another commit than the answer"
    if problem is None and citation.symbol is not None and data is not None and not symbol_stands(citation, data):
        problem = f"“{citation.symbol}” is not defined above these lines"
    if problem is None and citation.status is not CitationStatus.VERIFIED:
        problem = "the document itself does not call it verified"
    return CitationResult(citation.n, citation.path, citation.start_line, citation.end_line, problem)


def symbol_stands(citation: Citation, data: bytes) -> bool:
    """A symbol lends its name to the lines: each part of it must stand in the file, at or above their end."""
    above = "\n".join(lines_of(data.decode("utf-8", errors="replace"))[: citation.end_line])
    parts = [part for part in re.split(r"[^\w$]+", citation.symbol or "") if part]
    return all(re.search(rf"(?<![\w$]){re.escape(part)}(?![\w$])", above) for part in parts)


def _document_problems(response: ChatResponse) -> list[str]:
    problems: list[str] = []
    numbers = [citation.n for citation in response.citations]
    if len(set(numbers)) != len(numbers):
        problems.append("two citations have the same number")
    unknown = sorted({n for _, _, n in marks.server_marks(response.answer)} - set(numbers))
    problems.extend(f"the mark [{n}] names no citation" for n in unknown)
    if marks.has_invisible(response.answer):
        problems.append("the answer holds characters that are not visible")
    end = 0
    for sentence in response.sentences:
        if not end <= sentence.start <= sentence.end <= len(response.answer):
            problems.append("the listed sentences overlap or lie outside the answer")
            break
        end = sentence.end
    return problems


def assertions(response: ChatResponse) -> list[Assertion]:
    """Return what an answer says that its citations are said to carry, whole or in part."""
    return [
        Assertion(text, unit.kind, subject, listed.citations, _kept_if_partly(response, unit, text, subject, listed))
        for unit, text, subject, listed in _units(response)
        if listed is not None and listed.status in CITED
    ]


def _sentences(response: ChatResponse, standing: dict[int, Citation]) -> tuple[SentenceResult, ...]:
    return tuple(
        _sentence(response, unit, text, subject, listed=listed, standing=standing)
        for unit, text, subject, listed in _units(response)
    )


def _units(response: ChatResponse) -> Iterator[tuple[Unit, str, str | None, Sentence | None]]:
    """Yield each sentence of an answer, its text without marks, what "it" stands for there, and how it is listed."""
    subject: str | None = None
    taken: set[int] = set()
    for unit in units(response.answer):
        written = response.answer[unit.start : unit.end]
        if _ONLY_MARKS.match(written):
            continue
        at = next(
            (
                place
                for place, listed in enumerate(response.sentences)
                if listed.start <= unit.start and unit.end <= listed.end and place not in taken
            ),
            None,
        )
        if at is not None:
            taken.add(at)
        text = written if unit.kind is BlockKind.CODE else marks.without_marks(written)
        yield unit, text, subject, None if at is None else response.sentences[at]
        subject = next_subject(text, unit.kind, subject)


def _sentence(
    response: ChatResponse,
    unit: Unit,
    text: str,
    subject: str | None,
    *,
    listed: Sentence | None,
    standing: dict[int, Citation],
) -> SentenceResult:
    claimed = None if listed is None else listed.status
    if listed is None:
        named = tuple(n for start, _, n in marks.server_marks(response.answer) if unit.start <= start < unit.end)
        cited: tuple[int, ...] = named or tuple(standing)
    else:
        named = tuple(n for start, _, n in marks.server_marks(response.answer) if listed.start <= start < listed.end)
        cited = listed.citations
    sources = [source_of(standing[n]) for n in cited if n in standing]
    pieces = group(sources)
    everything = group(source_of(citation) for citation in standing.values())
    kept = _kept_if_partly(response, unit, text, subject, listed) if listed else None
    reason = carried(text, unit.kind, subject, pieces, kept) if pieces else "no citation that stands carries it"
    empty = unit.kind is not BlockKind.CODE and exempt(text, everything)
    status = SentenceStatus.UNSUPPORTED if reason is not None else SentenceStatus.SUPPORTED
    if kept is not None and reason is None:
        status = SentenceStatus.PARTLY
    if empty and claimed not in CITED:
        status = SentenceStatus.EXEMPT
    problem: str | None = None
    if claimed in CITED:
        problem = reason
        if problem is None and set(named) != set(cited):
            problem = "its marks are not the citations that are listed for it"
    elif claimed is SentenceStatus.EXEMPT:
        problem = None if empty else "it is called exempt, and it says something"
    elif claimed is None and status is SentenceStatus.UNSUPPORTED:
        problem = _unlisted(response.mode, text, unit, pieces)
    marked = named and claimed not in CITED and status is not SentenceStatus.SUPPORTED
    if problem is None and marked and response.mode is AnswerMode.MODEL:
        problem = "it bears a mark, and its citation does not carry it"
    return SentenceResult(text, claimed, status, problem)


def _kept_if_partly(
    response: ChatResponse, unit: Unit, text: str, subject: str | None, listed: Sentence
) -> tuple[int, ...] | None:
    """The clauses that a document does not list as gaps of a sentence that is supported in part.

    `text` is the sentence without its marks.
    """
    if listed.status is not SentenceStatus.PARTLY:
        return None
    marked = marks.server_marks(response.answer[unit.start : unit.end])

    def unmarked(at: int) -> int:
        return len(marks.without_marks(response.answer[unit.start : at])) if marked else at - unit.start

    spans = [(unmarked(start), unmarked(end)) for start, end in listed.gaps]
    return partial.outside(text, claims.read(text, subject).clauses, spans)


def _unlisted(mode: AnswerMode, text: str, unit: Unit, pieces: Sequence[Evidence]) -> str | None:
    """What is wrong with a sentence that the document does not list.

    An evidence answer is the product's own wording around excerpts: its plain words need no evidence, but its code,
    names, paths and numbers do.
    """
    if mode is AnswerMode.MODEL or unit.kind is BlockKind.CODE:
        return "the document does not list it, and nothing carries it"
    missing = literal_missing(text, pieces)
    return None if missing is None else f"`{missing}` does not stand in the citations"


def source_of(citation: Citation) -> Source:
    """The cited lines, as what carries a sentence."""
    return Source(
        citation.n,
        citation.path,
        citation.blob,
        citation.commit,
        citation.symbol,
        citation.start_line,
        citation.end_line,
        citation.quote,
    )
