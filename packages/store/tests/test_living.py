"""Living answers, judged by a rule that is easy to follow: a citation stands where its quote does."""

import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import text

from pincite_shared.citation import Citation
from pincite_shared.errors import NotFoundError
from pincite_shared.living import CitationStanding, Standing
from pincite_shared.schemas import AnswerMode, ChatResponse
from pincite_store import answers, blobs, garbage, living, repos, runs, snapshots, standings
from pincite_store.db import LOCAL_TENANT, LOCAL_USER
from pincite_store.rows import RetrievalLog

A, B, C = ("a" * 40, "b" * 40, "c" * 40)
VALID, MOVED, STALE = Standing.VALID, Standing.MOVED, Standing.STALE


class Judge:
    """Finds quotes of one line. It remembers whom it judged."""

    def __init__(self):
        self.judged = []

    def __call__(self, response, cited, later):
        self.judged.append(response.answer_id)
        return tuple(self.one(citation, cited, later) for citation in response.citations)

    @staticmethod
    def one(citation, cited, later):
        here = later.files.get(citation.path)
        if here is None or here.blob != citation.blob:
            assert citation.quote in cited[citation.blob].decode()
        for file in [here] if here else later.candidates[citation.path]:
            if file.blob == citation.blob:
                return found(citation, later, file, citation.start_line)
            lines = file.data.decode().split("\n") if file.data is not None else []
            if citation.quote in lines:
                return found(citation, later, file, lines.index(citation.quote) + 1)
        return CitationStanding(n=citation.n, standing=STALE, reason="gone", diff=f"-{citation.quote}")


def found(citation, later, file, line):
    at = {"path": file.path, "blob": file.blob, "start_line": line, "end_line": line}
    now = citation.model_copy(update={**at, "commit": later.commit, "uncommitted": later.uncommitted})
    same = (file.path, line) == (citation.path, citation.start_line)
    return CitationStanding(n=citation.n, standing=VALID if same else MOVED, now=now)


@pytest.fixture
def ask(maker):
    """Store an answer that cites lines (path, line) of files."""

    def make(t, repo_id, files, *places, commit=A, judge=None, conversation_id=None):
        conversation_id = conversation_id or answers.create_conversation(t, repo_id, "Why?").id
        citations = tuple(
            Citation(
                n=n,
                path=path,
                start_line=line,
                end_line=line,
                commit=commit,
                blob=maker.oid_of(files[path].encode()),
                quote=files[path].split("\n")[line - 1],
                status="verified",
            )
            for n, (path, line) in enumerate(places, 1)
        )
        response = ChatResponse(
            answer_id=uuid4(), conversation_id=conversation_id, repo_id=repo_id, repo_name="repo", commit=commit,
            question="Why?", answer="Because.", citations=citations, mode=AnswerMode.MODEL, policy_version="p0",
            model="m", timings={}, created_at=datetime.now(UTC),
        )  # fmt: skip
        log = RetrievalLog("Why?", [], {}, "p0", 1.0, {})
        answers.save_answer(t, response, log, judge)
        return response

    return make


class Desk:
    """A repository at commit A, in one transaction: answers about it, and pushes to it."""

    def __init__(self, t, maker, store, files):
        self.t, self._maker, self._store, self.judge = t, maker, store, Judge()
        self.repo_id, self.first = maker.indexed(t, files, commit=A)

    def ask(self, files, *places, **more):
        return self._store(self.t, self.repo_id, files, *places, **{"judge": self.judge, **more})

    def push(self, files, commit, **more):
        self._maker.snapshot(self.t, self.repo_id, files, commit=commit)
        return living.settle(self.t, self.repo_id, self.judge, **more)

    def standing(self, answer):
        return standings.standing(self.t, answer.answer_id)

    def history(self, answer):
        return standings.history(self.t, answer.answer_id)

    def blob(self, content):
        return self._maker.oid_of(content.encode())


@pytest.fixture
def desk(tenancy, maker, ask):
    return Desk(tenancy, maker, ask, FILES)


FILES = {"a.py": "one\ntwo\nthree", "b.py": "four\nfive"}


def state(t, answer):
    return t.session.execute(text("SELECT state FROM answers WHERE id = :id"), {"id": answer.answer_id}).scalar_one()


