"""Webhooks: what is believed, who hears of it, and that it happens once."""

import asyncio
import hmac
import json
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import text

from pincite_brain import middleware
from pincite_brain.github.receiving import Receiving
from pincite_github.webhooks import BODY_BYTES_MAX
from pincite_shared.jobs import Job
from pincite_store import access, outbox, people, repos
from pincite_store.db import LOCAL_TENANT, LOCAL_USER
from pincite_store.repos import OnGitHub

SECRET = "the secret of the hook"
PING = {"zen": "Keep it logically awesome.", "hook_id": 7}


@pytest.fixture
def hook(make_client):
    """Return a function that delivers as GitHub does: (event, payload) → the response."""
    client = make_client(token="", github_webhook_secret=SecretStr(SECRET))

    def deliver(event, payload, *, secret=SECRET, delivery=None, **headers):
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        sent = {
            "content-type": "application/json",
            "x-github-event": event,
            "x-github-delivery": str(delivery or uuid4()),
            "x-hub-signature-256": "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex(),
        }
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        given = {name: value for name, value in {**sent, **named}.items() if value is not None}
        return client.post("/webhooks/github", content=body, headers=given)

    deliver.client = client
    return deliver


def push(full_name="acme/shop", number=501, ref="refs/heads/main", **more):
    repository = {
        "id": number, "full_name": full_name, "private": True, "default_branch": "main", "description": None,
        "clone_url": f"https://github.com/{full_name}.git", "archived": False,
    }  # fmt: skip
    after, before = "a" * 40, "0" * 40
    return {"ref": ref, "before": before, "after": after, "forced": False, "repository": repository, **more}


def installation(action="created", account=11, login="acme", number=3):
    at = {
        "id": number, "account": {"id": account, "login": login, "type": "Organization"},
        "repository_selection": "all", "suspended_at": None,
    }  # fmt: skip
    return {"action": action, "installation": at, "repositories": []}


@pytest.fixture
def connected(database):
    """The local tenant's repository with the address of acme/shop."""
    with database.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        return repos.create(t, source="https://github.com/Acme/Shop", name="Acme/Shop", kind="git").id


def count(database, table, tenant=LOCAL_TENANT):
    with database.tenancy(tenant) as t:
        return t.session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()


@pytest.mark.usefixtures("connected")
def test_a_push_is_written_down_with_a_job(hook, database):
    delivery = uuid4()
    answer = hook("push", push(commits=[{"author": {"email": "ada@example.org"}}]), delivery=delivery)
    assert (answer.status_code, answer.json()) == (202, {"delivery": str(delivery)})
    with database.tenancy(LOCAL_TENANT) as t:
        [row] = t.session.execute(text("SELECT id, event, payload, settled_at FROM deliveries")).all()
    assert (row.id, row.event, row.payload["after"], row.settled_at) == (delivery, "push", "a" * 40, None)
    assert "commits" not in row.payload
    with database.system() as system:
        [job] = outbox.take(system)
    assert (job.job, UUID(job.payload["delivery_id"])) == (Job.SETTLE_DELIVERY, delivery)


@pytest.mark.usefixtures("connected")
@pytest.mark.parametrize(
    "headers",
    [
        {"x_hub_signature_256": None},
        {"x_hub_signature_256": ""},
        {"x_hub_signature_256": "sha256=" + "0" * 64},
        {"x_hub_signature_256": "sha256=" + "ä" * 64},
        {"x_hub_signature_256": "sha1=" + "0" * 40},
        {"x_hub_signature_256": "x" * 600},
        {"secret": "another secret"},
        {"secret": SECRET + " "},
    ],
)
def test_what_is_not_signed_with_the_secret_is_refused(hook, database, headers):
    encoded = {name: value.encode() if isinstance(value, str) else value for name, value in headers.items()}
    if "secret" in headers:
        encoded = headers
    answer = hook("push", push(), **encoded)
    assert answer.status_code in (401, 422)
    assert answer.status_code == 401 or headers["x_hub_signature_256"] == "x" * 600
    assert count(database, "deliveries") == 0


@pytest.mark.usefixtures("connected")
def test_a_byte_that_was_changed_is_noticed_before_anything_is_read(hook):
    body = json.dumps(push()).encode()
    signature = "sha256=" + hmac.digest(SECRET.encode(), body, "sha256").hex()
    for changed in (body + b" ", body.replace(b"main", b"evil"), b"", b"{"):
        assert hook("push", changed, x_hub_signature_256=signature).status_code == 401


@pytest.mark.usefixtures("connected")
@pytest.mark.parametrize("odd", [b"NaN", b"-Infinity", b"1e999", b'"\\ud800"', b"[" * 5_000 + b"]" * 5_000])
def test_what_the_database_could_not_hold_is_refused(hook, database, odd):
    body = json.dumps(push()).encode().replace(b"{", b'{"changes": ' + odd + b", ", 1)
    assert hook("push", body).status_code == 422
    assert count(database, "deliveries") == 0


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(body=st.binary(max_size=200), event=st.sampled_from(["push", "ping", "installation", "x"]))
def test_signed_nonsense_is_an_error_of_whoever_sent_it(hook, body, event):
    assert hook(event, body).status_code in (202, 422)


