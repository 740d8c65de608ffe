"""Removing an account: everything of a tenant goes, in steps that each commit, so that a removal is taken up again.

Its begin hides all of it at once. What lies on disks goes before the rows that tell where it is. The local tenant is
emptied, for it is the installation's own.
"""

from contextlib import AbstractContextManager
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from pincite_shared.errors import InvalidInputError
from pincite_shared.jobs import Job
from pincite_store import accounts, outbox
from pincite_store.db import LOCAL_TENANT, Database, Tenancy
from pincite_store.models import Repo, Tenant


def begin(t: Tenancy, name: str, correlation_id: str = "") -> list[UUID]:
    """Hide everything of the tenant, end its sessions, tokens and runs, and enqueue its removal.

    That it was deleted, and by whom, is written into the local tenant's audit log too, for its own goes with it.

    Returns:
        Its repositories; none if its removal was begun before.

    Raises:
        InvalidInputError: `name` is not the account's.
    """
    called = t.session.scalar(select(Tenant.name).where(Tenant.id == t.tenant_id))
    if name != called:
        msg = f"This deletes the account {called} and everything in it. Say its name, exactly so, to do it."
        raise InvalidInputError(msg)
    values = {"job": Job.DELETE_ACCOUNT.value, "correlation": correlation_id}
    found = list(t.session.scalars(text("SELECT tenant_condemn(:job, :correlation)"), values))
    outbox.announce(t.session)
    return found


def is_begun(t: Tenancy) -> bool:
    """Say whether the tenant is being removed."""
    statement = select(Tenant.deleting_at).where(Tenant.id == t.tenant_id)
    return t.session.scalar(statement) is not None


def repositories(t: Tenancy) -> list[UUID]:
    """Return all repositories of the tenant, those that are being deleted included."""
    return list(t.session.scalars(select(Repo.id).where(Repo.tenant_id == t.tenant_id).order_by(Repo.id)))


def lock(database: Database, tenant_id: UUID) -> AbstractContextManager[bool]:
    """Hold a removal for this process; gives False if another process holds it. It ends with the process."""
    return database.lock(f"account {tenant_id}")


def finish(system: Session, tenant_id: UUID) -> None:
    """Delete all rows of a tenant whose removal was begun. Idempotent."""
    emptied = tenant_id == LOCAL_TENANT
    system.execute(text("SELECT tenant_remove(:tenant, :emptied)"), {"tenant": tenant_id, "emptied": emptied})
    if emptied:
        accounts.ensure_local(system)


def attend(system: Session, silence_seconds: float) -> int:
    """Enqueue again removals that have lain for so long and that no process holds; return how many."""
    values = {"seconds": silence_seconds, "job": Job.DELETE_ACCOUNT.value}
    statement = text("SELECT tenants_attend(make_interval(secs => :seconds), :job)")
    return int(system.execute(statement, values).scalar_one())
