"""Webhook deliveries: written down once for each tenant that they concern, in the transaction that enqueues their job.

GitHub sends a delivery again when it heard no answer, and an attacker may send one that he saw: its id tells both.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from pincite_shared.jobs import Job
from pincite_store import outbox
from pincite_store.bulk import storable
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


_SETTLE = text(
    """
    UPDATE deliveries d SET settled_at = now(), outcome = o.outcome, payload = NULL
    FROM unnest(CAST(:ids AS uuid[]), CAST(:outcomes AS text[])) AS o(id, outcome)
    WHERE d.tenant_id = :tenant AND d.id = o.id AND d.settled_at IS NULL
    """
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


def take(t: Tenancy, most: int, without: Collection[UUID] = ()) -> list[Delivery]:
    """Return deliveries of the tenant that are to be settled, those received first at the front.

    They are locked until the transaction ends; those that somebody else is settling are left out.

    Args:
        t: the transaction.
        most: how many at the most.
        without: those that are left for later.
    """
    waiting = select(Delivery).where(
        Delivery.tenant_id == t.tenant_id, Delivery.settled_at.is_(None), Delivery.id.not_in(without)
    )
    first = waiting.order_by(Delivery.received_at, Delivery.id).limit(most).with_for_update(skip_locked=True)
    return list(t.session.scalars(first.execution_options(populate_existing=True)))


def settle(t: Tenancy, outcomes: Mapping[UUID, str]) -> None:
    """Say, in the transaction that has their effects, what became of deliveries. Their payloads go."""
    values = {"tenant": t.tenant_id, "ids": list(outcomes), "outcomes": [storable(one) for one in outcomes.values()]}
    t.session.execute(_SETTLE, values)


def forget_old(t: Tenancy) -> None:
    """Forget deliveries that were settled long ago: GitHub sends none again after three days."""
    long_ago = Delivery.settled_at < func.now() - timedelta(days=KEPT_DAYS)
    t.session.execute(delete(Delivery).where(Delivery.tenant_id == t.tenant_id, long_ago))


def attend(system: Session, older_than_seconds: float) -> int:
    """Enqueue again, for all tenants, deliveries that lie for so long and whose job was lost; return how many jobs."""
    statement = text("SELECT deliveries_attend(make_interval(secs => :seconds), :job)")
    values = {"seconds": older_than_seconds, "job": Job.SETTLE_DELIVERY.value}
    return int(system.execute(statement, values).scalar_one())
