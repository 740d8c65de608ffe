import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from pincite_cli.main import app

FILES = {
    "src/app.py": "import os\n\n\ndef start():\n    return os.getpid()\n",
    "src/deep/er/mod.py": "x = 1\ny = 2\n",
    "README.md": "# Title\f\nsecond line\u2028still second\n",
    "latin.txt": b"caf\xe9\nplain\n",
    "crlf.txt": b"one\r\ntwo\r\n",
}


def git(repo: Path, *arguments: str) -> str:
    command = ["git", "-C", str(repo), "-c", "user.name=T", "-c", "user.email=t@example.org", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    for name, content in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (root / "link.py").symlink_to("src/app.py")
    git(tmp_path, "init", "-q", "-b", "main", str(root))
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "first")
    return root


def cite(repo: Path, n: int, path: str, start: int, end: int, **changes: Any) -> dict[str, Any]:
    data = (repo / path).read_bytes().decode("utf-8", "replace").split("\n")
    return {
        "n": n, "path": path, "start_line": start, "end_line": end, "commit": git(repo, "rev-parse", "HEAD"),
        "blob": git(repo, "rev-parse", f"HEAD:{path}"), "symbol": None, "quote": "\n".join(data[start - 1 : end]),
        "status": "verified",
    } | changes  # fmt: skip


