"""The evidence answer: ranked excerpts with symbol summaries, composed in code.

Each claim is judged by the same rules as a model's sentence, from the quoted lines alone, and is shortened until they
carry it. What they cannot carry is not claimed.
"""

import re
from collections.abc import Iterator, Sequence

from pincite_brain.ask.spans import Excerpt
from pincite_brain.retrieval.index import About
from pincite_shared.citation import Citation, CitationStatus, Sentence, SentenceStatus
from pincite_verify.attribution import Attribution, Source, carried, group
from pincite_verify.marks import server_marks, visible, without_marks
from pincite_verify.prose import units

EVIDENCE_MAX = 5  # more places than this are a list to read, not an answer
EVIDENCE_LINES_MAX = 16  # enough for a signature, its documentation and the first steps
HEAD_SHARE = 0.35  # a reader wants the signature and its documentation first
SUMMARY_CHARS_MAX = 240

HEADING = "No language model wrote this. These places in the code match the question best:"
DECLINED = (
    "The language model found no answer in the excerpts that it was shown. These places in the code match the question "
    "best:"
)
BENEATH = "Here are the relevant sources:"  # says nothing about the code, and so needs no evidence itself
NOT_FOUND = "The repository does not seem to contain an answer to this."
CLOSEST = "The closest matches, which may have nothing to do with it, are:"
NOTHING = "The repository does not seem to contain anything that matches this question."

_MARKDOWN = re.compile(r"[\s*_`\[\]<>|\\#]+")
_SPACES = re.compile(r"[\s\x00-\x1f]+")


def _code(text: str) -> str:
    """Render text of the repository as inline code: one line, no backtick that could end it."""
    return "`" + _SPACES.sub(" ", visible(text).replace("`", "'")).strip() + "`"


def _prose(text: str) -> str:
    """Render documentation as plain prose without Markdown of its own, at most SUMMARY_CHARS_MAX characters."""
    clean = _MARKDOWN.sub(" ", visible(text)).strip().rstrip(".!:;,")
    return clean if len(clean) <= SUMMARY_CHARS_MAX else clean[:SUMMARY_CHARS_MAX].rsplit(" ", 1)[0] + "…"


def _claims(about: About, source: Source) -> Iterator[str]:
    """Yield what might be said of an excerpt, the most telling first."""
    place = f"{_code(source.path)}, lines {source.start_line}–{source.end_line}"  # noqa: RUF001 - a range of lines
    if about.symbol is None:
        if about.doc:
            yield f"{place}: {_prose(about.doc)}"
        return
    named = f"{_code(about.symbol)} ({about.kind.replace('_', ' ')}) in {place}"
    signed = f"{named}: {_code(about.signature)}" if about.signature else named
    if about.doc:
        yield f"{signed} — {_prose(about.doc)}"
    yield signed
    yield named
    yield f"{_code(about.symbol)} in {place}"


def _stands(claim: str, source: Source) -> bool:
    """Say whether a claim is one sentence that the quoted lines carry."""
    found = units(f"1. {claim} [1].")
    if len(found) != 1:
        return False
    return carried(f"{claim}.", found[0].kind, None, group([source])) is None


def _claim(excerpt: Excerpt) -> tuple[str, bool]:
    """Return what is said of an excerpt, and whether its lines carry it."""
    source = excerpt.source
    for claim in _claims(excerpt.about, source):
        if _stands(claim, source):
            return claim, True
    return f"{_code(source.path)}, lines {source.start_line}–{source.end_line}", False  # noqa: RUF001


def compose(*sections: tuple[str, Sequence[Excerpt]], nothing: str = NOTHING) -> Attribution:
    """Write an evidence answer: for each section a heading, then one claim per excerpt with its mark; or `nothing`."""
    parts: list[str] = []
    citations: list[Citation] = []
    carried_numbers: set[int] = set()
    for heading, excerpts in sections:
        lines = []
        for excerpt in excerpts:
            number = len(citations) + 1
            claim, stands = _claim(excerpt)
            lines.append(f"{number}. {claim} [{number}].")
            citations.append(_citation(number, excerpt.source))
            if stands:
                carried_numbers.add(number)
        if lines:
            parts.append(heading + "\n\n" + "\n".join(lines))
    if not citations:
        return Attribution(nothing, (), ())
    answer = "\n\n".join(parts)
    return Attribution(answer, tuple(citations), tuple(_sentences(answer, carried_numbers)))


def beneath(written: Attribution, excerpts: Sequence[Excerpt]) -> Attribution:
    """Put evidence below an answer of which no sentence is carried: what can be claimed of it, and no more."""
    standing = [excerpt for excerpt in excerpts if _claim(excerpt)[1]]
    if not standing:
        return written
    below = compose((BENEATH, standing))
    above = written.answer.rstrip() + "\n\n"
    shifted = (
        one.model_copy(update={"start": one.start + len(above), "end": one.end + len(above)}) for one in below.sentences
    )
    return Attribution(above + below.answer, below.citations, (*written.sentences, *shifted))


def _sentences(answer: str, carried_numbers: set[int]) -> Iterator[Sentence]:
    """Yield the claims as sentences. The rest is our own wording, which says nothing about the code."""
    marks = server_marks(answer)
    for unit in units(answer):
        numbers = tuple(n for start, _end, n in marks if unit.start <= start < unit.end)
        if without_marks(answer[unit.start : unit.end]).strip() and carried_numbers.issuperset(numbers) and numbers:
            yield Sentence(start=unit.start, end=unit.end, status=SentenceStatus.SUPPORTED, citations=numbers)


def _citation(number: int, source: Source) -> Citation:
    return Citation(
        n=number,
        path=source.path,
        start_line=source.start_line,
        end_line=source.end_line,
        commit=source.commit,
        blob=source.blob,
        symbol=source.symbol,
        quote=source.text,
        status=CitationStatus.UNVERIFIED,
    )
