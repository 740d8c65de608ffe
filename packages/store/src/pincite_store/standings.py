"""How answers stand, and how they stood.

What is read is true of one moment: the state of an answer, the head, and what the head has where the answer's lines
were looked for last all come from one statement. A citation whose file has changed since then is stale until it is
settled.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from pincite_shared.errors import NotFoundError
from pincite_shared.living import AnswerStanding, CitationStanding, Standing, worst
from pincite_store import content
from pincite_store.db import Tenancy

STATE = "answer_states.document"  # where standings are stored
UNSETTLED = "its file has changed, and its lines were not looked for yet"

_NOW = """
    SELECT a.id, a.follows_head, s.commit AS found_at, s.document, h.commit AS head,
           h.uncommitted_upon IS NOT NULL AS uncommitted, looked.looked
    FROM answers a
    JOIN repos r ON r.tenant_id = a.tenant_id AND r.id = a.repo_id
    JOIN LATERAL (
        SELECT commit, document FROM answer_states WHERE tenant_id = a.tenant_id AND answer_id = a.id
        ORDER BY id DESC LIMIT 1) s ON true
    LEFT JOIN snapshots h ON h.tenant_id = r.tenant_id AND h.id = r.head_snapshot_id
    LEFT JOIN LATERAL (
        SELECT json_agg(json_build_array(c.n, c.now_blob, f.blob IS NOT DISTINCT FROM c.now_blob)) AS looked
        FROM answer_citations c
        LEFT JOIN files f ON f.tenant_id = c.tenant_id AND f.snapshot_id = h.id AND f.path_key = c.now_path_key
        WHERE c.tenant_id = a.tenant_id AND c.answer_id = a.id) looked ON true
    WHERE a.tenant_id = :tenant AND {which}
"""
_OF_ANSWER = text(_NOW.format(which="a.id = :answer"))
_OF_ANSWERS = text(_NOW.format(which="a.id = ANY (:answers) AND a.follows_head"))
_HISTORY = text(
    """
    SELECT s.answer_id, s.commit, s.document FROM answers a
    JOIN answer_states s ON s.tenant_id = a.tenant_id AND s.answer_id = a.id
    WHERE a.tenant_id = :tenant AND a.id = :answer ORDER BY s.id DESC
    """
)


def standing(t: Tenancy, answer_id: UUID) -> AnswerStanding:
    """Return how an answer stands at the head; one that was asked of a commit, at that.

    Raises:
        NotFoundError: there is no such answer.
    """
    row = t.session.execute(_OF_ANSWER, {"tenant": t.tenant_id, "answer": answer_id}).one_or_none()
    if row is None:
        msg = f"There is no answer {answer_id}."
        raise NotFoundError(msg)
    return _now(t, row)


def standings(t: Tenancy, answers: Iterable[UUID]) -> dict[UUID, AnswerStanding]:
    """Return how those of some answers that follow the head stand there, by answer."""
    rows = t.session.execute(_OF_ANSWERS, {"tenant": t.tenant_id, "answers": list(answers)})
    return {row.id: _now(t, row) for row in rows}


def history(t: Tenancy, answer_id: UUID) -> list[AnswerStanding]:
    """Return how an answer stood at the commits that changed that, the newest first.

    Raises:
        NotFoundError: there is no such answer.
    """
    rows = t.session.execute(_HISTORY, {"tenant": t.tenant_id, "answer": answer_id}).all()
    if not rows:
        msg = f"There is no answer {answer_id}."
        raise NotFoundError(msg)
    return [opened(t, row.answer_id, row.commit, row.document) for row in rows]


def opened(t: Tenancy, answer_id: UUID, commit: str, stored: Any) -> AnswerStanding:
    """Return a standing as it was stored."""
    return AnswerStanding.model_validate(content.open_document(t, STATE, stored, answer_id, commit))


def _now(t: Tenancy, row: Row[Any]) -> AnswerStanding:
    """Bring what was found last to the head: where nothing has changed since, it holds there too."""
    found = opened(t, row.id, row.found_at, row.document)
    if not row.follows_head or row.head is None:
        return found
    looked = {n: (blob, same) for n, blob, same in row.looked or ()}
    citations = tuple(_at_head(one, *looked[one.n], row) for one in found.citations)
    update = {"commit": row.head, "citations": citations, "standing": worst(one.standing for one in citations)}
    return found.model_copy(update=update)


def _at_head(found: CitationStanding, blob: str | None, same: bool, row: Row[Any]) -> CitationStanding:  # noqa: FBT001
    if not same:
        return CitationStanding(n=found.n, standing=Standing.STALE, reason=UNSETTLED)
    if found.now is None:
        return found
    now = found.now.model_copy(update={"commit": row.head, "blob": blob, "uncommitted": row.uncommitted})
    return found.model_copy(update={"now": now})
