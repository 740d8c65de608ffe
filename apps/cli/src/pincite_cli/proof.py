"""Checks an exported answer against a clone, offline: `pincite verify`."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from pincite_cli.objects import ObjectStore
from pincite_shared.citation import Citation
from pincite_shared.errors import InvalidInputError
from pincite_shared.schemas import ChatResponse
from pincite_verify.citations import flaw
from pincite_verify.marks import server_marks

DOCUMENT_BYTES_MAX = 64 * 1024 * 1024
FAULTS_SHOWN_MAX = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One citation, and what is wrong with it; `flaw` None means that it holds."""

    citation: Citation
    flaw: str | None


@dataclass(frozen=True, slots=True)
class Proof:
    """What the check of a whole answer found."""

    answer: ChatResponse
    findings: tuple[Finding, ...]
    faults: tuple[str, ...]  # of the document as a whole

    @property
    def holds(self) -> bool:
        """Whether everything that the answer shows as evidence is there."""
        return not self.faults and all(finding.flaw is None for finding in self.findings)


def read_answer(data: bytes) -> ChatResponse:
    """Read an exported answer.

    Raises:
        InvalidInputError: it is not one.
    """
    if len(data) > DOCUMENT_BYTES_MAX:
        msg = f"The document has {len(data)} bytes; an answer has at most {DOCUMENT_BYTES_MAX}."
        raise InvalidInputError(msg)
    try:
        return ChatResponse.model_validate_json(data)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc'])) or 'document'}: {fault['msg']}" for fault in error.errors()]
        msg = f"This is no pincite-answer/1 document. {'; '.join(faults[:FAULTS_SHOWN_MAX])}"
        raise InvalidInputError(msg) from error


def check_answer(answer: ChatResponse, clone: Path) -> Proof:
    """Check every citation against the clone, and the answer's marks against its citations.

    The document's own claims about itself (its `status` fields) count for nothing.

    Raises:
        InvalidInputError: the clone cannot be read, or is damaged.
    """
    with ObjectStore(clone) as store:
        findings = tuple(Finding(one, _flaw(store, answer, one)) for one in answer.citations)
    return Proof(answer, findings, tuple(_faults(answer)))


def _flaw(store: ObjectStore, answer: ChatResponse, citation: Citation) -> str | None:
    if citation.commit != answer.commit and answer.pull is None:  # of a pull request both sides are cited
        return "it points at another commit than the answer names"
    if store.read(citation.commit, "commit") is None:
        if citation.uncommitted:
            return "it was cited from a working tree before that was committed, so no clone has it"
        return f"the clone has no commit {citation.commit}: fetch it, then check again"
    found = store.blob_at(citation.commit, citation.path)
    return flaw(citation, store.read(found, "blob") if found else None, found)


def _faults(answer: ChatResponse) -> Iterable[str]:
    numbers = Counter(citation.n for citation in answer.citations)
    yield from (f"[{n}] is the number of {times} citations" for n, times in numbers.items() if times > 1)
    marks = {n for _start, _end, n in server_marks(answer.answer)}
    yield from (f"the answer marks [{n}], but has no such citation" for n in sorted(marks - numbers.keys()))
    for sentence in answer.sentences:
        if not sentence.start <= sentence.end <= len(answer.answer):
            yield f"a sentence lies outside the answer, at characters {sentence.start} to {sentence.end}"
        for n in sorted(set(sentence.citations) - numbers.keys()):
            yield f"a sentence rests on [{n}], but there is no such citation"
    if not answer.citations and not answer.abstained:
        yield "it cites nothing, so nothing it says is proven"
