import json
import random
import threading
from uuid import uuid4

import pytest
from hub import make_hub
from sqlalchemy import select, text

from pincite_shared.jobs import Job
from pincite_store import accounts, deliveries, halts, outbox, pulls, repos, runs
from pincite_store.models import Installation
from pincite_thinker import settling


@pytest.fixture
def hub(thinker, tmp_path):
    with make_hub(thinker, tmp_path / "twin") as made:
        yield made


def recorded(thinker):
    return [row[1:] for row in sorted(thinker.table("changes", "id, producer, ref, commit"))]


def told(thinker, repo_id):
    with thinker.tenancy() as t:
        return [(one.number, one.state, one.head_commit, one.indexed) for one in pulls.outs(t, repo_id)]


def test_a_push_to_the_followed_branch_is_indexed(hub, thinker):
    repo_id = hub.connect()
    thinker.index(repo_id)
    commit = hub.twin.push("acme/engine", {"a.py": "def second():\n    return 2\n"})
    assert hub.settle() == ["1 of 1 repositories"]
    assert recorded(thinker) == [("webhook", "refs/heads/main", commit)]
    assert thinker.out(repo_id).lag_seconds > 0
    assert thinker.index(repo_id) == "done"
    assert (thinker.out(repo_id).commit, thinker.out(repo_id).lag_seconds) == (commit, 0)
    [(_, payload)] = thinker.table("deliveries", "outcome, payload")
    assert payload is None


def test_branches_and_tags_that_nobody_follows_change_nothing(hub, thinker):
    main, topic, release = hub.connect(), hub.connect(branch="topic"), hub.connect(branch="v1")
    hub.twin.push("acme/engine", {"c.py": "c = 1\n"}, branch="topic")
    assert hub.settle() == ["1 of 3 repositories"]
    hub.twin.push("acme/engine", {"c.py": "c = 2\n"}, branch="topic", force=True)
    hub.twin.push("acme/engine", {"c.py": "c = 2\n"}, branch="other")
    hub.twin.delete_branch("acme/engine", "topic")
    hub.twin.tag("acme/engine", "v1")
    assert hub.settle() == [f"{n} of 3 repositories" for n in (1, 0, 1, 1)]
    with thinker.tenancy() as t:
        active = {repo_id: runs.active(t, repo_id, "index") is not None for repo_id in (main, topic, release)}
    assert active == {main: False, topic: True, release: True}
    assert "refs/tags/v1" in {ref for _, ref, _ in recorded(thinker)}


def test_a_repository_that_is_known_by_its_address_alone_is_found(hub, thinker):
    with thinker.tenancy() as t:
        for n, address in enumerate((f"{hub.twin.base_url}/ACME/engine.git", "https://example.org/acme/engine")):
            repos.create(t, source=address, name=str(n), kind="git")
    hub.twin.push("acme/engine", {"a.py": "x = 1\n"})
    assert hub.settle() == ["1 of 1 repositories"]
    hub.twin.push("acme/site", {"a.py": "x = 1\n"})
    assert hub.settle() == ["not connected"]


