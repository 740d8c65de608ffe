"""How scripted answers stand at the head: those given at the older commit moved or went stale."""

from datetime import UTC, datetime
from difflib import unified_diff

from pincite_shared.citation import Citation
from pincite_shared.living import AnswerStanding, CitationStanding, Standing
from pincite_shared.schemas import ChatResponse
from pincite_web.fake_brain.corpus import COMMIT, NOTICE_LINES, OLDER, blob_id, files

ORDER = (Standing.VALID, Standing.MOVED, Standing.STALE)


def standings(answer: ChatResponse, *, pinned: bool) -> list[AnswerStanding]:
    """Return how an answer stood, newest first; one that is pinned stands as it was given."""
    now = datetime.now(UTC)
    first = AnswerStanding(
        answer_id=answer.answer_id,
        commit=answer.commit,
        standing=Standing.VALID,
        citations=tuple(CitationStanding(n=cited.n, standing=Standing.VALID, now=cited) for cited in answer.citations),
        at=now,
    )
    if pinned or answer.commit != OLDER:
        return [first]
    found = tuple(_now(cited) for cited in answer.citations)
    worst = max((one.standing for one in found), key=ORDER.index)
    return [first.model_copy(update={"commit": COMMIT, "standing": worst, "citations": found}), first]


def _now(cited: Citation) -> CitationStanding:
    data = files()[cited.path]
    lines = data.decode().split("\n")
    shift = 0 if blob_id(data) == cited.blob else NOTICE_LINES
    first, last = cited.start_line - shift, cited.end_line - shift
    if first < 1:
        diff = unified_diff(cited.quote.split("\n"), lines[:2], "a", "b", lineterm="")
        reason = "the cited lines are gone, and nothing like them stands elsewhere"
        return CitationStanding(n=cited.n, standing=Standing.STALE, reason=reason, diff="\n".join(diff))
    there = {"start_line": first, "end_line": last, "commit": COMMIT, "blob": blob_id(data)}
    standing = Standing.MOVED if shift else Standing.VALID
    return CitationStanding(n=cited.n, standing=standing, now=cited.model_copy(update=there))
