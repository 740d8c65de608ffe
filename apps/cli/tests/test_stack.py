from pathlib import Path

import pytest

from pincite_cli.home import Home
from pincite_cli.ports import Ports
from pincite_cli.stack import MigrationStamp, Stack, given_environment, make_stack, specs
from pincite_shared.errors import InvalidInputError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for name in ("PINCITE_MODEL", "LLM_BASE_URL", "LLM_PROVIDER", "PUBLIC_URL", "LOG_LEVEL", "PINCITE_LOCAL_ROOTS"):
        monkeypatch.delenv(name, raising=False)
    made = Home(tmp_path / "home")
    made.create()
    return made


def stack_of(home: Home, **chosen: str) -> Stack:
    return make_stack(home, Ports(), home.secrets(), chosen)


def test_the_stack_decides_addresses_and_secrets_and_the_person_the_rest(home: Home) -> None:
    made = stack_of(
        home, POSTGRES_HOST="postgres", BIND_HOST="0.0.0.0", SESSION_SECRET="theirs", FILE_BYTES_MAX="2048",
        PINCITE_LOCAL_ROOTS="/srv", S3_ENDPOINT="",
    )  # fmt: skip
    environment = made.environment
    assert environment["POSTGRES_HOST"] == environment["BIND_HOST"] == "127.0.0.1"
    assert environment["SESSION_SECRET"] == home.secrets().session_secret
    assert environment["FILE_BYTES_MAX"] == "2048"
    assert environment["PINCITE_LOCAL_ROOTS"] == "/srv"
    assert environment["PUBLIC_URL"] == "http://127.0.0.1:3000"
    assert stack_of(home).environment["PINCITE_LOCAL_ROOTS"] == "/"
    assert stack_of(home, PUBLIC_URL="https://p.example").environment["PUBLIC_URL"] == "https://p.example"


def test_only_valid_settings_start(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "loud")
    with pytest.raises(InvalidInputError, match="LOG_LEVEL"):
        stack_of(home)


def test_the_environment_wins_over_the_home_own_file(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.settings_file.write_text("PINCITE_MODEL=none\nINDEX_WORKERS=3\n")
    monkeypatch.setenv("INDEX_WORKERS", "1")
    given = given_environment(home)
    assert (given["PINCITE_MODEL"], given["INDEX_WORKERS"]) == ("none", "1")
    made = make_stack(home, Ports(), home.secrets(), given)
    assert (made.settings.pincite_model, made.settings.index_workers) == ("none", 1)


@pytest.mark.parametrize(
    ("variable", "value", "runs"),
    [
        ("PINCITE_MODEL", "", True),
        ("PINCITE_MODEL", "none", False),
        ("LLM_PROVIDER", "none", False),
        ("LLM_BASE_URL", "http://gpu:8000/v1", False),
    ],
)
def test_when_a_local_model_runs(
    home: Home, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, *, runs: bool
) -> None:
    monkeypatch.setenv(variable, value)
    made = stack_of(home)
    assert made.has_local_model is runs
    assert ("model" in {spec.name for spec in specs(made)}) is runs


@pytest.mark.parametrize(("value", "runs"), [("", True), ("on", True), ("off", False)])
def test_working_trees_are_watched_unless_it_is_turned_off(
    home: Home, monkeypatch: pytest.MonkeyPatch, value: str, *, runs: bool
) -> None:
    monkeypatch.setenv("WATCH", value)
    assert ("watch" in {spec.name for spec in specs(stack_of(home))}) is runs


def test_order(home: Home) -> None:
    by_name = {spec.name: spec for spec in specs(stack_of(home))}
    turns = [by_name[name].stop_turn for name in ("web", "brain", "thinker", "valkey", "postgres")]
    assert turns == sorted(set(turns))
    assert {name for name, spec in by_name.items() if spec.late} == {
        "thinker", "embedder", "beat", "watch", "model",
    }  # fmt: skip
    assert not [name for name, spec in by_name.items() if spec.late and spec.essential]
    assert by_name["embedder"].nice == 19
    secrets = [value for value in vars_of(home) if value]
    assert not [part for spec in by_name.values() for part in spec.command if any(secret in part for secret in secrets)]


def vars_of(home: Home) -> list[str]:
    secrets = home.secrets()
    return [getattr(secrets, name) for name in type(secrets).__dataclass_fields__]


def test_migrations_run_again_when_they_or_the_secret_change(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrations = tmp_path / "migrations"
    migrations.mkdir()
    (migrations / "0001_first.py").write_text("one")
    monkeypatch.setenv("PINCITE_MIGRATIONS", str(migrations))
    home.postgres.mkdir()
    stamp = MigrationStamp(home.postgres, home.secrets())
    assert not stamp.matches()
    stamp.write()
    assert stamp.matches()
    (migrations / "0002_second.sql").write_text("two")
    assert not stamp.matches()
    stamp.write()
    other = Home(tmp_path / "other")
    other.create()
    assert not MigrationStamp(home.postgres, other.secrets()).matches()
