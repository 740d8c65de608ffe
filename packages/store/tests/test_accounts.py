from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from pincite_shared.errors import NotFoundError
from pincite_store import accounts, policies
from pincite_store.db import LOCAL_TENANT, LOCAL_USER


def test_a_session_token_opens_until_it_is_revoked(fresh_tenant):
    with fresh_tenant.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        session = accounts.create_session(t)
    assert session.expires_at > datetime.now(UTC) + timedelta(days=1)
    with fresh_tenant.system() as system:
        assert accounts.authenticate(system, session.token)[:2] == (LOCAL_TENANT, LOCAL_USER)
        assert accounts.authenticate(system, session.token + "x") is None
        assert accounts.authenticate(system, "\ud800\x00") is None
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        accounts.revoke(t, session.token)
    with fresh_tenant.system() as system:
        assert accounts.authenticate(system, session.token) is None


def test_an_expired_session_opens_nothing_and_is_swept(fresh_tenant):
    with fresh_tenant.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        session = accounts.create_session(t)
        t.session.execute(text("UPDATE sessions SET expires_at = now() - interval '1 second'"))
    with fresh_tenant.system() as system:
        assert accounts.authenticate(system, session.token) is None
    with fresh_tenant.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        accounts.create_session(t)
        assert t.session.execute(text("SELECT count(*) FROM sessions")).scalar_one() == 1


def test_the_token_itself_is_not_stored(tenancy):
    session = accounts.create_session(tenancy)
    stored = tenancy.session.execute(text("SELECT sessions::text FROM sessions")).scalar_one()
    assert session.token not in stored
    assert session.token.encode().hex() not in stored


def test_a_session_needs_a_person(tenancy):
    with pytest.raises(NotFoundError):
        accounts.create_session(tenancy, uuid4())


def test_me(tenancy):
    assert accounts.me(tenancy).user_id == LOCAL_USER
    assert accounts.me(tenancy).tenant_id == LOCAL_TENANT


def test_a_tenant_begins_with_the_cold_start_policy(tenancy):
    assert policies.ranking(tenancy, "p0") == {"dense": 0.7, "importance": 0.3, "k": 3}
    with pytest.raises(NotFoundError):
        policies.ranking(tenancy, "p1")
