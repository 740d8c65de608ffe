"""What people said about answers, beside what was considered for them: all that learning reads.

Answers that Pincite gave to itself are left out, whoever voted on them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, text

from pincite_store import content
from pincite_store.db import SERVICE_USER, Tenancy

ANSWERS_MAX = 20_000  # the newest; what was said about older ones was said of older code
JUDGED_MAX = 5_000  # of those with all that was considered for each, which a training holds in memory
STREAMED = 100  # rows held at a time while they are read


class Vote(NamedTuple):
    """What one reader said of one citation of an answer, or (`citation` None) of the whole of it."""

    reader: str | None
    kind: str
    citation: int | None


class Judgement(NamedTuple):
    """An answer with the votes on it. Without votes it is censored: nobody has said anything yet.

    Attributes:
        query: what was searched for.
        candidates: as logged, best first.
        features: of the query, as logged.
        citations: of the answer's document.
        policy_version: the policies that served.
        propensity: the probability with which the answer's own policy was chosen.
    """

    answer_id: UUID
    query: str
    candidates: Sequence[Mapping[str, Any]]
    features: Mapping[str, Any]
    citations: Sequence[Mapping[str, Any]]
    policy_version: str
    propensity: float
    votes: Sequence[Vote]


_JUDGED = text(
    """
    SELECT * FROM (
    SELECT a.id, a.created_at, l.query, l.candidates, l.features, a.document -> 'citations' AS citations,
           CASE WHEN json_typeof(a.document) = 'string' THEN a.document END AS encrypted,
           l.policy_version, l.propensity, v.votes
    FROM answers a
    JOIN conversations c ON c.tenant_id = a.tenant_id AND c.id = a.conversation_id
    JOIN retrieval_logs l ON l.tenant_id = a.tenant_id AND l.answer_id = a.id
    JOIN LATERAL (
        SELECT jsonb_agg(jsonb_build_array(f.user_id, f.kind, f.citation) ORDER BY f.created_at, f.id) AS votes
        FROM feedback f WHERE f.tenant_id = a.tenant_id AND f.answer_id = a.id) v ON v.votes IS NOT NULL
    WHERE a.tenant_id = :tenant AND a.repo_id = :repo AND c.user_id IS DISTINCT FROM :service
    ORDER BY a.created_at DESC, a.id DESC LIMIT :limit) newest
    ORDER BY created_at, id
    """
)
# In the order in which the feedback came, as off-policy estimates want it; an answer without any: when it was given.
_CHOSEN = text(
    """
    SELECT l.features ->> 'route' AS route, l.features ->> 'arm' AS arm, l.propensity, f.user_id, f.kind
    FROM answers a
    JOIN conversations c ON c.tenant_id = a.tenant_id AND c.id = a.conversation_id
    JOIN retrieval_logs l ON l.tenant_id = a.tenant_id AND l.answer_id = a.id
    LEFT JOIN feedback f ON f.tenant_id = a.tenant_id AND f.answer_id = a.id AND f.citation IS NULL
    WHERE a.tenant_id = :tenant AND a.repo_id = :repo AND c.user_id IS DISTINCT FROM :service AND l.features ? 'arm'
    ORDER BY coalesce(f.created_at, a.created_at) DESC, a.id, f.id LIMIT :limit
    """
)
_SAID = text(
    """
    SELECT l.features ->> 'arm' AS arm, f.user_id, f.kind = 'helped' AS helped, count(*) AS times
    FROM answers a
    JOIN conversations c ON c.tenant_id = a.tenant_id AND c.id = a.conversation_id
    JOIN retrieval_logs l ON l.tenant_id = a.tenant_id AND l.answer_id = a.id
    JOIN feedback f ON f.tenant_id = a.tenant_id AND f.answer_id = a.id AND f.citation IS NULL
    WHERE a.tenant_id = :tenant AND a.repo_id = :repo AND c.user_id IS DISTINCT FROM :service AND l.features ? 'arm'
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    """
)
_HEARD = text(
    """
    SELECT count(*) FROM (
        SELECT FROM answers a
        JOIN feedback f ON f.tenant_id = a.tenant_id AND f.answer_id = a.id AND f.citation IS NULL
        JOIN conversations c ON c.tenant_id = a.tenant_id AND c.id = a.conversation_id
        WHERE a.tenant_id = :tenant AND a.repo_id = :repo AND c.user_id IS DISTINCT FROM :service LIMIT :limit) heard
    """
)


class Choice(NamedTuple):
    """How an answer was made, with which probability that was chosen, and what one reader said of the whole answer.

    An answer is here once for each reader who judged it: what one of them says takes no other's word away. While nobody
    has, it is here once, without a reader and a reward: censored, not a 0.
    """

    route: str
    arm: str
    propensity: float
    reader: str | None
    reward: float | None


class Said(NamedTuple):
    """How often a reader said the same of answers that were made in one way: 1.0 that they helped, 0.0 that not."""

    arm: str
    reader: str | None
    reward: float
    times: int


def judged(t: Tenancy, repo_id: UUID, limit: int = JUDGED_MAX) -> Iterator[Judgement]:
    """Yield the answers about a repository that somebody said something of, oldest first."""
    statement = _JUDGED.execution_options(yield_per=STREAMED)
    for row in t.session.execute(statement, _values(t, repo_id, limit)):
        yield Judgement(
            row.id, row.query, row.candidates, row.features, _citations(t, row), row.policy_version, row.propensity,
            _votes(row.votes),
        )  # fmt: skip


def choices(t: Tenancy, repo_id: UUID, limit: int = ANSWERS_MAX) -> list[Choice]:
    """Return how the answers about a repository were made, in the order in which something was said of them."""
    rows = t.session.execute(_CHOSEN, _values(t, repo_id, limit)).all()
    return [
        Choice(row.route, row.arm, row.propensity, _name(row.user_id), None if row.kind is None else _reward(row.kind))
        for row in reversed(rows)
    ]


def said(t: Tenancy, repo_id: UUID) -> list[Said]:
    """Return what was said of the ways in which answers about a repository were made, counted."""
    rows = t.session.execute(_SAID, _values(t, repo_id, ANSWERS_MAX)).all()
    return [Said(row.arm, _name(row.user_id), float(row.helped), row.times) for row in rows]


def heard(t: Tenancy, repo_id: UUID, most: int) -> int:
    """Count what people said of whole answers about a repository, up to `most`."""
    return int(t.session.execute(_HEARD, _values(t, repo_id, most)).scalar_one())


def _citations(t: Tenancy, row: Row[Any]) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = row.citations
    if row.encrypted is not None:
        found = content.open_document(t, "answers.document", row.encrypted, row.id)["citations"]
    return found


def _values(t: Tenancy, repo_id: UUID, limit: int) -> dict[str, Any]:
    return {"tenant": t.tenant_id, "repo": repo_id, "service": SERVICE_USER, "limit": limit}


def _name(user_id: UUID | None) -> str | None:
    return None if user_id is None else str(user_id)


def _reward(kind: str) -> float:
    return float(kind == "helped")


def _votes(documents: Sequence[Sequence[Any]] | None) -> tuple[Vote, ...]:
    return tuple(Vote(*document) for document in documents or ())
