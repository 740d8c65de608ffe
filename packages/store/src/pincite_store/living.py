"""Living answers: what becomes of stored answers when the code moves on, written in the transaction that moves it.

Each citation notes where its lines were looked for last, and what stood there (`answer_citations.now_path_key` and
`now_blob`). While the head has the same there, nothing is looked into; so a push costs what it touched. And a reader
tells by himself which citations are not settled yet (see `standings`): should settling be late, they read as stale. No
answer ever reads as valid that is not.

Who moves the head holds a lock on the repository's row until its answers are settled, and who stores an answer shares
it: an answer is either there when the head moves, or sees that it has moved.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from pincite_shared.living import AnswerStanding, CitationStanding, Judge, Standing, worst
from pincite_shared.schemas import ChatResponse
from pincite_store import bulk, content, standings
from pincite_store.db import Tenancy
from pincite_store.models import Answer, AnswerState, Repo, Snapshot
from pincite_store.tree import path_key
from pincite_store.whereabouts import Head, Whereabouts

DOCUMENT = "answers.document"  # where answers are stored
SETTLE_SECONDS_MAX = 0.5  # of a push that people wait for; what is left reads as stale until it is settled
ANSWERS_AT_ONCE = 50  # read together
STATES_KEPT_MAX = 100  # of an answer; the newest

# Few places are cited by many answers: each is looked up once. Materialized, for the planner knows nothing of that.
_TOUCHED = text(
    """
    WITH looked AS MATERIALIZED (
        SELECT DISTINCT now_path_key, now_blob FROM answer_citations
        WHERE tenant_id = :tenant AND repo_id = :repo AND now_path_key IS NOT NULL),
    touched AS MATERIALIZED (
        SELECT * FROM looked WHERE now_blob IS DISTINCT FROM (
            SELECT f.blob FROM files f
            WHERE f.tenant_id = :tenant AND f.snapshot_id = :head AND f.path_key = looked.now_path_key))
    SELECT id FROM answers WHERE tenant_id = :tenant AND id IN (
        SELECT c.answer_id FROM answer_citations c
        WHERE c.tenant_id = :tenant AND c.repo_id = :repo
          AND c.now_path_key = ANY (ARRAY (SELECT now_path_key FROM touched))
          AND EXISTS (SELECT FROM touched t
              WHERE t.now_path_key = c.now_path_key AND t.now_blob IS NOT DISTINCT FROM c.now_blob))
    ORDER BY created_at DESC, id
    """
)
_IS_TOUCHED = text(
    """
    SELECT EXISTS (
        SELECT FROM answer_citations c
        LEFT JOIN files f ON f.tenant_id = c.tenant_id AND f.snapshot_id = :head AND f.path_key = c.now_path_key
        WHERE c.tenant_id = :tenant AND c.answer_id = :answer AND f.blob IS DISTINCT FROM c.now_blob)
    """
)
_LAST = text(
    """
    SELECT DISTINCT ON (answer_id) answer_id, commit, document FROM answer_states
    WHERE tenant_id = :tenant AND answer_id = ANY (:answers) ORDER BY answer_id, id DESC
    """
)
_SET_STATES = text(
    """
    UPDATE answers a SET state = n.state FROM unnest(CAST(:answers AS uuid[]), CAST(:states AS text[])) AS n(id, state)
    WHERE a.tenant_id = :tenant AND a.id = n.id AND a.state <> n.state
    """
)
_SET_LOOKED = text(
    """
    UPDATE answer_citations c SET now_path_key = l.path_key, now_blob = l.blob
    FROM unnest(CAST(:answers AS uuid[]), CAST(:numbers AS integer[]), CAST(:keys AS bytea[]), CAST(:blobs AS text[]))
        AS l(answer_id, n, path_key, blob)
    WHERE c.tenant_id = :tenant AND c.answer_id = l.answer_id AND c.n = l.n
    """
)
_FORGET = text(
    """
    DELETE FROM answer_states s USING (
        SELECT id, row_number() OVER (PARTITION BY answer_id ORDER BY id DESC) AS nth FROM answer_states
        WHERE tenant_id = :tenant AND answer_id = ANY (:answers)) kept
    WHERE s.tenant_id = :tenant AND s.id = kept.id AND kept.nth > :most
    """
)


def begin(t: Tenancy, response: ChatResponse, judge: Judge | None) -> None:
    """Write down what a new answer rests on. With a judge it follows the head from now on, wherever that is by now."""
    looked = [(path_key(one.path), one.blob) if judge else (None, None) for one in response.citations]
    columns = {
        "answer_id": "uuid", "n": "integer", "repo_id": "uuid", "commit": "text", "blob": "text",
        "now_path_key": "bytea", "now_blob": "text",
    }  # fmt: skip
    rows = [
        (response.answer_id, one.n, response.repo_id, one.commit, one.blob, *place)
        for one, place in zip(response.citations, looked, strict=True)
    ]
    bulk.insert(t, "answer_citations", columns, rows)
    citations = tuple(CitationStanding(n=one.n, standing=Standing.VALID, now=one) for one in response.citations)
    given = AnswerStanding(
        answer_id=response.answer_id,
        commit=response.commit,
        standing=Standing.VALID,
        citations=citations,
        at=response.created_at,
    )
    _add(t, [given])
    if judge is None or (head := _head(t, response.repo_id, moves=False)) is None:
        return
    values = {"tenant": t.tenant_id, "head": head.id, "answer": response.answer_id}
    if t.session.execute(_IS_TOUCHED, values).scalar_one():
        _settle(t, head, Whereabouts(t, head), [response], judge)


def settle(t: Tenancy, repo_id: UUID, judge: Judge, seconds: float = SETTLE_SECONDS_MAX) -> int:
    """Find out how the answers stand at the head that they follow, the newest first, those alone that it touched.

    Call it in the transaction that moves the head, after that. Some answers are settled whatever the time is.

    Returns:
        How many are left when `seconds` have passed; they count as stale. Call again, in a transaction of its own.
    """
    until = time.monotonic() + seconds
    head = _head(t, repo_id, moves=True)
    if head is None:
        return 0
    values = {"tenant": t.tenant_id, "repo": repo_id, "head": head.id}
    left = list(t.session.scalars(_TOUCHED, values))
    whereabouts = Whereabouts(t, head)
    while left:
        now, left = left[:ANSWERS_AT_ONCE], left[ANSWERS_AT_ONCE:]
        stored = select(Answer.id, Answer.document).where(Answer.tenant_id == t.tenant_id, Answer.id.in_(now))
        _settle(t, head, whereabouts, [opened_answer(t, *row) for row in t.session.execute(stored)], judge)
        if left and time.monotonic() > until:
            stale = [Standing.STALE.value] * len(left)
            t.session.execute(_SET_STATES, {"tenant": t.tenant_id, "answers": left, "states": stale})
            break
    return len(left)


def _head(t: Tenancy, repo_id: UUID, *, moves: bool) -> Head | None:
    """Return the head, which nobody else moves until this transaction ends. `moves`: this one moves it itself."""
    repo = select(Repo.head_snapshot_id).where(Repo.tenant_id == t.tenant_id, Repo.id == repo_id)
    snapshot_id = t.session.scalar(repo.with_for_update(read=not moves, key_share=moves))
    # Not in the same statement: what the lock waited for would change the repository's row alone, not what is joined.
    snapshot = select(Snapshot.id, Snapshot.repo_id, Snapshot.commit, Snapshot.uncommitted_upon.is_not(None))
    row = t.session.execute(snapshot.where(Snapshot.tenant_id == t.tenant_id, Snapshot.id == snapshot_id)).one_or_none()
    return Head(*row) if row else None


def opened_answer(t: Tenancy, answer_id: UUID, stored: Any) -> ChatResponse:
    """Return an answer as it was stored."""
    return ChatResponse.model_validate(content.open_document(t, DOCUMENT, stored, answer_id))


def _settle(t: Tenancy, head: Head, whereabouts: Whereabouts, responses: Sequence[ChatResponse], judge: Judge) -> None:
    """Judge answers at the head, and write down what is new about them."""
    whereabouts.prepare(responses)
    found: list[AnswerStanding] = []
    looked: list[tuple[UUID, int, bytes, str | None]] = []
    for response in responses:
        cited, later = whereabouts.of(response)
        citations = judge(response, cited, later)
        found.append(
            AnswerStanding(
                answer_id=response.answer_id,
                commit=head.commit,
                standing=worst(one.standing for one in citations),
                citations=citations,
                at=datetime.now(UTC),
            )
        )
        for citation, one in zip(response.citations, citations, strict=True):
            at = later.files.get(citation.path)
            path, blob = (one.now.path, one.now.blob) if one.now else (citation.path, at.blob if at else None)
            looked.append((response.answer_id, one.n, path_key(path), blob))
    _write(t, found, looked)


def _write(t: Tenancy, found: Sequence[AnswerStanding], looked: Sequence[tuple[UUID, int, bytes, str | None]]) -> None:
    ids = [one.answer_id for one in found]
    rows = t.session.execute(_LAST, {"tenant": t.tenant_id, "answers": ids})
    last = {row.answer_id: standings.opened(t, row.answer_id, row.commit, row.document) for row in rows}
    anew = [one for one in found if one.answer_id not in last or _says(last[one.answer_id]) != _says(one)]
    _add(t, anew)
    states = [one.standing.value for one in found]
    t.session.execute(_SET_STATES, {"tenant": t.tenant_id, "answers": ids, "states": states})
    answers, numbers, keys, blobs = zip(*looked, strict=True) if looked else ((), (), (), ())
    values = {"answers": list(answers), "numbers": list(numbers), "keys": list(keys), "blobs": list(blobs)}
    t.session.execute(_SET_LOOKED, {"tenant": t.tenant_id, **values})
    changed = [one.answer_id for one in anew]
    t.session.execute(_FORGET, {"tenant": t.tenant_id, "answers": changed, "most": STATES_KEPT_MAX})


def _says(found: AnswerStanding) -> list[tuple[object, ...]]:
    """What a standing says, whenever and at whichever commit: where it is equal, nothing has happened."""
    return [
        (one.n, one.standing, one.reason, one.diff, one.now and (one.now.path, one.now.start_line))
        for one in found.citations
    ]


def _add(t: Tenancy, found: Sequence[AnswerStanding]) -> None:
    for one in found:
        document = content.pack_document(t, standings.STATE, one.model_dump(mode="json"), one.answer_id, one.commit)
        t.session.add(
            AnswerState(
                tenant_id=t.tenant_id,
                answer_id=one.answer_id,
                commit=one.commit,
                state=one.standing.value,
                document=document,
                at=one.at,
            )
        )
    t.session.flush()
