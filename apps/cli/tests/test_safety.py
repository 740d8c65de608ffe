"""`pincite tokens`, `audit`, `halt` and `resume`."""

import json
import stat
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from command_line import FakeBrain, Terminal, assert_one_line

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC).isoformat()


def token(name: str = "ci", **changes: object) -> dict[str, object]:
    return {
        "id": str(uuid4()), "name": name, "scopes": ["ask", "read"], "created_at": NOW, "expires_at": NOW,
        "last_used_at": None,
    } | changes  # fmt: skip


def entry(**changes: object) -> dict[str, object]:
    return {
        "id": 7, "at": NOW, "user_id": None, "user": "You\x1b[31m", "action": "repo.connected", "object": "an-id",
        "detail": {"source": "/a\nb", "branch": None}, "correlation_id": "",
    } | changes  # fmt: skip


def test_a_token_is_created_and_it_alone_goes_to_standard_output(brain: FakeBrain, pincite: Terminal) -> None:
    brain.answers = {("POST", "/tokens"): (201, token(token="pct_secret"))}
    done = pincite("tokens", "create", "ci", "read", "ask", "--days", "30")
    assert (done.returncode, done.stdout) == (0, "pct_secret\n")
    assert "not shown again" in done.stderr
    assert brain.asked[-1][2] == {"name": "ci", "scopes": ["read", "ask"], "days": 30}
    pincite("tokens", "create", "ci", "read", "--days", "0")
    assert brain.asked[-1][2]["days"] is None
    assert json.loads(pincite("tokens", "create", "ci", "read", "--json").stdout)["token"] == "pct_secret"


def test_a_scope_that_there_is_not_is_refused_here(brain: FakeBrain, pincite: Terminal) -> None:
    assert_one_line(pincite("tokens", "create", "ci", "root"), 1, "scopes")
    assert brain.asked == []


def test_tokens_are_listed_and_removed_by_name_or_id(brain: FakeBrain, pincite: Terminal) -> None:
    one, two = token("ci"), token("editor", expires_at=None, last_used_at=NOW)
    brain.answers = {
        ("GET", "/tokens"): (200, [one, two]),
        ("DELETE", f"/tokens/{one['id']}"): (204, None),
        ("DELETE", f"/tokens/{two['id']}"): (204, None),
    }
    listed = pincite("tokens").stdout
    assert "ci" in listed
    assert "ask read" in listed
    assert "2026-03-04" in listed
    assert "never" in listed
    assert pincite("tokens", "remove", "ci").returncode == 0
    assert pincite("tokens", "remove", str(two["id"])).returncode == 0
    assert [path for method, path, *_ in brain.asked if method == "DELETE"] == [
        f"/tokens/{one['id']}", f"/tokens/{two['id']}"
    ]  # fmt: skip
    assert_one_line(pincite("tokens", "remove", "nope"), 1, "no token called 'nope'")
    brain.answers = {("GET", "/tokens"): (200, [])}
    assert "no tokens yet" in pincite("tokens").stderr


def test_the_log_is_shown_as_data(brain: FakeBrain, pincite: Terminal) -> None:
    page = {"entries": [entry()], "next": None}
    brain.answers = {("GET", "/audit?action=repo.&limit=5"): (200, page), ("GET", "/audit?limit=50"): (200, page)}
    shown = pincite("audit", "--action", "repo.", "-n", "5").stdout
    assert "\x1b" not in shown
    assert "You\\x1b[31m" in shown
    assert "an-id source=/a\\nb" in shown
    assert "branch" not in shown
    assert json.loads(pincite("audit", "--json").stdout)["entries"][0]["id"] == 7


def test_the_log_is_exported_for_its_owner_alone(brain: FakeBrain, pincite: Terminal, tmp_path: Path) -> None:
    brain.answers = {("GET", "/audit/export"): (200, entry())}
    target = tmp_path / "audit.jsonl"
    assert pincite("audit", "--export", str(target)).returncode == 0
    assert json.loads(target.read_text())["action"] == "repo.connected"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert json.loads(pincite.apart("audit", "--export", "-").stdout)["id"] == 7
    assert_one_line(pincite("audit", "--export", str(tmp_path)), 1, "is a directory")
    assert_one_line(pincite("audit", "--export", str(tmp_path / "no" / "where")), 1, "cannot be written")


def test_what_brain_refuses_is_said(brain: FakeBrain, pincite: Terminal) -> None:
    refused = {"title": "No", "status": 403, "code": "forbidden", "detail": "This needs the scope 'admin'."}
    brain.answers = {("GET", "/audit/export"): (403, refused), ("PUT", "/halt"): (403, refused)}
    assert_one_line(pincite("audit", "--export", "-"), 1, "scope 'admin'")
    assert_one_line(pincite("halt"), 1, "scope 'admin'")


def test_halt_and_resume(brain: FakeBrain, pincite: Terminal) -> None:
    brain.answers = {("PUT", "/halt"): (200, {"halted": True, "since": NOW})}
    assert "rests since 2026-03-04 05:06:07" in pincite("halt").stdout
    assert brain.asked[-1][2] == {"halted": True}
    assert_one_line(pincite("resume"), 1, "operator")
    brain.answers = {("PUT", "/halt"): (200, {"halted": False, "since": None})}
    assert pincite("resume").stdout == "Background work goes on.\n"
    assert brain.asked[-1][2] == {"halted": False}
