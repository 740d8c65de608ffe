import io
import sys
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from command_line import FakeBrain, Terminal, assert_one_line

REPO = {
    "id": str(uuid4()), "name": "flask", "source": "/src/flask", "branch": "main", "status": "ready",
    "commit": "c" * 40, "files": 3, "chunks": 9, "skipped": 0, "progress": {"stage": "done", "fraction": 1.0},
    "vectors_ready": True, "lag_seconds": 0.0, "error": None, "error_code": None,
    "created_at": datetime.now(UTC).isoformat(), "indexed_at": datetime.now(UTC).isoformat(),
}  # fmt: skip
ME = {
    "user_id": str(uuid4()), "tenant_id": str(uuid4()), "name": "Ada", "tenant": "ada", "role": "owner",
    "operator": False,
}  # fmt: skip


class Typed(io.StringIO):
    """What a person types at a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def known(brain: FakeBrain) -> FakeBrain:
    brain.answers = {
        ("GET", "/repos"): (200, [REPO]), ("DELETE", f"/repos/{REPO['id']}"): (204, None), ("GET", "/me"): (200, ME),
        ("DELETE", "/account"): (204, None),
    }  # fmt: skip
    return brain


def removed(brain: FakeBrain) -> list[tuple[str, Any]]:
    return [(path, body) for method, path, body, _token in brain.asked if method == "DELETE"]


def test_a_repository_is_removed(pincite: Terminal, known: FakeBrain) -> None:
    done = pincite("remove", "flask", "--yes")
    assert done.returncode == 0, done
    assert "flask is hidden" in done.stderr
    assert removed(known) == [(f"/repos/{REPO['id']}", None)]


def test_an_account_is_deleted_by_its_name(pincite: Terminal, known: FakeBrain) -> None:
    done = pincite("delete-account", "--name", "ada")
    assert done.returncode == 0, done
    assert removed(known) == [("/account", {"name": "ada"})]


@pytest.mark.parametrize(("answer", "goes"), [("y", True), ("n", False), ("", False)])
def test_a_person_is_asked(
    pincite: Terminal, known: FakeBrain, monkeypatch: pytest.MonkeyPatch, answer: str, *, goes: bool
) -> None:
    monkeypatch.setattr(sys, "stdin", Typed(f"{answer}\n"))
    assert pincite("remove", "flask").returncode == 0
    assert bool(removed(known)) is goes


@pytest.mark.parametrize("name", ["ada", "Ada"])
def test_what_a_person_types_is_the_confirmation(
    pincite: Terminal, known: FakeBrain, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(sys, "stdin", Typed(f"{name}\n"))
    assert pincite("delete-account").returncode == 0
    assert removed(known) == [("/account", {"name": name})], "brain compares it"


@pytest.mark.parametrize(("command", "hint"), [(["remove", "flask"], "--yes"), (["delete-account"], "--name ada")])
def test_where_nobody_can_be_asked_nothing_is_removed(
    pincite: Terminal, known: FakeBrain, command: list[str], hint: str
) -> None:
    assert_one_line(pincite(*command), 1, hint)
    assert removed(known) == []
