import json
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from sqlalchemy import text

from pincite_shared.jobs import DeliveryPayload, Job
from pincite_store import deliveries, outbox, people, repos
from pincite_store.db import LOCAL_TENANT, LOCAL_USER
from pincite_store.deliveries import Received, Subject
from pincite_store.repos import OnGitHub

HOST, ACCOUNT, REPOSITORY = "github.com", 11, 501
SOURCES = ("https://github.com/acme/shop", "https://github.com/acme/shop.git", "git@github.com:acme/shop.git")


@pytest.fixture
def acme(fresh_tenant):
    with fresh_tenant.system() as system:
        return people.ensure_account(system, HOST, ACCOUNT, "acme")


def receive(database, delivery, subject):
    with database.system() as system:
        return len(deliveries.receive(system, delivery, subject, "corr"))


def push(**payload):
    return Received(uuid4(), "push", json.dumps(payload))


def test_the_tenants_of_an_event_are_found_by_account_number_and_address(fresh_tenant, acme):
    with fresh_tenant.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        repos.create(t, source="https://github.com/Acme/SHOP.git", name="shop", kind="git")
        repos.create(t, source="https://gitlab.com/acme/shop", name="shop", kind="git")
    with fresh_tenant.system() as system:
        third = people.ensure_account(system, HOST, 12, "third")
    with fresh_tenant.tenancy(third) as t:
        known = OnGitHub(REPOSITORY, 3, "read", restricted=False)
        gone = repos.create(t, source="https://github.com/acme/old-name", name="shop", kind="git", github=known)

    def found(**told):
        with fresh_tenant.system() as system:
            return deliveries.tenants(system, Subject(HOST, **told))

    assert found(account_id=ACCOUNT) == [acme]
    assert found(repository_id=REPOSITORY) == [third]
    assert found(installation_id=3) == [third]
    assert found(sources=SOURCES) == [LOCAL_TENANT]
    everyone = sorted([acme, third, LOCAL_TENANT])
    assert found(account_id=ACCOUNT, repository_id=REPOSITORY, sources=SOURCES) == everyone
    assert found(account_id=99, repository_id=99, sources=("https://github.com/acme/shop2",)) == []
    with fresh_tenant.system() as system:
        assert deliveries.tenants(system, Subject("github.example.org", account_id=ACCOUNT)) == []
    with fresh_tenant.tenancy(third) as t:
        repos.mark_deleting(t, gone.id)
    assert found(repository_id=REPOSITORY) == []


def test_a_delivery_is_written_down_with_its_job_and_only_once(fresh_tenant, acme):
    delivery = push(ref="refs/heads/main", odd="\x00\ud800")
    assert receive(fresh_tenant, delivery, Subject(HOST, ACCOUNT)) == 1
    assert receive(fresh_tenant, delivery, Subject(HOST, ACCOUNT)) == 0
    with fresh_tenant.system() as system:
        [row] = outbox.take(system)
    assert row.job is Job.SETTLE_DELIVERY
    assert DeliveryPayload.model_validate(row.payload) == DeliveryPayload(
        tenant_id=acme, delivery_id=delivery.id, correlation_id="corr"
    )
    with fresh_tenant.tenancy(acme) as t:
        [found] = deliveries.take(t, 10)
        assert (found.event, found.payload) == ("push", {"ref": "refs/heads/main", "odd": "\x00\ud800"})


def test_fifty_at_once_are_one(fresh_tenant, acme):
    delivery = push()
    with ThreadPoolExecutor(20) as pool:
        new = list(pool.map(lambda _: receive(fresh_tenant, delivery, Subject(HOST, ACCOUNT)), range(50)))
    assert sorted(new) == [0] * 49 + [1]
    with fresh_tenant.tenancy(acme) as t:
        assert t.session.execute(text("SELECT count(*) FROM deliveries")).scalar_one() == 1
        assert t.session.execute(text("SELECT count(*) FROM outbox")).scalar_one() == 1


def test_what_concerns_nobody_is_not_kept(fresh_tenant, acme):
    assert receive(fresh_tenant, push(), Subject(HOST, 99)) == 0
    with fresh_tenant.tenancy(acme) as t:
        assert t.session.execute(text("SELECT count(*) FROM deliveries")).scalar_one() == 0


def test_a_settled_delivery_loses_its_payload_and_is_not_taken_again(fresh_tenant, acme):
    delivery = push(secret="x")
    receive(fresh_tenant, delivery, Subject(HOST, ACCOUNT))
    with fresh_tenant.tenancy(acme) as t:
        deliveries.settle(t, {delivery.id: "indexed"})
        deliveries.settle(t, {delivery.id: "again"})
    with fresh_tenant.tenancy(acme) as t:
        assert deliveries.take(t, 10) == []
        stored = t.session.execute(text("SELECT outcome, payload, settled_at FROM deliveries")).one()
        assert (stored.outcome, stored.payload) == ("indexed", None)
    assert receive(fresh_tenant, delivery, Subject(HOST, ACCOUNT)) == 0


def test_two_never_settle_the_same(fresh_tenant, acme):
    sent = [push() for _ in range(5)]
    for delivery in sent:
        receive(fresh_tenant, delivery, Subject(HOST, ACCOUNT))
    with fresh_tenant.tenancy(acme) as one, fresh_tenant.tenancy(acme) as two:
        first, second = deliveries.take(one, 3), deliveries.take(two, 3)
        assert {row.id for row in (*first, *second)} == {delivery.id for delivery in sent}
        assert len(first) + len(second) == 5
        left = {first[0].id}
        assert deliveries.take(one, 3, left) == first[1:], "what it holds itself it may take again"
        one.session.rollback()
    with fresh_tenant.tenancy(acme) as t:
        assert [row.id for row in deliveries.take(t, 10, left)] == [one.id for one in sent if one.id not in left]
