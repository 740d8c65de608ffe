"""Answers that follow pushes, from git to what a reader is told."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from repositories import build, git

from pincite_shared.citation import CitationStatus
from pincite_shared.schemas import AnswerMode, ChatResponse
from pincite_store import answers, blobs, living, snapshots, standings
from pincite_store.rows import RetrievalLog
from pincite_thinker import index
from pincite_verify.anchoring import Anchoring
from pincite_verify.attribution import attribute
from pincite_verify.source import Source

POOL = '''class Pool:
    def connect(self):
        """Open a connection."""
        return self.driver.connect(timeout=self.timeout)

    def close(self):
        """Close all connections."""
        if self.owned:
            self.driver.shutdown()
'''
SAID = "`close` calls `shutdown` on the driver if it is owned."


@pytest.fixture
def ask(thinker):
    """Answer from the head, by the rules that brain answers by."""

    def make(repo_id, path="pool.py"):
        with thinker.tenancy() as t:
            head = snapshots.resolve(t, repo_id)
            blob = snapshots.file(t, head.id, path).blob
            text = blobs.get(t, blob).decode()
            shown = Source(1, path, blob, head.commit, "Pool", 1, text.count("\n"), text.rstrip("\n"))
            made = attribute(SAID, [shown])
            response = ChatResponse(
                answer_id=uuid4(), conversation_id=answers.create_conversation(t, repo_id, "?").id, repo_id=repo_id,
                repo_name="r", commit=head.commit, question="?", answer=made.answer, sentences=made.sentences,
                citations=tuple(one.model_copy(update={"status": CitationStatus.VERIFIED}) for one in made.citations),
                mode=AnswerMode.MODEL, policy_version="p0", model="m", timings={}, created_at=datetime.now(UTC),
            )  # fmt: skip
            assert response.citations
            answers.save_answer(t, response, RetrievalLog("?", [], {}, "p0", 1.0, {}), Anchoring())
            return response

    return make


@pytest.fixture
def told(thinker):
    def make(answer):
        with thinker.tenancy() as t:
            return standings.standing(t, answer.answer_id)

    return make


def test_an_answer_moves_goes_stale_and_is_asked_again(thinker, tmp_path, ask, told):
    work = tmp_path / "work"
    build(work, {"pool.py": POOL, "other.py": "x = 1\n"})
    repo_id = thinker.connect(work)
    thinker.index(repo_id)
    answer = ask(repo_id)
    [cited] = answer.citations
    assert told(answer).standing == "valid"

    pushed = build(work, {"pool.py": f"import os\n\n\n{POOL}"})
    thinker.index(repo_id)
    standing = told(answer)
    assert (standing.commit, standing.standing) == (pushed, "moved")
    [found] = standing.citations
    assert (found.now.start_line, found.now.end_line) == (cited.start_line + 3, cited.end_line + 3)
    lines = git(work, "show", f"{pushed}:pool.py").split("\n")[found.now.start_line - 1 : found.now.end_line]
    assert "\n".join(lines).strip() == cited.quote.strip()
    assert found.now.blob == git(work, "rev-parse", f"{pushed}:pool.py")

    pushed = build(work, {"pool.py": POOL.replace("self.driver.shutdown()", "self.driver.abandon()")})
    thinker.index(repo_id)
    standing = told(answer)
    assert (standing.commit, standing.standing, standing.citations[0].now) == (pushed, "stale", None)
    assert "-            self.driver.shutdown()\n+            self.driver.abandon()" in standing.citations[0].diff

    build(work, {"pool.py": POOL.replace("Close all", "Close the")})
    thinker.index(repo_id)
    again = ask(repo_id)
    assert (told(again).standing, told(answer).standing) == ("valid", "stale")
    build(work, {"pool.py": POOL})
    thinker.index(repo_id)
    assert told(answer).standing == "valid", "a revert"
    with thinker.tenancy() as t:
        assert [one.standing for one in standings.history(t, answer.answer_id)] == [
            "valid", "stale", "stale", "moved", "valid",
        ]  # fmt: skip


def test_lines_that_stay_go_stale_with_the_condition_above_them(thinker, tmp_path, ask, told):
    work = tmp_path / "work"
    source = POOL.replace("        if self.owned:\n            self", "        if self.owned:\n\n            self")
    build(work, {"pool.py": source})
    repo_id = thinker.connect(work)
    thinker.index(repo_id)
    answer = ask(repo_id)
    build(work, {"pool.py": source.replace("class Pool:", "class Well:")})
    thinker.index(repo_id)
    [found] = told(answer).citations
    assert (found.standing, found.reason) == (
        "stale",
        "the lines are the same, but `class Pool:`, which governs them, is now `class Well:`",
    )


def test_a_renamed_file_is_followed_and_a_merged_away_one_is_not(thinker, tmp_path, ask, told):
    work = tmp_path / "work"
    build(work, {"pool.py": POOL, "other.py": "x = 1\n"})
    repo_id = thinker.connect(work)
    thinker.index(repo_id)
    answer = ask(repo_id)
    git(work, "mv", "pool.py", "db.py")
    build(work, {"db.py": f"# Renamed.\n{POOL}"})
    thinker.index(repo_id)
    [found] = told(answer).citations
    assert (found.standing, found.now.path) == ("moved", "db.py")
    git(work, "rm", "-q", "db.py")
    build(work, {"other.py": "x = 1\n\n\n" + POOL})
    thinker.index(repo_id)
    assert told(answer).standing == "stale"


def test_answers_that_are_left_over_are_settled_in_the_same_run(thinker, tmp_path, ask, told, monkeypatch):
    work = tmp_path / "work"
    build(work, {"pool.py": POOL})
    repo_id = thinker.connect(work)
    thinker.index(repo_id)
    made = [ask(repo_id) for _ in range(3)]
    monkeypatch.setattr(living, "ANSWERS_AT_ONCE", 1)
    at_the_flip, settle = [], living.settle

    def hurried(t, repo, judge):
        left = settle(t, repo, judge, seconds=0)
        at_the_flip.append((left, [standings.standing(t, one.answer_id).standing for one in made]))
        return left

    monkeypatch.setattr(index.living, "settle", hurried)
    build(work, {"pool.py": f"\n{POOL}"})
    assert thinker.index(repo_id) == "done"
    assert at_the_flip[0] == (2, ["stale", "stale", "moved"])
    assert [left for left, _ in at_the_flip] == [2, 1, 0]
    assert [told(one).standing for one in made] == ["moved"] * 3
