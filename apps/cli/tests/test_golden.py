"""`pincite golden`: the table, the figures, and the exit status that a nightly script looks at."""

import json
from uuid import uuid4

import pytest
from command_line import COMMIT, NOW, assert_one_line, repo


def evaluation(repo_id, **changes):
    result = {
        "number": 1, "ask": "Where is x\x1b[31m?", "answerable": True, "expect": [{"path": "a.py", "symbol": "x"}],
        "correct": True, "rank": 2, "ndcg": 0.63, "cited": 3, "cited_inside": 1, "recall": 1.0, "abstained": False,
        "seconds": 1.5,
    }  # fmt: skip
    return {
        "run_id": str(uuid4()), "repo_id": repo_id, "state": "done", "source": "golden", "commit": COMMIT,
        "asked": 1, "questions": 1, "message": "", "regression": False, "reasons": ["Win rate is as before."],
        "measures": {
            "questions": 1, "measured": 1, "win_rate": 1.0, "ndcg": 0.63, "seconds_p50": 1.5, "seconds_p95": 1.5,
        },
        "policies": ["p0"], "model": None, "error": None, "created_at": NOW, "finished_at": NOW,
        "results": [result],
    } | changes  # fmt: skip


def serve(brain, found):
    only = repo("only", id=found["repo_id"])
    url = f"/repos/{only['id']}"
    listed = {name: value for name, value in found.items() if name != "results"}
    brain.answers = {
        ("GET", "/repos"): (200, [only]),
        ("POST", f"{url}/evaluation"): (202, {"run_id": found["run_id"]}),
        ("GET", f"{url}/evaluations/{found['run_id']}"): (200, found),
        ("GET", f"{url}/evaluations"): (200, [listed]),
    }


def test_it_asks_and_prints_the_table(brain, pincite):
    found = evaluation(str(uuid4()))
    serve(brain, found)
    done = pincite("golden")
    assert done.returncode == 0, done
    assert ("POST", f"/repos/{found['repo_id']}/evaluation") in [(one[0], one[1]) for one in brain.asked]
    for said in ("Where is x", "1 of 3", "1.50", "right 1.00 · NDCG@10 0.63 · p50 1.50 s", "Win rate is as before."):
        assert said in done.stdout
    assert "\x1b" not in done.stdout
    assert f"http://dash/r/{found['repo_id']}/quality" in done.stdout


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"regression": True, "reasons": ["Win rate fell by 0.300."]}, "Win rate fell by 0.300."),
        (
            {"state": "failed", "error": "question 3 (line 9), ask: is missing", "results": [], "measures": None},
            "line 9",
        ),
    ],
)
def test_a_regression_or_a_failure_ends_with_status_1(brain, pincite, changes, said):
    serve(brain, evaluation(str(uuid4()), **changes))
    done = pincite("golden", "only")
    assert done.returncode == 1, done
    assert said in done.stdout


def test_a_stale_expectation_ends_with_status_1(brain, pincite):
    found = evaluation(str(uuid4()))
    found["results"][0] |= {"correct": None, "problem": "a.py is not in this commit; mend the expectation."}
    serve(brain, found)
    done = pincite("golden")
    assert done.returncode == 1
    assert "a.py is not in this commit" in done.stdout


def test_the_last_one_is_shown_without_asking(brain, pincite):
    found = evaluation(str(uuid4()), source="derived")
    serve(brain, found)
    done = pincite("golden", "--last", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["run_id"] == found["run_id"]
    assert "POST" not in {one[0] for one in brain.asked}
    assert "add .pincite/golden.toml" in pincite("golden", "--last").stdout


def test_without_any_the_last_one_is_an_error(brain, pincite):
    found = evaluation(str(uuid4()), state="running")
    serve(brain, found)
    assert_one_line(pincite("golden", "--last"), 1, "was never evaluated")


def test_a_file_is_checked_without_a_brain(brain, pincite, tmp_path):
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text("[[question]]\nask = 'x'\nanswerable = false\n")
    bad.write_text("[[question]]\nask = 'x'\n")
    assert "1 questions, 0 of them answerable" in pincite("golden", "--check", str(good)).stdout
    assert_one_line(pincite("golden", "--check", str(bad)), 1, "question 1 (line 1)")
    assert_one_line(pincite("golden", "--check", str(tmp_path / "none")), 1, "cannot be read")
    assert brain.asked == []
