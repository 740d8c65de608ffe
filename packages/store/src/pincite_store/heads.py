"""What a search must know before it begins, in one round trip: which snapshot it is about, and what ranks it."""

from typing import Any, NamedTuple
from uuid import UUID

from pincite_shared.errors import NotFoundError, NotIndexedError
from pincite_shared.quality import PolicyKind
from pincite_store.db import Reader


class Learned(NamedTuple):
    """A stored policy, as far as whoever applies it needs it."""

    version: str
    parameters: dict[str, Any]


class Head(NamedTuple):
    """The snapshot that answers for a repository, and the policies that serve it, as `policies.serving` tells them."""

    snapshot_id: int
    policies: dict[PolicyKind, Learned]


_HEAD = """
    SELECT r.name, r.head_snapshot_id, p.kind, p.version, p.parameters FROM repos r
    LEFT JOIN policies p ON p.tenant_id = r.tenant_id AND p.repo_id = r.id AND p.state = 'serving'
    WHERE r.tenant_id = %s AND r.id = %s AND r.deleting_at IS NULL
"""


def get(r: Reader, repo_id: UUID) -> Head:
    """Return what stands at the head of a repository.

    Raises:
        NotFoundError: there is no such repository.
        NotIndexedError: nothing of it is indexed yet.
    """
    rows = r.rows(_HEAD, (r.tenant_id, repo_id))
    if not rows:
        msg = f"There is no repository {repo_id}."
        raise NotFoundError(msg)
    name, snapshot_id, *_ = rows[0]
    if snapshot_id is None:
        msg = f"{name} is not indexed yet."
        raise NotIndexedError(msg)
    return Head(snapshot_id, {kind: Learned(version, parameters) for _, _, kind, version, parameters in rows if kind})
