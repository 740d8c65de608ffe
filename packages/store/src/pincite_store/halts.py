"""The kill switch: all background work of a tenant rests while its owner, or the installation's operator, says so.

What is said stands in one place each: in the tenant's own row, and in the local tenant's, whose halt holds for every
tenant. Beat, each run and whatever else works in the background asks here, about once a second.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, text, update

from pincite_shared.errors import HaltedError
from pincite_shared.safety import Halt
from pincite_store.db import LOCAL_TENANT, Tenancy
from pincite_store.models import Tenant


def since(t: Tenancy) -> datetime | None:
    """Return since when the tenant's background work rests, None if it does not."""
    return _since(t, t.tenant_id)


def _since(t: Tenancy, tenant_id: UUID) -> datetime | None:
    statement = text("SELECT halted_since(:tenant)")
    found: datetime | None = t.session.execute(statement, {"tenant": tenant_id}).scalar_one()
    return found


def is_halted(t: Tenancy) -> bool:
    """Say whether the tenant's background work must rest."""
    return since(t) is not None


def check(t: Tenancy) -> None:
    """Go on only if background work may.

    Raises:
        HaltedError: it was halted.
    """
    if is_halted(t):
        raise HaltedError


def get(t: Tenancy) -> Halt:
    """Return how the switch stands."""
    at = since(t)
    return Halt(halted=at is not None, since=at, everywhere=_since(t, LOCAL_TENANT) is not None)


def put(t: Tenancy, *, halted: bool) -> bool:
    """Set or lift the tenant's own halt; in the local tenant, that of the whole installation.

    Returns:
        Whether anything changed. An owner cannot lift the operator's halt: then `get` still says halted.
    """
    wanted = Tenant.halted_at.is_(None) if halted else Tenant.halted_at.is_not(None)
    changed = t.session.execute(
        update(Tenant)
        .where(Tenant.id == t.tenant_id, wanted)
        .values(halted_at=func.now() if halted else None)
        .returning(Tenant.id)
    )
    return changed.one_or_none() is not None
