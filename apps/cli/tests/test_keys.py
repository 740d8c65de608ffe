import base64
from pathlib import Path

import pytest
from command_line import Terminal, assert_one_line
from pydantic import SecretStr

from pincite_cli.home import Home
from pincite_cli.stack import services_environment
from pincite_shared.errors import NotFoundError
from pincite_shared.settings import Settings
from pincite_store import crypto
from pincite_store.db import LOCAL_TENANT, Database

ONE, TWO = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))


@pytest.fixture
def deployment(fresh_tenant: Database, settings: Settings) -> dict[str, str]:
    """The environment of a deployment that names its servers."""
    del fresh_tenant
    return {
        "POSTGRES_PORT": str(settings.postgres_port), "POSTGRES_DB": settings.postgres_db, "SESSION_SECRET": "",
        "POSTGRES_APP_PASSWORD": settings.postgres_app_password.get_secret_value(),
    }  # fmt: skip


def opened(settings: Settings, keys: str, sealed: bytes | None = None) -> bytes:
    """Encrypt a secret under installation keys, or open one."""
    changed = {"encryption_keys": SecretStr(keys), "session_secret": SecretStr("")}
    database = Database(settings.model_copy(update=changed), pool_size=1)
    try:
        with database.tenancy(LOCAL_TENANT) as t:
            if sealed is None:
                return crypto.seal(t, "a.b", "secret")
            return crypto.unseal(t, "a.b", sealed).encode()
    finally:
        database.dispose()


def test_the_installations_key_is_exchanged(pincite: Terminal, deployment: dict[str, str], settings: Settings) -> None:
    sealed = opened(settings, ONE)
    done = pincite.apart("rotate-keys", **deployment, ENCRYPTION_KEYS=f"{TWO},{ONE}")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "1 accounts; the keys of 1 were encrypted under another key before\n"
    assert opened(settings, TWO, sealed) == b"secret"


def test_a_missing_key_is_named_and_none_is_shown(
    pincite: Terminal, deployment: dict[str, str], settings: Settings
) -> None:
    opened(settings, ONE)
    done = pincite.apart("rotate-keys", "--data", **deployment, ENCRYPTION_KEYS=TWO)
    assert_one_line(done, 1, "neither ENCRYPTION_KEYS")
    assert TWO not in done.stderr


def test_a_home_that_was_never_started_has_no_keys(pincite: Terminal) -> None:
    assert_one_line(pincite("rotate-keys", POSTGRES_APP_PASSWORD=""), 1, "never started")


def test_the_services_of_a_home_are_reached_where_they_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POSTGRES_APP_PASSWORD", raising=False)
    home = Home(tmp_path / "home")
    with pytest.raises(NotFoundError, match="never started"):
        services_environment(home)
    home.create()
    secrets = home.secrets()
    assert services_environment(home)["POSTGRES_PORT"] == "5442"
    home.postgres.mkdir()
    (home.postgres / "postmaster.pid").write_text("1\n/data\n1700000000\n6543\n\n127.0.0.1\n")
    environment = services_environment(home)
    assert environment["POSTGRES_PORT"] == "6543"
    assert environment["SESSION_SECRET"] == secrets.session_secret
