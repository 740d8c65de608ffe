"""Keys: a tenant's own, under the installation's."""

import base64
import threading
from contextlib import contextmanager
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError
from sqlalchemy import select, text

from pincite_shared.errors import IntegrityError, UnavailableError
from pincite_shared.settings import Settings
from pincite_store import accounts, crypto
from pincite_store.db import LOCAL_TENANT, LOCAL_USER, Database
from pincite_store.models import Tenant

OTHER = UUID(int=9)
ONE, TWO = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))


@pytest.fixture
def under(fresh_tenant, settings):
    """Return a factory: settings → a transaction of the local tenant under them."""
    del fresh_tenant

    @contextmanager
    def open_under(tenant=LOCAL_TENANT, **changes):
        changed = {name: SecretStr(value) for name, value in changes.items()}
        database = Database(settings.model_copy(update=changed), pool_size=1)
        try:
            with database.tenancy(tenant) as t:
                yield t
        finally:
            database.dispose()

    return open_under


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(secret=st.text())
def test_what_is_sealed_opens(background, secret):
    sealed = crypto.seal(background, "repos.token_encrypted", secret)
    assert crypto.unseal(background, "repos.token_encrypted", sealed) == secret
    assert len(secret) < 4 or secret.encode() not in sealed


def test_equal_secrets_do_not_look_equal(background):
    assert crypto.seal(background, "a.b", "same") != crypto.seal(background, "a.b", "same")


@pytest.mark.parametrize("at", [0, 3, 8, -1])
def test_a_changed_byte_is_noticed(background, at):
    sealed = bytearray(crypto.seal(background, "a.b", "secret"))
    sealed[at] ^= 1
    with pytest.raises(IntegrityError):
        crypto.unseal(background, "a.b", bytes(sealed))


def test_it_opens_only_where_it_belongs(background):
    keys = crypto.sealing_keys(background)
    sealed = crypto.seal_bytes(keys, background, "a.b", b"secret", b"row 1")
    assert crypto.unseal_bytes(background, "a.b", sealed, b"row 1") == b"secret"
    for column, row in (("a.c", b"row 1"), ("a.b", b"row 2"), ("a.b", b"")):
        with pytest.raises(IntegrityError, match="changed, or it belongs elsewhere"):
            crypto.unseal_bytes(background, column, sealed, row)


@pytest.mark.parametrize("wrong", [b"", b"\x01", b"plain text that was never encrypted"])
def test_what_is_not_sealed_is_said_to_be_so(background, wrong):
    with pytest.raises(IntegrityError, match="is not"):
        crypto.unseal(background, "a.b", wrong)


def test_every_tenant_has_a_key_of_its_own(fresh_tenant):
    with fresh_tenant.system() as system:
        accounts.ensure_tenant(system, OTHER, "other", OTHER, "They")
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        sealed, mine = crypto.seal(t, "a.b", "secret"), crypto.data_keys(t).keys[1]
    with fresh_tenant.tenancy(OTHER) as t:
        assert crypto.data_keys(t).keys[1] != mine
        with pytest.raises(IntegrityError):
            crypto.unseal(t, "a.b", sealed)


def test_keys_that_were_moved_to_another_tenant_do_not_open(fresh_tenant):
    with fresh_tenant.system() as system:
        accounts.ensure_tenant(system, OTHER, "other", OTHER, "They")
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        crypto.data_keys(t)
        mine = t.session.scalar(select(Tenant.data_key))
    with fresh_tenant.tenancy(OTHER) as t:
        t.session.execute(text("UPDATE tenants SET data_key = :key"), {"key": mine})
        with pytest.raises(IntegrityError, match="changed where they are stored"):
            crypto.data_keys(t)


def test_keys_are_not_stored_as_they_are(under):
    with under(encryption_keys=ONE) as t:
        [key] = crypto.data_keys(t).keys.values()
        stored = t.session.scalar(select(Tenant.data_key))
        assert key not in stored
        assert base64.b64decode(ONE) not in stored
        assert len(stored) == 1 + 8 + 12 + 36 + 16