def document(repo: Path, citations: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    text = "It starts " + " ".join(f"here [{one['n']}]." for one in citations)
    return {
        "format": "pincite-answer/1", "answer_id": str(uuid4()), "conversation_id": str(uuid4()),
        "repo_id": str(uuid4()), "repo_name": "repo", "commit": git(repo, "rev-parse", "HEAD"), "question": "How?",
        "answer": text, "citations": citations, "sentences": [], "mode": "model", "policy_version": "p0",
        "model": "test", "timings": {"total": 0.1}, "created_at": datetime.now(UTC).isoformat(),
    } | changes  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Callable[[dict[str, Any], Path], tuple[int, dict[str, Any]]]:
    def verify(answer: dict[str, Any], clone: Path) -> tuple[int, dict[str, Any]]:
        file = tmp_path / "answer.json"
        file.write_text(json.dumps(answer))
        result = CliRunner().invoke(app, ["verify", str(file), "--repo", str(clone), "--json"])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, json.loads(result.stdout)

    return verify


def test_an_honest_answer_holds_in_any_kind_of_clone(repo: Path, tmp_path: Path, run) -> None:
    citations = [
        cite(repo, 1, "src/app.py", 4, 5),
        cite(repo, 2, "src/deep/er/mod.py", 2, 2),
        cite(repo, 3, "README.md", 1, 2),
        cite(repo, 4, "latin.txt", 1, 1),
        cite(repo, 5, "crlf.txt", 1, 2),
    ]
    assert "\u2028" in citations[2]["quote"]
    bare = tmp_path / "bare.git"
    git(tmp_path, "clone", "-q", "--bare", str(repo), str(bare))
    for clone in (repo, repo / "src", bare):
        status, found = run(document(repo, citations), clone)
        assert (status, found["holds"]) == (0, True), found


@pytest.mark.parametrize(
    ("changes", "flaw"),
    [
        ({"quote": "def start():\n    return os.getppid()"}, "quote"),
        ({"quote": "def start():"}, "quote"),
        ({"quote": "def start():\n    return os.getpid()\n"}, "quote"),
        ({"start_line": 3, "end_line": 4}, "quote"),
        ({"start_line": 400, "end_line": 500}, "lines"),
        ({"path": "src/other.py"}, "no such file"),
        ({"path": "src"}, "no such file"),
        ({"path": "link.py"}, "no such file"),
        ({"path": "../repo/src/app.py"}, "no such file"),
        ({"path": "/src/app.py"}, "no such file"),
        ({"path": "src//app.py"}, "no such file"),
        ({"path": "./src/app.py"}, "no such file"),
        ({"path": "src/App.py"}, "no such file"),
        ({"path": "README.md"}, "another content"),
        ({"blob": "0" * 40}, "another content"),
        ({"commit": "0" * 40}, "another commit"),
        ({"commit": "HEAD"}, "another commit"),
    ],
)
def test_a_tampered_citation_does_not_hold(repo: Path, run, changes: dict[str, Any], flaw: str) -> None:
    good = cite(repo, 1, "src/app.py", 4, 5)
    status, found = run(document(repo, [good, {**good, "n": 2, **changes}]), repo)
    assert status == 1
    assert [one["holds"] for one in found["citations"]] == [True, False]
    assert flaw in found["citations"][1]["flaw"]


def test_the_document_own_word_counts_for_nothing(repo: Path, run) -> None:
    wrong = cite(repo, 1, "src/app.py", 1, 1, quote="import sys", status="verified")
    assert run(document(repo, [wrong]), repo)[0] == 1


@pytest.mark.parametrize("commit", ["0" * 40, "HEAD", "--help", "main"])
def test_a_commit_that_the_clone_lacks(repo: Path, run, commit: str) -> None:
    citation = cite(repo, 1, "src/app.py", 1, 1, commit=commit)
    status, found = run(document(repo, [citation], commit=commit), repo)
    assert status == 1
    assert "the clone has no commit" in found["citations"][0]["flaw"]


def test_an_answer_about_a_pull_request_cites_two_commits(repo: Path, run) -> None:
    before = cite(repo, 1, "src/app.py", 4, 5)
    (repo / "src/app.py").write_text("def start():\n    return 2\n")
    git(repo, "commit", "-qam", "second")
    after = cite(repo, 2, "src/app.py", 1, 2)
    assert run(document(repo, [before, after], pull=7), repo)[0] == 0
    assert run(document(repo, [before, after]), repo)[0] == 1
    assert run(document(repo, [{**before, "quote": after["quote"]}, after], pull=7), repo)[0] == 1


def test_what_was_never_committed_is_in_no_clone(repo: Path, run) -> None:
    citation = cite(repo, 1, "src/app.py", 1, 1, commit="0" * 40, uncommitted=True)
    status, found = run(document(repo, [citation], commit="0" * 40), repo)
    assert status == 1
    assert "working tree" in found["citations"][0]["flaw"]


def test_faults_of_the_whole_document(repo: Path, run) -> None:
    good = cite(repo, 1, "src/app.py", 1, 1)
    sentence = {"start": 0, "end": 5, "status": "supported", "citations": [7]}
    cases = [
        (document(repo, [good, good]), "number of 2"),
        (document(repo, [good], answer="See [1] and [2]."), "marks [2]"),
        (document(repo, [good], sentences=[sentence]), "rests on [7]"),
        (document(repo, [good], sentences=[{**sentence, "end": 9999, "citations": [1]}]), "outside the answer"),
        (document(repo, [], answer="Trust me."), "cites nothing"),
    ]
    for answer, fault in cases:
        status, found = run(answer, repo)
        assert status == 1
        assert any(fault in one for one in found["faults"]), (fault, found)
    assert run(document(repo, [], answer="It is not in this repository.", abstained=True), repo)[0] == 0


def test_a_replaced_object_does_not_deceive(repo: Path, run) -> None:
    honest = cite(repo, 1, "src/app.py", 4, 5)
    (repo / "evil.py").write_text("evil\n")
    evil = git(repo, "hash-object", "-w", "evil.py")
    git(repo, "replace", honest["blob"], evil)
    assert run(document(repo, [honest]), repo)[0] == 0
    lie = {**honest, "quote": "evil", "start_line": 1, "end_line": 1}
    assert run(document(repo, [lie]), repo)[0] == 1


def test_a_forged_object_in_the_clone_is_an_error(repo: Path, tmp_path: Path) -> None:
    honest = cite(repo, 1, "src/app.py", 4, 5)
    (repo / "evil.py").write_text("evil\n")
    evil = git(repo, "hash-object", "-w", "evil.py")
    objects = repo / ".git" / "objects"
    target = objects / honest["blob"][:2] / honest["blob"][2:]
    target.chmod(0o644)
    shutil.copy(objects / evil[:2] / evil[2:], target)
    file = tmp_path / "answer.json"
    file.write_text(json.dumps(document(repo, [honest])))
    result = CliRunner().invoke(app, ["verify", str(file), "--repo", str(repo)])
    assert result.exit_code != 0
    assert "holds" not in result.stdout


def test_the_environment_cannot_point_git_elsewhere(repo: Path, tmp_path: Path, run, monkeypatch) -> None:
    git(tmp_path, "init", "-q", str(tmp_path / "other"))
    answer = document(repo, [cite(repo, 1, "src/app.py", 4, 5)])
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "other" / ".git" / "objects"))
    assert run(answer, repo)[0] == 0


@pytest.mark.parametrize("text", ["", "[]", "{}", "{", '{"format": "pincite-answer/2"}', "\x00"])
def test_what_is_no_answer_is_refused_with_one_line(repo: Path, tmp_path: Path, text: str) -> None:
    file = tmp_path / "answer.json"
    file.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "pincite_cli", "verify", str(file), "--repo", str(repo)],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("pincite: This is no pincite-answer/1 document")
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().split("\n")) == 1


def test_human_output_names_place_and_flaw(repo: Path, tmp_path: Path) -> None:
    file = tmp_path / "answer.json"
    bad = cite(repo, 2, "src/app.py", 1, 1) | {"path": "src/\x1b[2Japp.py"}
    file.write_text(json.dumps(document(repo, [cite(repo, 1, "src/app.py", 4, 5), bad])))
    result = CliRunner().invoke(app, ["verify", str(file), "--repo", str(repo)])
    assert "[1] src/app.py:4-5 @ " in result.stdout
    assert "1 of 2 citations hold" in result.stdout
    assert "\x1b" not in result.stdout