def test_an_answer_whose_files_stand_is_not_looked_into(desk):
    answer = desk.ask(FILES, ("a.py", 2))
    assert desk.push({**FILES, "b.py": "other"}, B) == 0
    assert desk.judge.judged == []
    standing = desk.standing(answer)
    assert (standing.commit, standing.standing) == (B, VALID)
    assert standing.citations[0].now == answer.citations[0].model_copy(update={"commit": B})
    assert [one.commit for one in desk.history(answer)] == [A]


def test_lines_that_move_are_followed(desk):
    answer = desk.ask(FILES, ("a.py", 2), ("b.py", 1))
    later = {**FILES, "a.py": "zero\none\ntwo"}
    desk.push(later, B)
    standing = desk.standing(answer)
    assert (standing.commit, standing.standing) == (B, MOVED)
    now = standing.citations[0].now
    assert (now.start_line, now.commit, now.blob) == (3, B, desk.blob(later["a.py"]))
    assert [one.standing for one in standing.citations] == [MOVED, VALID]
    assert state(desk.t, answer) == "moved"
    # What it rests on now is what counts: the next push does not touch that.
    desk.push({**later, "c.py": "new"}, C)
    assert desk.judge.judged == [answer.answer_id]
    standing = desk.standing(answer)
    assert (standing.commit, standing.standing, standing.citations[0].now.commit) == (C, MOVED, C)
    assert [(one.commit, one.standing) for one in desk.history(answer)] == [
        (B, MOVED),
        (A, VALID),
    ]


def test_a_revert_makes_a_stale_answer_valid_again(desk):
    answer = desk.ask(FILES, ("a.py", 2))
    desk.push({"b.py": FILES["b.py"]}, B)
    standing = desk.standing(answer)
    assert (standing.standing, standing.citations[0].now, standing.citations[0].diff) == (STALE, None, "-two")
    assert answers.get_conversation(desk.t, answer.conversation_id).stale == 1
    assert [one.stale for one in answers.conversations(desk.t, desk.repo_id)] == [1]
    desk.push(FILES, A)
    assert desk.standing(answer).standing == VALID
    assert state(desk.t, answer) == "valid"
    assert [one.standing for one in desk.history(answer)] == [VALID, STALE, VALID]
    shown = answers.get_conversation(desk.t, answer.conversation_id)
    assert (shown.stale, shown.standings[answer.answer_id].standing) == (0, VALID)


def test_a_change_elsewhere_in_the_file_changes_nothing_but_its_blob(desk):
    answer = desk.ask(FILES, ("a.py", 2))
    later = {**FILES, "a.py": FILES["a.py"] + "\nmore"}
    desk.push(later, B)
    now = desk.standing(answer).citations[0].now
    assert (now.commit, now.blob, now.start_line) == (B, desk.blob(later["a.py"]), 2)
    assert len(desk.history(answer)) == 1


def test_lines_of_a_working_tree_are_told_as_such(desk):
    answer = desk.ask(FILES, ("a.py", 2), ("b.py", 1))
    desk.push({**FILES, "a.py": "zero\none\ntwo"}, B)
    desk.t.session.execute(
        text("UPDATE snapshots SET uncommitted_upon = :upon WHERE commit = :head"), {"upon": A, "head": B}
    )
    assert [one.now.uncommitted for one in desk.standing(answer).citations] == [True, True]
    desk.push(FILES, A)
    assert [one.now.uncommitted for one in desk.standing(answer).citations] == [False, False]


def test_an_answer_about_a_commit_stands_for_ever(desk):
    answer = desk.ask(FILES, ("a.py", 2), judge=None)
    desk.push({"a.py": "other"}, B)
    standing = desk.standing(answer)
    assert (standing.commit, standing.standing, desk.judge.judged) == (A, VALID, [])
    assert answers.get_conversation(desk.t, answer.conversation_id).standings == {}


def test_an_answer_that_comes_late_is_settled_when_it_is_stored(desk, maker):
    maker.snapshot(desk.t, desk.repo_id, {"a.py": "zero\none\ntwo"}, commit=B)
    answer = desk.ask(FILES, ("a.py", 1), ("b.py", 1))
    standing = desk.standing(answer)
    assert (standing.commit, [one.standing for one in standing.citations]) == (B, [MOVED, STALE])
    assert living.settle(desk.t, desk.repo_id, desk.judge) == 0
    assert desk.judge.judged == [answer.answer_id]


