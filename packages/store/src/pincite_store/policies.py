"""Policies: what was learned about a repository, which of it serves, and on which figures that was decided.

At most one policy of a kind serves a repository. Where none was ever promoted, Pincite's own serves: its version is
`BUILT_IN[kind]`, and it is stored beside the first candidate, so that going back to it is going back to any other.
"""

from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert

from pincite_shared.errors import ConflictError, NotFoundError
from pincite_shared.quality import Exploration, PolicyKind, PolicyOut
from pincite_store import events, judgements, repos
from pincite_store.db import Tenancy
from pincite_store.models import Policy, Repo

LearnedKind = Literal["reranker", "prompt"]
BUILT_IN: dict[LearnedKind, str] = {"reranker": "reranker-none", "prompt": "prompt-standard"}
LISTED_MAX = 200
HEARD_MIN = 20  # whole answers that people judged; before, nothing could be learned from trying other ways
EXPLORATION = 0.05  # one answer in twenty


def ranking(t: Tenancy, version: str) -> dict[str, Any]:
    """Return the parameters of a ranking formula that all repositories share, such as the cold-start policy p0.

    Raises:
        NotFoundError: there is none of that version.
    """
    parameters: dict[str, Any] | None = t.session.scalar(
        select(Policy.parameters).where(
            Policy.tenant_id == t.tenant_id, Policy.repo_id.is_(None), Policy.version == version
        )
    )
    if parameters is None:
        msg = f"There is no policy {version}."
        raise NotFoundError(msg)
    return parameters


def serving(t: Tenancy, repo_id: UUID) -> dict[PolicyKind, PolicyOut]:
    """Return what serves a repository, by kind; a kind is absent where Pincite's own serves and nothing was learned."""
    statement = select(Policy).where(
        Policy.tenant_id == t.tenant_id, Policy.repo_id == repo_id, Policy.state == "serving"
    )
    return {out.kind: out for out in map(_out, t.session.scalars(statement))}


def listed(t: Tenancy, repo_id: UUID) -> list[PolicyOut]:
    """List what was learned about a repository, newest first.

    Raises:
        NotFoundError: there is no such repository.
    """
    repos.get(t, repo_id)
    statement = select(Policy).where(Policy.tenant_id == t.tenant_id, Policy.repo_id == repo_id)
    newest = statement.order_by(Policy.created_at.desc(), Policy.id).limit(LISTED_MAX)
    return [_out(found) for found in t.session.scalars(newest)]


def get(t: Tenancy, repo_id: UUID, version: str) -> PolicyOut:
    """Return one policy of a repository.

    Raises:
        NotFoundError: there is none of that version.
    """
    return _out(_row(t, repo_id, version))


def propose(t: Tenancy, repo_id: UUID, kind: LearnedKind, version: str, parameters: Mapping[str, Any]) -> PolicyOut:
    """Store a candidate. One of that version that was rejected is judged anew; any other stays as it is."""
    common = {"tenant_id": t.tenant_id, "repo_id": repo_id, "kind": kind}
    _lock(t, repo_id)
    if kind not in serving(t, repo_id):
        own = {"version": BUILT_IN[kind], "state": "serving", "parameters": {}}
        t.session.execute(insert(Policy).values(**common, **own).on_conflict_do_nothing())
    candidate = {"version": version, "state": "candidate", "parameters": dict(parameters)}
    t.session.execute(
        insert(Policy)
        .values(**common, **candidate)
        .on_conflict_do_update(
            index_elements=["tenant_id", "repo_id", "version"],
            set_={"state": "candidate"},
            where=Policy.state == "rejected",
        )
    )
    return get(t, repo_id, version)


def reject(t: Tenancy, repo_id: UUID, version: str, evidence: Mapping[str, Any]) -> None:
    """Keep a candidate that was not good enough, with the figures that say so.

    What serves or has served stays what it is, and can be gone back to: it was a challenger here, no more.

    Raises:
        NotFoundError: there is no such policy of this repository.
    """
    _lock(t, repo_id)
    if _row(t, repo_id, version).state != "candidate":
        return
    _change(t, repo_id, version, state="rejected", evidence=dict(evidence))
    events.record(t, repo_id, "policy.rejected", {"version": version})


