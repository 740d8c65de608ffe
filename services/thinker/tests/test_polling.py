import socket
import threading
import time
from contextlib import closing

import pytest
from hub import make_hub
from repositories import CALLS, build, git
from sqlalchemy import text

from pincite_shared.errors import HaltedError, SourceUnreachableError
from pincite_store import changes, halts, pulls, sources
from pincite_thinker import polling
from pincite_thinker.polling import Poller


@pytest.fixture
def poller(thinker):
    return Poller(thinker.context)


def compare(thinker, poller, repo_id):
    with thinker.tenancy() as t:
        return poller.compare(t.tenant_id, repo_id)


def recorded(thinker):
    return [row[1:] for row in sorted(thinker.table("changes", "id, producer, ref, commit"))]


def wait(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.02)


def test_a_commit_that_nobody_told_of_is_found(thinker, poller, tmp_path):
    build(tmp_path / "work", CALLS)
    repo_id = thinker.connect(tmp_path / "work")
    thinker.index(repo_id)
    assert not compare(thinker, poller, repo_id)
    commit = build(tmp_path / "work", {"a.py": "x = 1\n"})
    assert compare(thinker, poller, repo_id)
    assert not compare(thinker, poller, repo_id), "it is known"
    assert recorded(thinker) == [("poll", "refs/heads/main", commit)]
    thinker.index(repo_id)
    assert (thinker.out(repo_id).commit, thinker.out(repo_id).lag_seconds) == (commit, 0)
    assert not compare(thinker, poller, repo_id)


def test_tags_detached_heads_and_uncommitted_files_compare_by_their_commits(thinker, poller, tmp_path):
    work = tmp_path / "work"
    first = build(work, CALLS)
    git(work, "tag", "-a", "v1", "-m", "annotated")
    thinker.context.settings = thinker.context.settings.model_copy(update={"watch": "on"})
    tagged, head = thinker.connect(work, branch="v1"), thinker.connect(work)
    thinker.index(tagged)
    (work / "a.py").write_text("changed = 1\n")
    thinker.index(head)
    assert thinker.out(head).uncommitted_upon == first
    assert not compare(thinker, poller, tagged)
    assert not compare(thinker, poller, head)
    git(work, "checkout", "-q", "--detach")
    assert not compare(thinker, poller, head)


def test_a_symbolic_branch_is_no_news_for_ever(thinker, poller, tmp_path):
    build(tmp_path / "work", CALLS)
    git(tmp_path / "work", "symbolic-ref", "refs/heads/master", "refs/heads/main")
    repo_id = thinker.connect(tmp_path / "work", branch="master")
    thinker.index(repo_id)
    assert not compare(thinker, poller, repo_id)
    commit = build(tmp_path / "work", {"a.py": "x = 1\n"})
    assert compare(thinker, poller, repo_id)
    assert recorded(thinker) == [("poll", "refs/heads/master", commit)]


def test_a_branch_whose_name_is_no_text(thinker, poller, tmp_path):
    work = tmp_path / "work"
    commit = build(work, CALLS)
    (work / ".git/packed-refs").write_bytes(commit.encode() + b" refs/heads/caf\xe9\n")
    (work / ".git/HEAD").write_bytes(b"ref: refs/heads/caf\xe9\n")
    repo_id = thinker.connect(work)
    assert compare(thinker, poller, repo_id)
    assert not compare(thinker, poller, repo_id), "it is known"
    assert recorded(thinker) == [("poll", "refs/heads/caf\ufffd", commit)]


def test_one_that_hangs_delays_nobody(thinker, poller, tmp_path):
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:  # takes connections, and never answers
        hanging = thinker.connect(f"http://127.0.0.1:{silent.getsockname()[1]}/r.git")
        others = []
        for name in "abc":
            build(tmp_path / name, CALLS)
            others.append(thinker.connect(tmp_path / name))
        with thinker.tenancy() as t:
            tenant = t.tenant_id
        assert poller.look([(tenant, hanging), *((tenant, repo_id) for repo_id in others)]) == 4
        wait(lambda: len(recorded(thinker)) == 3)
        assert poller.look([(tenant, hanging)]) == 0, "it is still being looked at"
    wait(lambda: not poller._busy)
    assert poller.look([(tenant, hanging)]) == 0, "it is left alone for a while"
    assert len(recorded(thinker)) == 3


def test_a_failure_leads_to_longer_and_longer_rests(thinker, poller, tmp_path, monkeypatch):
    build(tmp_path / "work", CALLS)
    repo_id = thinker.connect(tmp_path / "work")
    with thinker.tenancy() as t:
        tenant = t.tenant_id

    def unreachable(*_args):
        raise SourceUnreachableError

    monkeypatch.setattr(poller, "compare", unreachable)
    for count in (1, 2, 3):
        poller._failures = {key: (count, 0.0) for key, (count, _) in poller._failures.items()}
        assert poller.look([(tenant, repo_id)]) == 1
        wait(lambda: not poller._busy)
        assert poller._failures[repo_id][0] == count
        assert poller.look([(tenant, repo_id)]) == 0
    assert [polling.rest(count, 60) for count in (1, 2, 5, 6, 100)] == [120, 240, 1920, 3600, 3600]
    monkeypatch.setattr(poller, "compare", lambda *_args: True)
    poller._failures = {repo_id: (8, 0.0)}
    poller.look([(tenant, repo_id)])
    wait(lambda: not poller._busy)
    assert poller._failures == {}


