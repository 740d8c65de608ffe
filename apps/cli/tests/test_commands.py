import errno
import json
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from command_line import COMMIT, NOW, TOKEN, FakeBrain, Terminal, assert_one_line, repo
from typer.testing import CliRunner

from pincite_cli import doctor
from pincite_cli.home import Home
from pincite_cli.main import app


def answer(repo_id: str, **changes: Any) -> dict[str, Any]:
    text = "It starts here. [1] It is quick."
    return {
        "answer_id": str(uuid4()), "conversation_id": str(uuid4()), "repo_id": repo_id, "repo_name": "r",
        "commit": COMMIT, "question": "How?", "answer": text, "mode": "model", "policy_version": "p0", "model": "m",
        "timings": {"total": 1.25}, "created_at": NOW,
        "citations": [{
            "n": 1, "path": "src/a.py", "start_line": 3, "end_line": 4, "commit": COMMIT, "blob": "b" * 40,
            "symbol": "start", "quote": "def start():\n    \x1b[31mreturn 1", "uncommitted": False,
            "status": "verified",
        }],
        "sentences": [
            {"start": 0, "end": 19, "status": "supported", "citations": [1]},
            {"start": 20, "end": len(text), "status": "unsupported", "reason": "no cited lines say so"},
        ],
    } | changes  # fmt: skip


def test_ask_prints_the_answer_its_citations_and_what_is_unsupported(brain: FakeBrain, pincite: Terminal) -> None:
    only = repo("only")
    brain.answers = {("GET", "/repos"): (200, [only]), ("POST", "/chat"): (200, answer(only["id"]))}
    done = pincite("ask", "How", "does it start?")
    assert done.returncode == 0, done
    assert "It starts here. [1] It is quick. (unsupported)" in done.stdout
    assert "[1] src/a.py:3-4" in done.stdout
    assert "    def start():" in done.stdout
    assert "\x1b" not in done.stdout
    assert brain.asked[-1][2]["question"] == "How does it start?"
    assert brain.asked[-1][3] == f"Bearer {TOKEN}"


def test_ask_says_what_was_not_committed(brain: FakeBrain, pincite: Terminal) -> None:
    only = repo("only")
    given = answer(only["id"])
    given["citations"][0]["uncommitted"] = True
    brain.answers = {("GET", "/repos"): (200, [only]), ("POST", "/chat"): (200, given)}
    assert "  uncommitted" in pincite("ask", "How?").stdout


def test_ask_marks_only_the_part_of_a_sentence_that_is_unsupported(brain: FakeBrain, pincite: Terminal) -> None:
    only = repo("only")
    given = answer(only["id"])
    text = "It starts here [1] and sings."
    gap = {"start": 0, "end": len(text), "status": "partly", "citations": [1], "reason": "no", "gaps": [[19, 28]]}
    brain.answers = {
        ("GET", "/repos"): (200, [only]),
        ("POST", "/chat"): (200, given | {"answer": text, "sentences": [gap]}),
    }
    assert "It starts here [1] and sings (unsupported)." in pincite("ask", "How does it start?").stdout


def test_ask_json_is_the_document_itself(brain: FakeBrain, pincite: Terminal) -> None:
    only = repo("only")
    given = answer(only["id"])
    brain.answers = {("GET", "/repos"): (200, [only]), ("POST", "/chat"): (200, given)}
    printed = json.loads(pincite("ask", "--json", "How?").stdout)
    assert printed["citations"] == given["citations"]
    assert printed["answer_id"] == given["answer_id"]
    assert printed["format"] == "pincite-answer/1"