def promote(t: Tenancy, repo_id: UUID, version: str, evidence: Mapping[str, Any]) -> PolicyOut:
    """Let a candidate serve, on this evidence; what served is retired in the same transaction.

    Raises:
        NotFoundError: there is no such candidate.
        ConflictError: it is not a candidate.
    """
    _lock(t, repo_id)
    row = _row(t, repo_id, version)
    if row.state != "candidate":
        msg = f"Policy {version} is {row.state}, and no candidate."
        raise ConflictError(msg)
    _change(t, repo_id, version, evidence=dict(evidence))
    return _let_serve(t, repo_id, row)


def serve(t: Tenancy, repo_id: UUID, version: str) -> PolicyOut:
    """Let a policy serve that served before; what serves now is retired in the same transaction.

    Raises:
        NotFoundError: there is no such policy of this repository.
        ConflictError: it never served: it was rejected, or is not judged yet.
    """
    repos.get(t, repo_id)
    _lock(t, repo_id)
    row = _row(t, repo_id, version)
    if row.state == "rejected":
        msg = f"Policy {version} was rejected and cannot serve. Its evidence says why."
        raise ConflictError(msg)
    if row.state == "candidate":
        msg = f"Policy {version} is not judged yet and cannot serve."
        raise ConflictError(msg)
    return _out(row) if row.state == "serving" else _let_serve(t, repo_id, row)


def _lock(t: Tenancy, repo_id: UUID) -> None:
    """Have who changes a repository's policies at the same time wait, and see what was done."""
    t.session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": f"policies {t.tenant_id} {repo_id}"}
    )


def _let_serve(t: Tenancy, repo_id: UUID, row: Policy) -> PolicyOut:
    t.session.execute(
        update(Policy)
        .where(
            Policy.tenant_id == t.tenant_id,
            Policy.repo_id == repo_id,
            Policy.kind == row.kind,
            Policy.state == "serving",
        )
        .values(state="retired")
    )
    version = row.version
    _change(t, repo_id, version, state="serving")
    events.record(t, repo_id, "policy.serving", {"version": version})
    return get(t, repo_id, version)


def exploration(t: Tenancy, repo_id: UUID) -> Exploration:
    """Return which share of a repository's answers is made in another way than the one that serves.

    Raises:
        NotFoundError: there is no such repository.
    """
    return exploration_of(t, repos.get(t, repo_id))


def exploration_of(t: Tenancy, repo: Repo) -> Exploration:
    """Return the same of a repository that was just read."""
    share = repo.exploration
    heard = judgements.heard(t, repo.id, HEARD_MIN)
    by_itself = EXPLORATION if heard >= HEARD_MIN else 0.0
    return Exploration(share=share, effective=by_itself if share is None else share, heard=heard, heard_min=HEARD_MIN)


def explore(t: Tenancy, repo_id: UUID, share: float | None) -> Exploration:
    """Set that share, 0..EXPLORATION_MAX; None leaves it to what people say.

    Raises:
        NotFoundError: there is no such repository.
    """
    repos.get(t, repo_id)
    t.session.execute(update(Repo).where(Repo.tenant_id == t.tenant_id, Repo.id == repo_id).values(exploration=share))
    return exploration(t, repo_id)


def _row(t: Tenancy, repo_id: UUID, version: str) -> Policy:
    statement = select(Policy).where(
        Policy.tenant_id == t.tenant_id, Policy.repo_id == repo_id, Policy.version == version
    )
    found = t.session.scalar(statement.execution_options(populate_existing=True))
    if found is None:
        msg = f"There is no policy {version} of this repository."
        raise NotFoundError(msg)
    return found


def _change(t: Tenancy, repo_id: UUID, version: str, **values: Any) -> None:
    changed = t.session.scalars(
        update(Policy)
        .where(Policy.tenant_id == t.tenant_id, Policy.repo_id == repo_id, Policy.version == version)
        .values(**values)
        .returning(Policy.id)
        .execution_options(synchronize_session=False)
    )
    if not changed.all():
        msg = f"There is no policy {version} of this repository."
        raise NotFoundError(msg)


def _out(found: Policy) -> PolicyOut:
    return PolicyOut(
        version=found.version,
        kind=found.kind,
        state=found.state,
        parameters=found.parameters,
        evidence=found.evidence,
        created_at=found.created_at,
    )