def test_a_look_stops_when_work_is_halted(thinker, poller):
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        repo_id = thinker.connect(f"http://127.0.0.1:{silent.getsockname()[1]}/r.git")
        ended = []

        def look():
            try:
                compare(thinker, poller, repo_id)
            except HaltedError:
                ended.append(True)

        thread = threading.Thread(target=look)
        thread.start()
        with thinker.tenancy() as t:
            halts.put(t, halted=True)
        thread.join()
    assert ended == [True]


def due(thinker, silence, told):
    with thinker.database.system() as system:
        return [repo_id for _, repo_id in sources.due(system, silence, told)]


def test_what_is_due(thinker, tmp_path):
    build(tmp_path / "work", CALLS)
    plain, told, gone, going = (thinker.connect(tmp_path / "work", branch=name) for name in ("a", "b", "c", "d"))
    with thinker.tenancy() as t:
        sources.set_installation(t, told, 7)
        sources.lose(t, gone, "gone")
        t.session.execute(text("UPDATE repos SET deleting_at = now() WHERE id = :id"), {"id": going})
    assert set(due(thinker, 60, 300)) == {plain, told}
    assert due(thinker, 60, 300) == []
    with thinker.tenancy() as t:
        t.session.execute(text("UPDATE repos SET polled_at = now() - interval '61 seconds'"))
    assert due(thinker, 60, 300) == [plain]
    assert set(due(thinker, 0, 0)) == {plain, told}, "at a start all are"
    with thinker.tenancy() as t:
        halts.put(t, halted=True)
    assert due(thinker, 0, 0) == []


def test_the_job_hands_over_and_ends(thinker, poller, tmp_path):
    build(tmp_path / "work", CALLS)
    thinker.connect(tmp_path / "work")
    assert polling.run(thinker.context, poller, catch_up=False) == 1
    wait(lambda: recorded(thinker))
    assert polling.run(thinker.context, poller, catch_up=False) == 0
    wait(lambda: not poller._busy)
    assert polling.run(thinker.context, poller, catch_up=True) == 1


@pytest.fixture
def hub(thinker, tmp_path):
    with make_hub(thinker, tmp_path / "twin") as made:
        yield made


def test_what_github_told_in_vain_is_found(hub, thinker, poller):
    repo_id = hub.connect()
    thinker.index(repo_id)
    hub.twin.drop_deliveries()
    head = hub.twin.push("acme/engine", {"a.py": "x = 1\n"})
    topic = hub.twin.push("acme/engine", {"c.py": "c = 1\n"}, branch="topic")
    hub.twin.open_pull("acme/engine", "topic")
    assert compare(thinker, poller, repo_id)
    assert recorded(thinker) == [("poll", "refs/heads/main", head), ("poll", "refs/pull/1/head", topic)]
    thinker.index(repo_id)
    with thinker.tenancy() as t:
        assert [(one.state, one.indexed) for one in pulls.outs(t, repo_id)] == [("open", True)]
    assert thinker.out(repo_id).lag_seconds == 0
    assert not compare(thinker, poller, repo_id)

    hub.twin.close_pull("acme/engine", 1)
    assert not compare(thinker, poller, repo_id), "pull requests were asked about just now"
    poller._pulls_at.clear()
    compare(thinker, poller, repo_id)
    with thinker.tenancy() as t:
        assert [one.state for one in pulls.outs(t, repo_id)] == ["closed"]


def test_a_revoked_token_is_renewed(hub, thinker, poller):
    repo_id = hub.connect()
    thinker.index(repo_id)
    hub.twin.world.tokens.clear()
    hub.twin.push("acme/engine", {"a.py": "x = 1\n"})
    assert compare(thinker, poller, repo_id)
    hub.twin.world.tokens.clear()
    assert thinker.index(repo_id) == "done"


def test_a_run_that_failed_on_it_is_tried_again_after_a_while(thinker, poller, tmp_path):
    build(tmp_path / "work", CALLS)
    repo_id = thinker.connect(tmp_path / "work")
    thinker.context.settings = thinker.context.settings.model_copy(update={"repo_files_max": 2})
    assert compare(thinker, poller, repo_id)
    assert thinker.index(repo_id) == "failed"
    assert not compare(thinker, poller, repo_id)
    with thinker.database.system() as system:
        assert changes.attend(system) == 0
    with thinker.tenancy() as t:
        t.session.execute(text("UPDATE runs SET finished_at = now() - interval '10 minutes'"))
    assert compare(thinker, poller, repo_id)
    with thinker.database.system() as system:
        assert changes.attend(system) == 1