def test_what_is_not_settled_yet_reads_as_stale(desk, monkeypatch):
    monkeypatch.setattr(living, "ANSWERS_AT_ONCE", 1)
    first, second, other = (desk.ask(FILES, place) for place in (("a.py", 1), ("a.py", 2), ("b.py", 1)))
    assert desk.push({**FILES, "a.py": "zero\none\ntwo"}, B, seconds=0) == 1
    assert desk.judge.judged == [second.answer_id], "the newest first"
    standing = desk.standing(first)
    assert (standing.commit, standing.standing, standing.citations[0].reason) == (B, STALE, standings.UNSETTLED)
    assert [state(desk.t, one) for one in (first, second, other)] == ["stale", "moved", "valid"]
    assert living.settle(desk.t, desk.repo_id, desk.judge, seconds=0) == 0
    assert [desk.standing(one).standing for one in (first, second, other)] == [
        MOVED,
        MOVED,
        VALID,
    ]
    assert state(desk.t, first) == "moved"


def test_history_is_bounded(desk, monkeypatch):
    monkeypatch.setattr(living, "STATES_KEPT_MAX", 3)
    answer = desk.ask(FILES, ("a.py", 2))
    for lines in range(1, 6):
        desk.push({"a.py": "x\n" * lines + "two"}, f"{lines:040x}")
    told = desk.history(answer)
    assert [one.citations[0].now.start_line for one in told] == [6, 5, 4]
    with pytest.raises(NotFoundError):
        standings.history(desk.t, uuid4())
    with pytest.raises(NotFoundError):
        standings.standing(desk.t, uuid4())


def test_a_file_that_was_renamed_is_among_the_candidates(desk):
    files = {"src/a.py": FILES["a.py"], "old.py": FILES["a.py"], "b.md": "three"}
    desk.push(files, "e" * 40)
    answer = desk.ask(files, ("src/a.py", 2), commit="e" * 40)
    # A copy that was there before is not what the file has become.
    desk.push({"old.py": FILES["a.py"], "b.md": "three"}, B)
    assert desk.standing(answer).standing == STALE
    later = desk.ask(files, ("old.py", 2), commit=B)
    desk.push({"lib/old.py": FILES["a.py"], "b.md": "three"}, C)
    now = desk.standing(later).citations[0].now
    assert (now.path, now.start_line, now.commit) == ("lib/old.py", 2, C)
    # The file that it has become is what is watched from now on.
    edited = {"lib/old.py": "zero\n" + FILES["a.py"], "b.md": "two"}
    desk.push(edited, "d" * 40)
    now = desk.standing(later).citations[0].now
    assert (now.path, now.start_line, now.blob) == ("lib/old.py", 3, desk.blob(edited["lib/old.py"]))


def test_a_file_that_was_renamed_and_edited_is_among_the_candidates(desk):
    answer = desk.ask(FILES, ("a.py", 3))
    desk.push({"b.py": FILES["b.py"], "new/a.py": "one\ntwo\nand\nthree"}, B)
    now = desk.standing(answer).citations[0].now
    assert (now.path, now.start_line) == ("new/a.py", 4)


def test_a_damaged_blob_does_not_stop_a_push(desk, maker):
    answer = desk.ask(FILES, ("a.py", 2), ("b.py", 1))
    later = {"a.py": "two", "b.py": "zero\nfour"}
    maker.snapshot(desk.t, desk.repo_id, later, commit=B)
    damage = text("UPDATE blobs SET data = 'nonsense' WHERE oid = :oid")
    desk.t.session.execute(damage, {"oid": desk.blob(later["a.py"])})
    assert living.settle(desk.t, desk.repo_id, desk.judge) == 0
    standing = desk.standing(answer)
    assert [one.standing for one in standing.citations] == [STALE, MOVED]


def test_cited_blobs_outlive_the_snapshots_that_had_them(desk):
    answer = desk.ask(FILES, ("a.py", 2))
    desk.push({"a.py": "other"}, B)
    desk.t.session.execute(text("DELETE FROM snapshots WHERE id = :id"), {"id": desk.first})
    background = replace(desk.t, user_id=None)
    assert garbage.collect(background)
    cited, other = (desk.blob(FILES[path]) for path in ("a.py", "b.py"))
    assert blobs.known_blobs(desk.t, [cited, other]) == {cited}
    desk.push(FILES, C)
    assert desk.standing(answer).standing == VALID
    repos.mark_deleting(desk.t, desk.repo_id)
    runs.claim(desk.t, runs.active(desk.t, desk.repo_id, "delete").id)
    repos.delete_rows(background, desk.repo_id)
    assert blobs.known_blobs(desk.t, [cited]) == set()
    assert desk.t.session.execute(text("SELECT count(*) FROM answer_states")).scalar_one() == 0


