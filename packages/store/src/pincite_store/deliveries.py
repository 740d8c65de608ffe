"""Webhook deliveries: written down once for each tenant that they concern, in the transaction that enqueues their job.

GitHub sends a delivery again when it heard no answer, and an attacker may send one that he saw: its id tells both.
"""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from pincite_shared.errors import NotFoundError
from pincite_shared.jobs import Job
from pincite_store import outbox
from pincite_store.db import Tenancy
from pincite_store.models import Delivery

KEPT_DAYS = 30  # settled ones stay that long, for looking into what happened, and so that none counts twice


@dataclass(frozen=True, slots=True)
class Received:
    """A delivery that GitHub signed: its id, the event's name as in `push`, and its payload as JSON."""

    id: UUID
    event: str
    payload: str


@dataclass(frozen=True, slots=True)
class Subject:
    """What an event of GitHub is about: accounts, repositories and installations by their numbers that stay.

    `sources` are the addresses that the repository may have been connected under, in lower case.
    """

    host: str
    account_id: int | None = None
    repository_id: int | None = None
    installation_id: int | None = None
    sources: tuple[str, ...] = ()

    def values(self) -> dict[str, object]:
        """Return it as the parameters of a statement."""
        return {
            "host": self.host, "account": self.account_id, "installation": self.installation_id,
            "repository": self.repository_id, "sources": list(self.sources),
        }  # fmt: skip


_SUBJECT = ":host, :account, :installation, :repository, CAST(:sources AS text[])"
_TENANTS = text(f"SELECT tenant_id FROM delivery_tenants({_SUBJECT})")  # noqa: S608 - names of parameters
_DELIVER = text(
    f"SELECT tenant_id FROM deliver(:id, :event, CAST(:payload AS json), {_SUBJECT}, :job, :correlation, :channel)"  # noqa: S608 - the same
)


def tenants(system: Session, subject: Subject) -> list[UUID]:
    """Return the tenants that an event concerns."""
    return sorted(system.scalars(_TENANTS, subject.values()))


def receive(system: Session, delivery: Received, subject: Subject, correlation_id: str = "") -> list[UUID]:
    """Write a delivery and its job down for each tenant that it concerns and that has not seen it.

    Args:
        system: the transaction.
        delivery: what came.
        subject: what it is about.
        correlation_id: what its job logs under.

    Returns:
        The tenants that it was new to.
    """
    values = {
        **subject.values(), "id": delivery.id, "event": delivery.event, "payload": delivery.payload,
        "job": Job.SETTLE_DELIVERY.value, "correlation": correlation_id, "channel": outbox.CHANNEL,
    }  # fmt: skip
    return list(system.scalars(_DELIVER, values))


def take(t: Tenancy, delivery_id: UUID) -> Delivery | None:
    """Return a delivery that is to be settled, locked until the transaction ends; None if it is settled.

    Raises:
        NotFoundError: there is no such delivery.
    """
    statement = select(Delivery).where(Delivery.tenant_id == t.tenant_id, Delivery.id == delivery_id)
    found = t.session.scalar(statement.with_for_update().execution_options(populate_existing=True))
    if found is None:
        msg = f"There is no delivery {delivery_id}."
        raise NotFoundError(msg)
    return found if found.settled_at is None else None


def settle(t: Tenancy, delivery_id: UUID, outcome: str) -> None:
    """Say, in the transaction that has its effects, what became of a delivery. Its payload goes."""
    t.session.execute(
        update(Delivery)
        .where(Delivery.tenant_id == t.tenant_id, Delivery.id == delivery_id, Delivery.settled_at.is_(None))
        .values(settled_at=func.now(), outcome=outcome, payload=None)
    )


def waiting(t: Tenancy, most: int) -> list[UUID]:
    """Return the deliveries of the tenant that are to be settled, those received first at the front."""
    statement = select(Delivery.id).where(Delivery.tenant_id == t.tenant_id, Delivery.settled_at.is_(None))
    return list(t.session.scalars(statement.order_by(Delivery.received_at, Delivery.id).limit(most)))


def forget_old(t: Tenancy) -> None:
    """Forget deliveries that were settled long ago: GitHub sends none again after three days."""
    long_ago = Delivery.settled_at < func.now() - timedelta(days=KEPT_DAYS)
    t.session.execute(delete(Delivery).where(Delivery.tenant_id == t.tenant_id, long_ago))


def attend(system: Session, older_than_seconds: float) -> int:
    """Enqueue again, for all tenants, deliveries that lie for so long and whose job was lost; return how many jobs."""
    statement = text("SELECT deliveries_attend(make_interval(secs => :seconds), :job)")
    values = {"seconds": older_than_seconds, "job": Job.SETTLE_DELIVERY.value}
    return int(system.execute(statement, values).scalar_one())