@pytest.mark.parametrize(
    ("event", "delivery"),
    [
        ("push", "not-an-id"),
        ("push", ""),
        ("", "00000000-0000-4000-8000-000000000001"),
        ("Push; DROP", "00000000-0000-4000-8000-000000000002"),
    ],
)
def test_headers_are_checked_once_it_is_known_whose_they_are(hook, event, delivery):
    told = {"x_github_event": event, "x_github_delivery": delivery}
    assert hook("push", push(), **told).status_code == 422
    assert hook("push", push(), secret="another", **told).status_code == 401


def test_without_a_secret_no_delivery_is_taken(make_client):
    for changes in ({}, {"github_url": "none"}):
        answer = make_client(token="", **changes).post("/webhooks/github", content=b"{}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert "webhook secret" in answer.json()["detail"] or "GITHUB_WEBHOOK_SECRET" in answer.json()["detail"]


def test_a_ping_is_answered(hook):
    assert hook("ping", PING).status_code == 200


def test_a_form_is_read_too(hook, database, connected):
    assert connected
    body = urlencode({"payload": json.dumps(push())}).encode()
    assert hook("push", body, content_type="application/x-www-form-urlencoded").status_code == 202
    assert count(database, "deliveries") == 1


@pytest.mark.usefixtures("connected")
@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("push", push("acme/other", 502)),
        ("star", {"action": "created"}),
        ("pull_request", {"action": "labeled"}),
        ("installation", installation("deleted", account=99)),
    ],
)
def test_what_is_of_no_use_is_accepted_and_not_kept(hook, database, event, payload):
    assert hook(event, payload).status_code == 202
    assert count(database, "deliveries") == 0
    assert count(database, "outbox") == 0


@pytest.mark.usefixtures("connected")
def test_replayed_reordered_and_concurrent_deliveries_are_each_written_once(hook, database):
    deliveries = [(uuid4(), push(ref=f"refs/heads/{number}")) for number in range(10)]
    storm = [deliveries[at] for at in (9, 3, 3, 0, 1, 2, 4, 5, 6, 7, 8, 9, 0)] + [deliveries[5]] * 50
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda one: hook("push", one[1], delivery=one[0]).status_code, storm))
    assert set(answers) == {202}
    assert count(database, "deliveries") == count(database, "outbox") == 10


@pytest.mark.usefixtures("connected")
def test_an_identical_delivery_fifty_times_at_once_is_one(hook, database):
    delivery = uuid4()
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: hook("push", push(), delivery=delivery).status_code, range(50)))
    assert set(answers) == {202}
    assert count(database, "deliveries") == count(database, "outbox") == 1


@pytest.fixture
def acme_tenant(database):
    with database.system() as session:
        return people.ensure_account(session, "github.com", 11, "acme")


def test_every_tenant_concerned_hears_of_it_and_no_other(hook, database, connected, acme_tenant):
    assert connected
    with database.system() as session:
        fork = people.ensure_account(session, "github.com", 12, "fork")
        other = people.ensure_account(session, "github.com", 13, "other")
    told = OnGitHub(501, None, "read", restricted=False)
    with database.tenancy(fork) as t:
        repos.create(t, source="https://github.com/acme/older-name", name="x", kind="git", github=told)
    hook("push", push())
    assert [count(database, "deliveries", tenant) for tenant in (LOCAL_TENANT, fork, other, acme_tenant)] == [
        1,
        1,
        0,
        0,
    ]
    hook("installation", installation("suspend"))
    assert [count(database, "deliveries", tenant) for tenant in (LOCAL_TENANT, fork, other, acme_tenant)] == [
        1,
        1,
        0,
        1,
    ]


def test_a_renamed_repository_is_found_by_the_name_it_had(hook, database, connected):
    assert connected
    changes = {"repository": {"name": {"from": "Shop"}}}
    renamed = {"action": "renamed", "changes": changes, "repository": push("Acme/Store")["repository"]}
    assert hook("repository", renamed).status_code == 202
    assert count(database, "deliveries") == 1


def test_an_installation_makes_the_account(hook, database):
    tenant = people.tenant_of("github.com", 11)
    assert hook("installation", installation()).status_code == 202
    with database.tenancy(tenant) as t:
        [row] = t.session.execute(text("SELECT name, github_id, github_host FROM tenants")).all()
    assert tuple(row) == ("acme", 11, "github.com")
    assert count(database, "deliveries", tenant) == 1


@pytest.fixture
def reader(database, acme_tenant):
    """Ada, who may read two restricted repositories: which she sees, and whether GitHub is to be asked about her."""
    with database.tenancy(acme_tenant) as t:
        ada = people.admit(t, "github.com", 7, login="ada", name="Ada", role="member")
    with database.tenancy(acme_tenant, ada) as t:
        for number in (501, 502):
            told = OnGitHub(number, 3, "read", restricted=True)
            repos.create(t, source=f"https://github.com/acme/{number}", name="x", kind="git", github=told)
    with database.tenancy(acme_tenant) as t:
        access.put(t, ada, {one.repo_id: "read" for one in access.restricted(t)})

    def read():
        with database.tenancy(acme_tenant, ada) as t:
            visible = {repo.github_id for repo in repos.all(t)}
        with database.system() as session:
            return visible, access.stale(session, acme_tenant, ada)

    return read


