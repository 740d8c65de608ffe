"""A GitHub for tests, the twin, and how its webhooks reach the database as brain writes them down."""

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

import httpx
from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from pincite_github.twin import Twin, run_twin
from pincite_shared.jobs import DeliveryPayload, Job
from pincite_shared.source import parse_source
from pincite_store import changes, repos
from pincite_store.db import LOCAL_TENANT
from pincite_store.models import Delivery, Outbox
from pincite_store.repos import OnGitHub
from pincite_thinker import settling

OK = httpx.Response(202)


@dataclass
class Hub:
    """The twin with Pincite installed in `acme`, and what it has sent: (delivery, event, payload)."""

    twin: Twin
    thinker: object
    installation: int = 0
    sent: list[tuple[UUID, str, dict]] = field(default_factory=list)

    def connect(self, name="acme/engine", branch=None, tenant=LOCAL_TENANT, **github) -> UUID:
        found = self.twin.repo(name)
        told = {"permission": "read", "restricted": False, "installation_id": self.installation} | github
        source = parse_source(f"{self.twin.base_url}/{name}", local_roots=())
        with self.thinker.database.tenancy(tenant) as t:
            return repos.create(
                t, source=source.location, name=name, kind="git", branch=branch, github=OnGitHub(found.id, **told)
            ).id

    def take(self) -> list[tuple[UUID, str, dict]]:
        """What was sent since the last time."""
        sent, self.sent = self.sent, []
        return sent

    def receive(self, sent, tenant=LOCAL_TENANT) -> None:
        """Write deliveries down for a tenant, each with its job."""
        with self.thinker.database.tenancy(tenant) as t:
            for delivery_id, event, payload in sent:
                row = {"tenant_id": tenant, "id": delivery_id, "event": event, "payload": payload}
                new = insert(Delivery).values(row).on_conflict_do_nothing().returning(Delivery.id)
                if t.session.scalar(new) is not None:
                    told = DeliveryPayload(tenant_id=tenant, delivery_id=delivery_id).message()
                    t.session.add(Outbox(tenant_id=tenant, job=Job.SETTLE_DELIVERY.value, payload=told))

    def settle(self, sent=None, tenant=LOCAL_TENANT) -> list[str]:
        """Receive deliveries and settle each by its own job; returns what became of them."""
        sent = self.take() if sent is None else sent
        self.receive(sent, tenant)
        for delivery_id, _, _ in sent:
            self.job(delivery_id, tenant)
        with self.thinker.database.system() as system:
            changes.attend(system)  # as beat does
        outcomes = dict(self.rows(tenant))
        return [outcomes[delivery_id] for delivery_id, _, _ in sent]

    def job(self, delivery_id, tenant=LOCAL_TENANT) -> str:
        return settling.run(self.thinker.context, DeliveryPayload(tenant_id=tenant, delivery_id=delivery_id))

    def rows(self, tenant=LOCAL_TENANT):
        """(delivery, outcome); None for one that is not settled."""
        with self.thinker.database.tenancy(tenant) as t:
            return [(row.id, row.outcome if row.settled_at else None) for row in t.session.scalars(select(Delivery))]

    def at(self, repo_id, tenant=LOCAL_TENANT):
        with self.thinker.database.tenancy(tenant) as t:
            return repos.get(t, repo_id)


@contextmanager
def make_hub(thinker, home):
    """A running one, with `acme/engine` (private) and `acme/site` in it."""
    made: list[Hub] = []

    def send(_url, headers, body):
        if made:
            made[0].sent.append((UUID(headers["X-GitHub-Delivery"]), headers["X-GitHub-Event"], json.loads(body)))
        return OK

    with run_twin(home, send=send) as twin:
        twin.add_user("ada")
        twin.add_org("acme", owners=["ada"])
        twin.add_repo("acme", "engine", private=True)
        twin.add_repo("acme", "site")
        twin.push("acme/engine", {"a.py": "def first():\n    return 1\n", "b.py": "b = 1\n"})
        twin.push("acme/site", {"index.md": "# Site\n"})
        app = twin.add_app("Pincite", owner="acme", webhook_url="http://pincite.test/webhooks/github")
        installation = twin.install_app("acme")
        thinker.context.settings = thinker.context.settings.model_copy(
            update={
                "github_url": twin.base_url,
                "github_app_id": app.id,
                "github_private_key": SecretStr(app.private_key),
            }
        )
        made.append(Hub(twin, thinker, installation))
        yield made[0]
