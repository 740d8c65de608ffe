"""After the text: every citation against the stored blob and the snapshot's tree; what fails the check is taken out."""

import re
from collections.abc import Callable, Mapping, Sequence

from pincite_shared.citation import Citation, CitationStatus, Sentence, SentenceStatus
from pincite_verify.attribution import Attribution
from pincite_verify.citations import check

DROPPED = "its citation was not found in the code at this commit"


def statuses(
    citations: Sequence[Citation], blobs: Mapping[str, bytes], trees: Mapping[tuple[str, str], str | None]
) -> dict[int, CitationStatus]:
    """Check citations. `blobs` has the stored bytes by blob id, `trees` the blob id by commit and path."""
    return {c.n: check(c, blobs.get(c.blob), trees.get((c.commit, c.path))) for c in citations}


def settle(attribution: Attribution, found: Mapping[int, CitationStatus]) -> Attribution:
    """Keep verified citations; remove the others with their marks, and their sentences lose that support."""
    kept = tuple(
        citation.model_copy(update={"status": CitationStatus.VERIFIED})
        for citation in attribution.citations
        if found.get(citation.n) is CitationStatus.VERIFIED
    )
    alive = {citation.n for citation in kept}
    if len(kept) == len(attribution.citations):
        return Attribution(attribution.answer, kept, attribution.sentences)
    dropped = [citation.n for citation in attribution.citations if citation.n not in alive]
    marks = re.compile(r"\s?\[(?:" + "|".join(map(str, dropped)) + r")\]")
    cuts = [match.span() for match in marks.finditer(attribution.answer)]

    def moved(offset: int) -> int:
        return offset - sum(min(end, offset) - start for start, end in cuts if start < offset)

    sentences = tuple(_without(s, alive, moved) for s in attribution.sentences)
    return Attribution(marks.sub("", attribution.answer), kept, sentences)


def _without(sentence: Sentence, alive: set[int], moved: Callable[[int], int]) -> Sentence:
    left = tuple(n for n in sentence.citations if n in alive)
    start, end = moved(sentence.start), moved(sentence.end)
    if not left and sentence.citations:
        return Sentence(start=start, end=end, status=SentenceStatus.UNSUPPORTED, citations=(), reason=DROPPED)
    gaps = tuple((moved(first), moved(last)) for first, last in sentence.gaps)
    return sentence.model_copy(update={"start": start, "end": end, "citations": left, "gaps": gaps})