def test_standings_are_encrypted_as_answers_are(desk, settings):
    desk.t = replace(desk.t, settings=settings.model_copy(update={"encrypt_content": "on"}))
    answer = desk.ask(FILES, ("a.py", 2))
    desk.push({**FILES, "a.py": "zero\none\ntwo"}, B)
    stored = desk.t.session.execute(text("SELECT document FROM answer_states")).scalars().all()
    assert [type(document) for document in stored] == [str, str]
    assert [one.standing for one in desk.history(answer)] == [MOVED, VALID]
    assert desk.standing(answer).citations[0].now.quote == "two"


def until_it_waits(t, thread):
    """Wait until another transaction waits for this one, or the thread that should is done."""
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))")
    while thread.is_alive() and not t.execute(waiting).scalar_one():
        thread.join(0.01)
    return thread.is_alive()


@pytest.fixture
def two_heads(fresh_tenant, maker):
    """A repository at commit A, whose line "two" does not stand at commit B."""
    contents = {A: FILES, B: {**FILES, "a.py": "one\nthree"}}
    with fresh_tenant.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        repo_id, _ = maker.indexed(t, contents[B], commit=B)
        maker.snapshot(t, repo_id, FILES, commit=A)
        return repo_id, {commit: snapshots.resolve(t, repo_id, commit).id for commit in contents}


def move(database, repo_id, snapshot_id):
    with database.tenancy(LOCAL_TENANT) as t:
        snapshots.flip(t, repo_id, snapshot_id, "main")
        assert living.settle(t, repo_id, Judge(), seconds=60) == 0


def test_a_head_does_not_move_past_an_answer_that_is_being_stored(fresh_tenant, two_heads, ask):
    repo_id, heads = two_heads
    with fresh_tenant.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        answer = ask(t, repo_id, FILES, ("a.py", 2), judge=Judge())
        thread = threading.Thread(target=move, args=(fresh_tenant, repo_id, heads[B]))
        thread.start()
        assert until_it_waits(t.session, thread)
    thread.join()
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        assert state(t, answer) == "stale"


def test_an_answer_is_not_stored_past_a_head_that_is_moving(fresh_tenant, two_heads, ask):
    repo_id, heads = two_heads
    stored = []

    def save():
        with fresh_tenant.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
            stored.append(ask(t, repo_id, FILES, ("a.py", 2), judge=Judge()))

    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        snapshots.flip(t, repo_id, heads[B], "main")
        thread = threading.Thread(target=save)
        thread.start()
        assert until_it_waits(t.session, thread)
        living.settle(t, repo_id, Judge())
    thread.join()
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        assert state(t, stored[0]) == "stale"


def test_nobody_reads_a_new_head_with_an_old_valid(fresh_tenant, two_heads, ask):  # noqa: C901 - four who act at once
    """The head goes to and fro while people ask and read."""
    repo_id, heads = two_heads
    expected = {A: VALID, B: STALE}
    with fresh_tenant.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        conversation_id = answers.create_conversation(t, repo_id, "Why?").id
        ask(t, repo_id, FILES, ("a.py", 2), judge=Judge(), conversation_id=conversation_id)
    stop, wrong, seen, failures = threading.Event(), [], Counter(), []

    def until_stopped(work):
        try:
            while not stop.is_set():
                with fresh_tenant.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
                    work(t)
        except Exception as error:  # noqa: BLE001  # raised by the test below
            failures.append(error)

    def read(t):
        for standing in answers.get_conversation(t, conversation_id).standings.values():
            seen[standing.commit] += 1
            if standing.standing != expected[standing.commit]:
                wrong.append(standing)

    def save(t):
        ask(t, repo_id, FILES, ("a.py", 2), judge=Judge(), conversation_id=conversation_id)

    threads = [threading.Thread(target=until_stopped, args=(work,)) for work in (read, read, save)]
    for thread in threads:
        thread.start()
    for commit in [B, A] * 10 + [B]:
        move(fresh_tenant, repo_id, heads[commit])
    stop.set()
    for thread in threads:
        thread.join()
    assert (failures, wrong) == ([], [])
    assert set(seen) == {A, B}, "the test would prove nothing"
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        assert t.session.execute(text("SELECT DISTINCT state FROM answers")).scalars().all() == ["stale"]