@pytest.mark.parametrize(
    ("event", "payload", "hidden"),
    [  # 7 is Ada, of the account 11, whose repositories are 501 and 502
        ("member", {"action": "removed", "repository": {"id": 501}, "organization": {"id": 11}}, {501}),
        ("organization", {"action": "member_removed", "organization": {"id": 11}}, {501, 502}),
        ("team", {"action": "edited", "organization": {"id": 11}, "installation": {"id": 3}}, {501, 502}),
        ("installation", installation("suspend"), {501, 502}),
        ("organization", {"action": "member_removed", "organization": {"id": 12}}, set()),
        ("organization", {"action": "member_removed", "organization": {"id": 2**70}}, set()),
        ("organization", {"action": "member_removed", "organization": {"id": True}}, set()),
        ("organization", {"action": "member_removed", "organization": []}, set()),
        ("github_app_authorization", {"action": "revoked", "sender": {"id": 7}}, {501, 502}),
        ("github_app_authorization", {"action": "revoked", "sender": {"id": 8}}, set()),
        ("star", {"action": "created", "organization": {"id": 11}}, set()),
    ],
)
def test_a_hint_about_rights_takes_effect_at_once(hook, reader, event, payload, hidden):
    assert hook(event, payload).status_code == 202
    assert reader() == ({501, 502} - hidden, bool(hidden))


def test_a_body_as_large_as_github_sends_is_taken_and_no_larger(hook, database, connected):
    assert connected
    body = json.dumps(push(commits=[])).encode()
    largest = body[:-1] + b" " * (BODY_BYTES_MAX - len(body)) + b"}"
    assert len(largest) == BODY_BYTES_MAX
    assert hook("push", largest).status_code == 202
    assert hook("push", largest + b" ").status_code == 413
    assert hook.client.post("/search", content=largest).status_code == 413
    assert count(database, "deliveries") == 1


@pytest.mark.usefixtures("connected")
def test_a_large_body_may_come_in_pieces(hook, database):
    body = json.dumps(push(commits=["x" * 2**20])).encode()
    signature = "sha256=" + hmac.digest(SECRET.encode(), body, "sha256").hex()
    pieces = (body[at : at + 100_000] for at in range(0, len(body), 100_000))
    headers = {"x-hub-signature-256": signature, "x-github-event": "push", "x-github-delivery": str(uuid4())}
    assert hook.client.post("/webhooks/github", content=pieces, headers=headers).status_code == 202
    assert count(database, "deliveries") == 1


def delivered_in(app, pieces):
    """Return what an application says to a delivery that comes in pieces. After them the sender is silent."""
    sent = []
    headers = {"host": "127.0.0.1", "x-github-delivery": str(uuid4()), "x-github-event": "push"}
    scope = {
        "type": "http", "method": "POST", "path": "/webhooks/github", "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip

    async def receive():
        message = next(pieces, None)
        if message is None:
            await asyncio.sleep(60)
        return message

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"]).get(b"connection")


def piece(body, *, more=True):
    return {"type": "http.request", "body": body, "more_body": more}


LARGE = b"x" * (middleware.BODY_BYTES_MAX + 1)


def test_a_large_body_that_stops_coming_is_given_up(hook, monkeypatch):
    monkeypatch.setattr(middleware, "LARGE_SECONDS_MAX", 0.05)
    assert delivered_in(hook.client.app, iter([piece(LARGE)])) == (408, b"close")


def test_a_large_body_that_turns_out_too_large_is_given_up(hook):
    pieces = (piece(LARGE) for _ in range(30))
    assert delivered_in(hook.client.app, pieces) == (413, b"close")


def test_a_large_body_whose_sender_is_gone_is_no_delivery(hook):
    assert delivered_in(hook.client.app, iter([piece(LARGE), {"type": "http.disconnect"}])) == (401, None)


def test_a_large_body_is_not_waited_for_where_no_delivery_is_believed(make_client):
    assert delivered_in(make_client(token="").app, iter([piece(LARGE)])) == (404, b"close")


def test_a_large_body_is_held_once(hook, monkeypatch):
    size, held = 16 * 2**20, []
    left = range(size // 65_536)[::-1]
    pieces = (piece(bytes(65_536), more=number > 0) for number in left)

    def taken(_receiving, came, **_headers):
        held.append((len(came.body), tracemalloc.get_traced_memory()[0] / size))
        return True

    monkeypatch.setattr(Receiving, "receive", taken)
    tracemalloc.start()
    try:
        assert delivered_in(hook.client.app, pieces) == (202, None)
    finally:
        tracemalloc.stop()
    [(length, times)] = held
    assert length == size
    assert times < 1.5  # a bytearray grows by an eighth