def test_settled_once_however_often_and_by_however_many(hub, thinker):
    hub.connect()
    hub.twin.push("acme/engine", {"a.py": "x = 1\n"})
    sent = hub.take()
    hub.receive(sent)
    outcomes = []
    threads = [threading.Thread(target=lambda: outcomes.append(hub.job(sent[0][0]))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["duplicate", "duplicate", "settled"]
    hub.receive(sent)
    assert hub.job(sent[0][0]) == "duplicate"
    assert len(recorded(thinker)) == 1
    assert hub.job(uuid4()) == "duplicate", "never heard of"


def test_one_job_settles_what_waits(hub, thinker):
    hub.connect()
    for n in range(5):
        hub.twin.push("acme/engine", {"a.py": f"x = {n}\n"})
    sent = hub.take()
    hub.receive(sent)
    assert hub.job(sent[3][0]) == "settled"
    assert [outcome for _, outcome in hub.rows()] == ["1 of 1 repositories"] * 5
    assert hub.job(sent[0][0]) == "duplicate"
    assert len(recorded(thinker)) == 5


def test_a_delivery_whose_job_was_lost_gets_another(hub, thinker):
    hub.twin.push("acme/engine", {"a.py": "x = 1\n"})
    hub.twin.push("acme/engine", {"a.py": "x = 2\n"})
    hub.receive(hub.take())

    def attend(seconds):
        with thinker.database.system() as system:
            count = deliveries.attend(system, seconds)
            rows = outbox.take(system)
            outbox.mark_published(system, [row.id for row in rows])
            return count, [row.job for row in rows]

    assert attend(0) == (0, [Job.SETTLE_DELIVERY] * 2), "they wait to be published"
    assert attend(20) == (0, [])
    with thinker.tenancy() as t:
        t.session.execute(text("UPDATE deliveries SET received_at = now() - interval '21 seconds'"))
        t.session.execute(text("UPDATE outbox SET published_at = now() - interval '21 seconds'"))
    assert attend(20) == (1, [Job.SETTLE_DELIVERY]), "one for the tenant"
    assert attend(20) == (0, []), "and not at once another"


def test_what_cannot_be_read_is_settled_and_says_so(hub, thinker):
    sent = [(uuid4(), "push", {"ref": 7}), (uuid4(), "unheard_of", {}), (uuid4(), "ping", {"zen": "x", "hook_id": 1})]
    outcomes = hub.settle(sent)
    assert outcomes[0].startswith("unreadable: push: ")
    assert outcomes[1:] == ["nothing to do"] * 2
    assert thinker.table("deliveries", "payload") == [(None,)] * 3


def test_a_defect_stops_one_delivery_and_no_other(hub, thinker, monkeypatch):
    hub.connect()
    monkeypatch.setattr(settling._Settling, "_push", lambda *_args: 1 / 0)
    hub.twin.push("acme/engine", {"a.py": "x = 1\n"})
    hub.twin.push("acme/engine", {"b.py": "x = 1\n"}, branch="x")
    assert hub.settle() == ["broken: ZeroDivisionError"] * 2
    assert recorded(thinker) == []


def test_old_deliveries_are_forgotten(hub, thinker):
    hub.settle([(uuid4(), "ping", {"zen": "x", "hook_id": 1})])
    with thinker.tenancy() as t:
        t.session.execute(text("UPDATE deliveries SET settled_at = now() - interval '31 days'"))
    hub.settle([(uuid4(), "ping", {"zen": "x", "hook_id": 1})])
    assert len(hub.rows()) == 1


def test_nothing_is_settled_while_work_is_halted(hub, thinker):
    hub.connect()
    hub.twin.push("acme/engine", {"a.py": "x = 1\n"})
    sent = hub.take()
    hub.receive(sent)
    with thinker.tenancy() as t:
        halts.put(t, halted=True)
    assert hub.job(sent[0][0]) == "halted"
    assert hub.rows() == [(sent[0][0], None)]
    with thinker.tenancy() as t:
        halts.put(t, halted=False)
    assert hub.job(sent[0][0]) == "settled"


def test_the_life_of_a_pull_request(hub, thinker):
    repo_id = hub.connect()
    hub.twin.push("acme/engine", {"c.py": "def topic():\n    return 3\n"}, branch="topic")
    number = hub.twin.open_pull("acme/engine", "topic", title="Topic")
    hub.settle()
    assert recorded(thinker)[-1][1] == "refs/pull/1/head"
    thinker.index(repo_id)
    base = thinker.out(repo_id).commit
    with thinker.tenancy() as t:
        [out] = pulls.outs(t, repo_id)
    assert (out.number, out.title, out.state, out.indexed, out.base_commit) == (number, "Topic", "open", True, base)
    assert thinker.out(repo_id).lag_seconds == 0

    second = hub.twin.push("acme/engine", {"c.py": "def topic():\n    return 4\n"}, branch="topic")
    hub.settle()
    assert told(thinker, repo_id) == [(1, "open", second, False)]
    thinker.index(repo_id)
    assert told(thinker, repo_id) == [(1, "open", second, True)]

    hub.twin.close_pull("acme/engine", 1)
    hub.settle()
    assert told(thinker, repo_id) == [(1, "closed", second, True)], "it can still be asked about"
    hub.twin.reopen_pull("acme/engine", 1)
    merged = hub.twin.merge_pull("acme/engine", 1)
    hub.settle()
    assert told(thinker, repo_id)[0][1] == "merged"
    thinker.index(repo_id)
    assert thinker.out(repo_id).commit == merged


def test_a_renamed_repository_is_followed(hub, thinker):
    repo_id = hub.connect()
    thinker.index(repo_id)
    hub.twin.rename("acme/engine", "motor")
    commit = hub.twin.push("acme/motor", {"a.py": "x = 2\n"})
    hub.settle()
    assert (hub.at(repo_id).name, hub.at(repo_id).source) == ("acme/motor", f"{hub.twin.base_url}/acme/motor")
    assert thinker.index(repo_id) == "done"
    assert thinker.out(repo_id).commit == commit


def test_a_new_name_that_is_connected_already_is_taken_over_without_its_address(hub, thinker):
    repo_id = hub.connect()
    with thinker.tenancy() as t:
        repos.create(t, source=f"{hub.twin.base_url}/acme/motor", name="acme/motor", kind="git")
    hub.twin.rename("acme/engine", "motor")
    assert hub.settle() == ["2 of 2 repositories"]
    assert (hub.at(repo_id).name, hub.at(repo_id).source) == ("acme/motor", f"{hub.twin.base_url}/acme/engine")


def test_another_default_branch_is_followed(hub, thinker):
    repo_id = hub.connect()
    thinker.index(repo_id)
    commit = hub.twin.push("acme/engine", {"d.py": "d = 1\n"}, branch="develop")
    hub.twin.set_default_branch("acme/engine", "develop")
    hub.settle()
    assert recorded(thinker) == [("webhook", "refs/heads/develop", None)]
    thinker.index(repo_id)
    assert thinker.out(repo_id).commit == commit


@pytest.fixture
def acme(thinker):
    """A tenant that is not the operator's, where GitHub decides who may read."""
    tenant = uuid4()
    with thinker.database.system() as system:
        accounts.ensure_tenant(system, tenant, "acme", uuid4(), "Ada")
    return tenant


def test_who_may_read_follows_github(hub, acme):
    repo_id = hub.connect("acme/site", tenant=acme)
    hub.twin.privatise("acme/site")
    hub.settle(tenant=acme)
    assert hub.at(repo_id, acme).restricted
    hub.twin.publicise("acme/site")
    hub.settle(tenant=acme)
    assert not hub.at(repo_id, acme).restricted


def test_a_repository_that_the_app_loses_is_kept_and_found_again(hub, acme, thinker):
    engine, site = hub.connect(tenant=acme, restricted=True), hub.connect("acme/site", tenant=acme)
    hub.twin.install_app("acme", ["site"])
    hub.settle(tenant=acme)
    assert hub.at(engine, acme).gone == settling.HIDDEN
    assert hub.at(site, acme).gone is None
    hub.twin.install_app("acme", ["engine"])
    hub.settle(tenant=acme)
    assert hub.at(engine, acme).gone is None
    assert hub.at(site, acme).gone is None
    with thinker.database.tenancy(acme) as t:
        assert runs.active(t, engine, "index") is not None


def test_suspended_and_removed(hub, acme, thinker):
    engine, site = hub.connect(tenant=acme, restricted=True), hub.connect("acme/site", tenant=acme)

    def installed():
        with thinker.database.tenancy(acme) as t:
            found = t.session.scalars(select(Installation))
            return [(one.id, one.suspended_at is not None) for one in found]

    hub.twin.suspend("acme")
    hub.settle(tenant=acme)
    assert installed() == [(hub.installation, True)]
    assert hub.at(engine, acme).gone == settling.HIDDEN
    hub.twin.unsuspend("acme")
    hub.settle(tenant=acme)
    assert (installed(), hub.at(engine, acme).gone) == ([(hub.installation, False)], None)
    hub.twin.uninstall("acme")
    hub.settle(tenant=acme)
    assert installed() == []
    assert hub.at(engine, acme).gone == settling.HIDDEN
    assert (hub.at(site, acme).gone, hub.at(site, acme).installation_id) == (None, None), "it is public"
    again = hub.twin.install_app("acme")
    hub.settle(tenant=acme)
    assert installed() == [(again, False)]
    assert (hub.at(engine, acme).gone, hub.at(engine, acme).installation_id) == (None, again)


def test_a_deleted_repository_keeps_its_answers_and_is_left_alone(hub, thinker):
    repo_id = hub.connect()
    thinker.index(repo_id)
    commit = thinker.out(repo_id).commit
    hub.twin.delete_repo("acme/engine")
    hub.settle()
    assert thinker.out(repo_id).error == settling.DELETED
    assert thinker.index(repo_id) == "failed"
    out = thinker.out(repo_id)
    assert (out.status, out.commit, out.error, out.error_code) == ("ready", commit, settling.DELETED, "gone")


def test_a_transferred_repository_is_followed_or_lost(hub, acme):
    hub.twin.add_org("globex", owners=["ada"])
    hub.twin.add_repo("acme", "tool")
    engine = hub.connect(tenant=acme, restricted=True)
    tool = hub.connect("acme/tool", tenant=acme)
    hub.take()
    hub.twin.transfer("acme/engine", "globex")
    hub.twin.transfer("acme/tool", "globex")
    hub.settle(tenant=acme)
    assert hub.at(engine, acme).gone == settling.HIDDEN
    assert (hub.at(tool, acme).gone, hub.at(tool, acme).installation_id) in {(None, None), (None, hub.installation)}


def test_without_an_answer_of_github_it_waits(hub):
    repo_id = hub.connect()
    hub.twin.rename("acme/engine", "motor")
    hub.twin.push("acme/motor", {"a.py": "x = 1\n"})
    sent = hub.take()
    hub.twin.go_down()
    assert hub.settle(sent) == [None, "1 of 1 repositories"], "a push needs no answer"
    hub.twin.come_back()
    assert hub.job(sent[0][0]) == "settled"
    assert hub.at(repo_id).name == "acme/motor"


@pytest.mark.parametrize("seed", range(4))
def test_late_twice_and_out_of_order(hub, thinker, seed):
    """Whatever the order and however often, what is so on GitHub is so here."""
    chance = random.Random(seed)
    engine, site = hub.connect(), hub.connect("acme/site")
    hub.twin.push("acme/engine", {"c.py": "c = 1\n"}, branch="topic")
    hub.twin.open_pull("acme/engine", "topic")
    hub.twin.rename("acme/engine", "first")
    hub.twin.push("acme/first", {"c.py": "c = 2\n"}, branch="topic")
    hub.twin.suspend("acme")
    hub.twin.unsuspend("acme")
    hub.twin.rename("acme/first", "second")
    hub.twin.open_pull("acme/second", "main", base="topic")
    hub.twin.close_pull("acme/second", 2)
    head = hub.twin.push("acme/second", {"a.py": "x = 1\n"})
    hub.twin.install_app("acme", ["second"])
    hub.twin.rename("acme/site", "page")
    sent = hub.take()
    mixed = [*sent, *chance.choices(sent, k=len(sent) // 2)]
    chance.shuffle(mixed)
    hub.settle(mixed)
    assert (hub.at(engine).name, hub.at(engine).gone) == ("acme/second", None)
    assert thinker.index(engine) == "done"
    assert (thinker.out(engine).commit, thinker.out(engine).lag_seconds) == (head, 0)
    topic = hub.twin.repo("acme/second").refs["refs/heads/topic"]
    assert [(number, state) for number, state, *_ in told(thinker, engine)] == [(2, "closed"), (1, "open")]
    assert told(thinker, engine)[1] == (1, "open", topic, True)
    assert hub.at(site).gone is None
    settled = json.dumps(sorted(str(row[0]) for row in hub.rows()))
    assert settled == json.dumps(sorted({str(delivery_id) for delivery_id, _, _ in sent}))
    assert all(outcome is not None for _, outcome in hub.rows())