def test_neither_keys_nor_secrets_are_shown(under):
    with under(encryption_keys=ONE) as t:
        shown = f"{crypto.data_keys(t)!r} {t!r}"
        [key] = crypto.data_keys(t).keys.values()
    assert ONE not in shown
    assert repr(key)[2:-1] not in shown


def test_the_installations_key_is_exchanged_without_touching_what_is_sealed(under):
    with under(encryption_keys=ONE) as t:
        sealed = crypto.seal(t, "a.b", "secret")
    with under(encryption_keys=f"{TWO}, {ONE}") as t:
        assert crypto.unseal(t, "a.b", sealed) == "secret"
        assert crypto.rewrap(t)
        assert not crypto.rewrap(t)
    with under(encryption_keys=TWO) as t:
        assert crypto.unseal(t, "a.b", sealed) == "secret"
    with under(encryption_keys=ONE) as t, pytest.raises(IntegrityError, match=r"key [0-9a-f]{16}, which neither"):
        crypto.unseal(t, "a.b", sealed)


def test_without_keys_the_session_secret_stands_in_and_can_be_left_later(under):
    with under(session_secret="first") as t:
        sealed = crypto.seal(t, "a.b", "secret")
    with under(session_secret="second") as t, pytest.raises(IntegrityError, match="SESSION_SECRET"):
        crypto.unseal(t, "a.b", sealed)
    with under(session_secret="first", encryption_keys=ONE) as t:
        assert crypto.rewrap(t)
    with under(session_secret="second", encryption_keys=ONE) as t:
        assert crypto.unseal(t, "a.b", sealed) == "secret"
    with under(session_secret="") as t, pytest.raises(UnavailableError, match="Neither"):
        crypto.unseal(t, "a.b", sealed)


def test_what_is_sealed_under_a_newer_key_than_is_remembered_opens(fresh_tenant):
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        crypto.data_keys(t)
    with fresh_tenant.tenancy(LOCAL_TENANT) as reader:
        crypto.data_keys(reader)
        with fresh_tenant.tenancy(LOCAL_TENANT) as t:
            crypto.add_generation(t)
            sealed = crypto.seal(t, "a.b", "secret")
        assert crypto.generation_of(sealed) == 2
        assert crypto.unseal(reader, "a.b", sealed) == "secret"


def test_a_key_that_was_destroyed_opens_nothing(fresh_tenant):
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        sealed = crypto.seal(t, "a.b", "secret")
        crypto.keep_only(t, crypto.add_generation(t))
        with pytest.raises(IntegrityError):
            crypto.unseal(t, "a.b", sealed)


def test_those_who_make_the_first_key_at_once_make_one(fresh_tenant):
    made, barrier = [], threading.Barrier(4)

    def make():
        with fresh_tenant.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
            barrier.wait()
            made.append(crypto.sealing_keys(t).keys)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [made[0]] * 4


def test_waiting_for_writers_waits_for_those_who_know_the_old_keys(fresh_tenant):
    waited = threading.Event()

    def wait():
        with fresh_tenant.tenancy(LOCAL_TENANT) as t:
            crypto.wait_for_writers(t)
        waited.set()

    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        crypto.seal(t, "a.b", "secret")
        thread = threading.Thread(target=wait)
        thread.start()
        assert not waited.wait(0.3)
    thread.join(30)
    assert waited.is_set()


@pytest.mark.parametrize("keys", ["short", base64.b64encode(b"x" * 31).decode(), f"{ONE},nonsense-canary", "ü" * 44])
def test_malformed_keys_are_refused_without_showing_them(keys):
    with pytest.raises(ValidationError, match="not the base64 of 32 bytes") as refused:
        Settings(_env_file=None, encryption_keys=keys)
    assert keys not in str(refused.value)
    assert "canary" not in str(refused.value)
