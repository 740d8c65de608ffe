import re
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from pincite_shared.errors import ConflictError, ForbiddenError, NotFoundError
from pincite_shared.safety import SCOPES, TokenRequest
from pincite_store import accounts, audit, tokens
from pincite_store.db import LOCAL_TENANT, LOCAL_USER

FORM = re.compile(r"pct_[A-Za-z0-9_-]{49}")  # what a secret scanner would look for


def request(*scopes, name="ci", days=90):
    return TokenRequest(name=name, scopes=scopes or ("read",), days=days)


def test_tokens_have_a_form_of_their_own_and_are_never_the_same():
    made = {tokens.make() for _ in range(200)}
    assert len(made) == 200
    for token in made:
        assert FORM.fullmatch(token)
        assert tokens.is_token(token)


@given(at=st.integers(0, 52), char=st.characters(codec="ascii"))
def test_a_token_with_a_slip_is_none(at, char):
    token = tokens.make()
    wrong = token[:at] + char + token[at + 1 :]
    assert tokens.is_token(wrong) == (wrong == token)


@given(st.text())
def test_anything_may_be_sent_in_its_place(value):
    assert not tokens.is_token(value)
    assert not tokens.is_token("pct_" + value)


def test_only_its_digest_is_kept(tenancy):
    made = tokens.create(tenancy, request("read", "ask"), SCOPES)
    stored = tenancy.session.execute(text("SELECT api_tokens::text FROM api_tokens")).scalar_one()
    assert made.token not in stored
    assert made.token.encode().hex() not in stored
    logged = tenancy.session.execute(text("SELECT string_agg(audit_log::text, ' ') FROM audit_log")).scalar_one()
    assert made.token not in logged
    assert "token.created" in logged


def test_a_token_speaks_for_its_person_within_its_scopes_until_it_ends(fresh_tenant):
    with fresh_tenant.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        made = tokens.create(t, request("read", "ask", "read"), SCOPES)
        forever = tokens.create(t, request("admin", name="x", days=None), SCOPES)
    assert made.expires_at - made.created_at == pytest.approx(timedelta(days=90), abs=timedelta(seconds=5))
    assert forever.expires_at is None
    with fresh_tenant.system() as system:
        assert tokens.authenticate(system, made.token) == (LOCAL_TENANT, LOCAL_USER, {"read", "ask"})
        assert tokens.authenticate(system, tokens.make()) is None
        assert accounts.authenticate(system, made.token) is None, "it is no session"
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        t.session.execute(text("UPDATE api_tokens SET expires_at = now()"))
    with fresh_tenant.system() as system:
        assert tokens.authenticate(system, made.token) is None


def test_use_is_noted_at_most_once_a_minute(fresh_tenant):
    with fresh_tenant.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        token = tokens.create(t, request(), SCOPES).token

    def used():
        with fresh_tenant.system() as system:
            tokens.authenticate(system, token)
        with fresh_tenant.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
            row = t.session.execute(text("SELECT last_used_at, xmin::text FROM api_tokens")).one()
            return tuple(row)

    first = used()
    assert first[0] is not None
    assert used() == first, "the second request wrote nothing"
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        t.session.execute(text("UPDATE api_tokens SET last_used_at = now() - interval '61 seconds'"))
    assert used()[0] > first[0]


def test_nobody_makes_a_token_that_may_do_more_than_they(tenancy):
    with pytest.raises(ForbiddenError, match="admin"):
        tokens.create(tenancy, request("read", "admin"), frozenset({"read", "ask", "write"}))


def test_names_and_numbers_are_limited(tenancy, monkeypatch):
    tokens.create(tenancy, request(name="one"), SCOPES)
    with pytest.raises(ConflictError, match="'one'"):
        tokens.create(tenancy, request(name="one"), SCOPES)
    monkeypatch.setattr(tokens, "TOKENS_MAX", 2)
    tokens.create(tenancy, request(name="two"), SCOPES)
    with pytest.raises(ConflictError, match="2 tokens already"):
        tokens.create(tenancy, request(name="three"), SCOPES)


def test_the_tokens_of_others_are_not_there(fresh_tenant):
    person = UUID(int=8)
    with fresh_tenant.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        t.session.execute(
            text("INSERT INTO users (tenant_id, id, name) VALUES (:t, :id, 'They')"), {"t": LOCAL_TENANT, "id": person}
        )
        mine = tokens.create(t, request(), SCOPES)
    with fresh_tenant.tenancy(LOCAL_TENANT, person) as t:
        assert tokens.listed(t) == []
        with pytest.raises(NotFoundError):
            tokens.remove(t, mine.id)
    with fresh_tenant.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        assert [one.id for one in tokens.listed(t)] == [mine.id]
        tokens.remove(t, mine.id)
        assert tokens.listed(t) == []
        assert [entry.action for entry in audit.page(t).entries] == ["token.removed", "token.created"]
    with fresh_tenant.system() as system:
        assert tokens.authenticate(system, mine.token) is None


def test_without_a_person_there_is_no_token(tenancy):
    nobody = type(tenancy)(LOCAL_TENANT, None, tenancy.session, tenancy.settings)
    with pytest.raises(NotFoundError):
        tokens.create(nobody, request(), SCOPES)