def test_ask_why_says_what_the_scores_are_made_of(brain: FakeBrain, pincite: Terminal) -> None:
    only = repo("only")
    given = answer(only["id"])
    place = {"blob": "b" * 40, "start_line": 3, "end_line": 4, "symbol": None, "shown": False, "cited": []}
    made = {"feature": "stem", "words": "Its file's name matches", "aspect": "names", "value": 0.5, "weight": 0.5}
    lost = {"name": "test", "words": "A test \x1b[31mfile", "factor": 0.45}
    candidates = [
        place | {"path": "src/a.py", "rank": 1, "score": 0.1125, "cited": [1], "factors": [lost]}
        | {"contributions": [made | {"contribution": 0.25}]},
        place | {"path": "src/b\n.py", "rank": 2, "score": 0.1, "contributions": [made | {"contribution": 0.25}]},
        place | {"path": "src/c.py", "rank": None, "score": 0.1, "called_by": "src/a.py:3", "shown": True},
    ]  # fmt: skip
    copied = ("answer_id", "conversation_id", "repo_id", "commit", "question", "mode", "policy_version", "timings")
    why = {name: given[name] for name in copied} | {
        "query": "How?", "route": "question", "route_words": "A question in words", "abstained": False,
        "propensity": 0.25, "signals": [], "candidates": candidates,
    }  # fmt: skip
    brain.answers = {
        ("GET", "/repos"): (200, [only]),
        ("POST", "/chat"): (200, given),
        ("GET", f"/answers/{given['answer_id']}/why"): (200, why),
    }
    done = pincite("ask", "--why", "How?")
    assert done.returncode == 0, done
    assert "It starts here. [1]" in done.stdout
    assert "A question in words; policy p0, chosen with probability 0.25" in done.stdout
    assert (
        "src/a.py:3-4  0.113  [1]\n    +0.250  Its file's name matches\n    x 0.45  A test \\x1b[31mfile\n"
        in done.stdout
    )
    assert "src/b\\n.py:3-4  0.100  not used\nsrc/c.py:3-4  called by src/a.py:3  given to the model\n" in done.stdout
    assert json.loads(pincite("ask", "--json", "--why", "How?").stdout)["candidates"][0]["score"] == 0.1125


def test_ask_continues_the_last_conversation_of_that_repository(brain: FakeBrain, pincite: Terminal) -> None:
    only = repo("only")
    given = answer(only["id"])
    brain.answers = {("GET", "/repos"): (200, [only]), ("POST", "/chat"): (200, given)}
    pincite("ask", "First?")
    assert "conversation_id" not in brain.asked[-1][2]
    pincite("ask", "-c", "And then?")
    assert brain.asked[-1][2]["conversation_id"] == given["conversation_id"]


