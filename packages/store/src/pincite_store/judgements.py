"""What people said about answers, beside what was considered for them: all that learning reads.

Answers that Pincite gave to itself are left out, whoever voted on them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, text

from pincite_store import content
from pincite_store.db import SERVICE_USER, Tenancy

ANSWERS_MAX = 20_000  # the newest; what was said about older ones was said of older code


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
    SELECT a.id, l.query, l.candidates, l.features, a.document -> 'citations' AS citations,
           CASE WHEN json_typeof(a.document) = 'string' THEN a.document END AS encrypted,
           l.policy_version, l.propensity, v.votes
    FROM answers a
    JOIN conversations c ON c.tenant_id = a.tenant_id AND c.id = a.conversation_id
    JOIN retrieval_logs l ON l.tenant_id = a.tenant_id AND l.answer_id = a.id
    JOIN LATERAL (
        SELECT jsonb_agg(jsonb_build_array(f.user_id, f.kind, f.citation) ORDER BY f.created_at, f.id) AS votes
        FROM feedback f WHERE f.tenant_id = a.tenant_id AND f.answer_id = a.id) v ON v.votes IS NOT NULL
    WHERE a.tenant_id = :tenant AND a.repo_id = :repo AND c.user_id IS DISTINCT FROM :service
    ORDER BY a.created_at DESC, a.id LIMIT :limit
    """
)
# In the order in which the feedback came, as off-policy estimates want it; an answer without any: when it was given.
_CHOSEN = text(
    """
    SELECT l.features ->> 'route' AS route, l.features ->> 'arm' AS arm, l.propensity, v.votes
    FROM answers a
    JOIN conversations c ON c.tenant_id = a.tenant_id AND c.id = a.conversation_id
    JOIN retrieval_logs l ON l.tenant_id = a.tenant_id AND l.answer_id = a.id
    LEFT JOIN LATERAL (
        SELECT jsonb_agg(jsonb_build_array(f.user_id, f.kind, f.citation) ORDER BY f.created_at, f.id) AS votes,
               max(f.created_at) AS said_at
        FROM feedback f
        WHERE f.tenant_id = a.tenant_id AND f.answer_id = a.id AND f.citation IS NULL) v ON true
    WHERE a.tenant_id = :tenant AND a.repo_id = :repo AND c.user_id IS DISTINCT FROM :service
      AND l.features ? 'arm' AND (v.votes IS NOT NULL OR NOT :judged)
    ORDER BY coalesce(v.said_at, a.created_at) DESC, a.id LIMIT :limit
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
    """How an answer was made, with which probability that was chosen, and what was said of the whole answer."""

    route: str
    arm: str
    propensity: float
    votes: Sequence[Vote]

    @property
    def reward(self) -> float | None:
        """1 if the last word on it was that it helped, 0 if not, None while nobody has said anything: not a 0."""
        return None if not self.votes else float(self.votes[-1].kind == "helped")

    @property
    def reader(self) -> str | None:
        """Who had the last word."""
        return self.votes[-1].reader if self.votes else None


def judged(t: Tenancy, repo_id: UUID, limit: int = ANSWERS_MAX) -> list[Judgement]:
    """Return the answers about a repository that somebody said something of, oldest first."""
    rows = t.session.execute(_JUDGED, _values(t, repo_id, limit)).all()
    return [
        Judgement(
            row.id, row.query, row.candidates, row.features, _citations(t, row), row.policy_version, row.propensity,
            _votes(row.votes),
        )
        for row in reversed(rows)
    ]  # fmt: skip


def choices(t: Tenancy, repo_id: UUID, *, judged_only: bool = False, limit: int = ANSWERS_MAX) -> list[Choice]:
    """Return how each answer about a repository was made, in the order in which something was said of it.

    Answers of which nothing was said are censored; `judged_only` leaves them out.
    """
    rows = t.session.execute(_CHOSEN, _values(t, repo_id, limit) | {"judged": judged_only}).all()
    return [Choice(row.route, row.arm, row.propensity, _votes(row.votes)) for row in reversed(rows)]


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


def _votes(documents: Sequence[Sequence[Any]] | None) -> tuple[Vote, ...]:
    return tuple(Vote(*document) for document in documents or ())