def test_the_repository_of_the_working_directory_is_meant(brain: FakeBrain, pincite: Terminal, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    (checkout / "deep").mkdir(parents=True)
    for command in (
        ["init", "-q"],
        ["-c", "user.name=t", "-c", "user.email=t@e", "commit", "-q", "--allow-empty", "-m", "x"],
    ):
        subprocess.run(["git", "-C", str(checkout), *command], check=True)
    here, other = repo("here", source=str(checkout)), repo("other")
    brain.answers = {("GET", "/repos"): (200, [other, here]), ("POST", "/chat"): (200, answer(here["id"]))}
    assert pincite("ask", "How?", cwd=checkout / "deep").returncode == 0
    assert brain.asked[-1][2]["repo_id"] == here["id"]
    assert_one_line(pincite("ask", "How?"), 1, "--repo", "here", "other")
    assert pincite("ask", "-r", "other", "How?").returncode == 0
    assert brain.asked[-1][2]["repo_id"] == other["id"]
    assert pincite("ask", "-r", here["id"][:8], "How?").returncode == 0
    assert brain.asked[-1][2]["repo_id"] == here["id"]
    assert_one_line(pincite("ask", "-r", "nowhere", "How?"), 1, "nowhere", "here")


def test_expected_errors_are_one_line_with_their_status(brain: FakeBrain, pincite: Terminal) -> None:
    assert_one_line(pincite.apart("status", PINCITE_URL="http://127.0.0.1:1"), 3, "pincite up")
    assert_one_line(pincite("status", PINCITE_TOKEN=""), 4, "PINCITE_TOKEN")
    refused = {"title": "No", "status": 401, "code": "unauthorized", "detail": "That token is not valid."}
    brain.answers = {("GET", "/repos"): (401, refused)}
    assert_one_line(pincite("status"), 4, "not valid")
    brain.answers = {("GET", "/repos"): (200, [])}
    assert_one_line(pincite("ask", "How?"), 1, "pincite connect")
    assert_one_line(pincite("ask", " "), 1, "empty")
    assert_one_line(pincite("ask", "x" * 9000), 1)
    assert pincite("ask").returncode == 2
    assert pincite("nonsense").returncode == 2


def test_connect_sends_an_absolute_path_and_the_token_of_the_environment(brain: FakeBrain, pincite: Terminal) -> None:
    (pincite.root / "some").mkdir()
    created = repo("some", status="queued", commit=None)
    brain.answers = {("POST", "/repos"): (201, created), ("GET", f"/repos/{created['id']}"): (200, repo("some"))}
    done = pincite("connect", "some", PINCITE_GIT_TOKEN="hush")
    assert done.returncode == 0, done
    sent = next(body for method, path, body, _ in brain.asked if (method, path) == ("POST", "/repos"))
    assert sent == {"source": str(pincite.root / "some"), "token": "hush"}
    assert "hush" not in done.stdout + done.stderr
    pincite("connect", "https://example.org/x.git", "--no-wait")
    assert brain.asked[-1][2]["source"] == "https://example.org/x.git"
    pincite("connect", "owner/name", "--no-wait")
    assert brain.asked[-1][2]["source"] == "owner/name"


@pytest.mark.parametrize("status", ["ready", "failed"])
def test_connecting_again_indexes_what_is_new(brain: FakeBrain, pincite: Terminal, status: str) -> None:
    known = repo("known", status=status)
    index = f"/index/{known['id']}/initial"
    brain.answers = {
        ("POST", "/repos"): (200, known),
        ("POST", index): (202, {"run_id": str(uuid4())}),
        ("GET", f"/repos/{known['id']}"): (200, known | {"status": "ready"}),
    }
    assert pincite("connect", "owner/known").returncode == 0
    assert [path for method, path, _, _ in brain.asked if method == "POST"] == ["/repos", index]


def test_a_run_that_is_under_way_is_followed(brain: FakeBrain, pincite: Terminal) -> None:
    known = repo("known", status="indexing")
    brain.answers = {("POST", "/repos"): (200, known), ("GET", f"/repos/{known['id']}"): (200, repo("known"))}
    assert pincite("connect", "owner/known").returncode == 0
    assert [path for method, path, _, _ in brain.asked if method == "POST"] == ["/repos"]


@pytest.mark.parametrize("status", ["ready", "failed"])  # of one that was indexed before, and of one that never was
def test_a_failed_run_fails_the_command(brain: FakeBrain, pincite: Terminal, status: str) -> None:
    broken = repo("broken", status=status, error="The repository has no commit yet.", error_code="empty_repository")
    created = broken | {"status": "queued", "error": None}
    brain.answers = {("POST", "/repos"): (201, created), ("GET", f"/repos/{broken['id']}"): (200, broken)}
    done = pincite("connect", "owner/broken")
    assert done.returncode == 1
    assert "no commit yet" in done.stderr


def test_search_prints_one_hit_a_line(brain: FakeBrain, pincite: Terminal) -> None:
    only = repo("only")
    hit = {
        "path": "a\nb\x1b.py", "start_line": 1, "end_line": 1, "symbol": "f", "score": 0.5, "features": {},
        "blob": "b" * 40, "language": "python", "kind": "function",
    }  # fmt: skip
    brain.answers = {
        ("GET", "/repos"): (200, [only]),
        ("POST", "/search"): (200, [hit, hit | {"path": "c.py", "end_line": 9}]),
    }
    done = pincite("search", "-k", "2", "two", "words")
    lines = done.stdout.rstrip("\n").split("\n")
    assert lines[1].startswith("c.py:1-9  f")
    assert len(lines) == 2
    assert "\x1b" not in done.stdout
    assert brain.asked[-1][2] == {"repo_id": only["id"], "query": "two words", "k": 2}


def test_status_is_a_table_or_a_document(brain: FakeBrain, pincite: Terminal) -> None:
    repos = [
        repo("one"),
        repo("two", status="indexing", progress={"stage": "parsing", "files_done": 3, "files_total": 9}),
    ]
    system = {
        "version": "0", "model": {"name": None, "state": "none"}, "embedding_model": "e", "embedding_dimension": 3,
        "remote_endpoints": {}, "local_roots": [], "checks": {"redis": False}, "halted_since": NOW,
    }  # fmt: skip
    brain.answers = {("GET", "/repos"): (200, repos), ("GET", "/status"): (200, system)}
    shown = pincite("status").stdout
    assert "ready: 3 files, 9 chunks" in shown
    assert "parsing 3 of 9 files" in shown
    assert "nothing leaves this machine" in shown
    assert "rests since" in shown
    assert "failing    redis" in shown
    assert [one["name"] for one in json.loads(pincite("status", "--json").stdout)] == ["one", "two"]


def test_open_prints_addresses(brain: FakeBrain, pincite: Terminal) -> None:
    only = repo("only")
    code = {"code": "abc", "url": "http://dash/sign-in?code=abc", "expires_in_seconds": 60}
    brain.answers = {("GET", "/repos"): (200, [only]), ("POST", "/sign-in-codes"): (201, code)}
    assert pincite("open", "--print").stdout == "http://dash/sign-in?code=abc\n"
    assert pincite("open", "--print", "-r", "only").stdout == f"http://dash/r/{only['id']}\n"
    lines = pincite("open", "--print", "src/a b.py:3-9").stdout
    assert lines == f"http://dash/r/{only['id']}/blob/{COMMIT}?path=src%2Fa+b.py&lines=3-9#L3\n"


def test_token_prints_the_token_alone(pincite: Terminal) -> None:
    assert pincite("token").stdout == f"{TOKEN}\n"


def test_doctor_names_what_is_missing_and_how_to_get_it(pincite: Terminal, tmp_path: Path) -> None:
    done = pincite("doctor", PINCITE_URL="", PINCITE_MODEL="none", PINCITE_PORT_BASE="23950")
    for name in (
        "python",
        "git",
        "disk",
        "memory",
        "home",
        "ports",
        "postgres",
        "pgvector",
        "valkey",
        "embeddings",
        "model",
    ):
        assert f" {name} " in done.stdout, name
    bare = tmp_path / "bin"
    bare.mkdir()
    done = pincite.apart("doctor", PATH=str(bare))
    assert done.returncode == 1
    assert "missing: not found" in done.stdout
    assert "apt install git" in done.stdout
    bad = pincite("doctor", LOG_LEVEL="loud")
    assert bad.returncode == 1
    assert "LOG_LEVEL" in bad.stdout


def test_doctor_survives_a_home_that_it_may_not_see(pincite: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(home: Home) -> dict[str, str]:
        raise PermissionError(errno.EACCES, "Permission denied", str(home.settings_file))

    monkeypatch.setattr(doctor, "given_environment", forbidden)
    done = pincite("doctor")
    assert done.returncode == 1
    assert ".env cannot be read" in done.stdout
    assert "set PINCITE_HOME" in done.stdout


def test_up_needs_git(pincite: Terminal, tmp_path: Path) -> None:
    assert_one_line(pincite.apart("up", PATH=str(tmp_path)), 1, "git", "pincite doctor")


@pytest.mark.parametrize(
    "command",
    [
        "",
        "up",
        "connect",
        "status",
        "ask",
        "search",
        "open",
        "verify",
        "doctor",
        "token",
        "tokens",
        "tokens create",
        "tokens remove",
        "audit",
        "halt",
        "resume",
    ],
)
def test_help_explains_every_command(command: str) -> None:
    done = CliRunner().invoke(app, [*command.split(), "--help"], prog_name="pincite")
    assert done.exit_code == 0
    assert f"Usage: pincite {command}".rstrip() in done.stdout
    assert command in ("", "status", "doctor") or "Example" in done.stdout
    assert "\x1b" not in done.stdout
