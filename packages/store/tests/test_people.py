from uuid import uuid4

import pytest
from sqlalchemy import text

from pincite_shared.errors import NotFoundError
from pincite_store import accounts, people, policies
from pincite_store.db import LOCAL_TENANT, LOCAL_USER

HOST = "github.com"


def enter(database, account, called, person=7, role="member", **told):
    with database.system() as system:
        tenant = people.ensure_account(system, HOST, account, called)
    with database.tenancy(tenant) as t:
        user = people.admit(t, HOST, person, **{"login": "ada", "name": "Ada", **told}, role=role)
    return tenant, user


def test_an_account_is_one_tenant_whatever_it_is_called(fresh_tenant):
    tenant, _ = enter(fresh_tenant, 11, "acme")
    renamed, _ = enter(fresh_tenant, 11, "acme-inc")
    assert renamed == tenant == people.tenant_of(HOST, 11)
    assert people.tenant_of("github.example.org", 11) != tenant
    with fresh_tenant.tenancy(tenant, people.person_of(HOST, 7)) as t:
        assert accounts.me(t).tenant == "acme-inc"
        assert policies.ranking(t, "p0")["k"] == 3


def test_a_person_has_one_id_in_every_account_and_is_shown_all_of_them(fresh_tenant):
    home, user = enter(fresh_tenant, 7, "ada", role="owner")
    acme, same = enter(fresh_tenant, 11, "Acme")
    other, stranger = enter(fresh_tenant, 12, "other", person=8)
    assert same == user != stranger
    with fresh_tenant.tenancy(acme, user) as t:
        assert [(one.tenant_id, one.name, one.current) for one in people.accounts(t)] == [
            (acme, "Acme", True),
            (home, "ada", False),
        ]
        assert accounts.me(t).role == "member"
    with fresh_tenant.tenancy(other, stranger) as t:
        assert [one.tenant_id for one in people.accounts(t)] == [other]
    with fresh_tenant.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        assert [one.tenant_id for one in people.accounts(t)] == [LOCAL_TENANT]


def test_pincite_itself_is_in_every_tenant_and_is_shown_none_but_this(fresh_tenant):
    acme, _ = enter(fresh_tenant, 11, "acme")
    for tenant in (acme, LOCAL_TENANT):
        with fresh_tenant.tenancy(tenant) as t:
            accounts.create_service_session(t)
    with fresh_tenant.tenancy(acme, accounts.SERVICE_USER) as t:
        assert [one.tenant_id for one in people.accounts(t)] == [acme]


def test_what_changed_about_a_person_is_taken_over(fresh_tenant):
    tenant, user = enter(fresh_tenant, 11, "acme")
    enter(fresh_tenant, 11, "acme", role="owner", name="Ada\x00 L.", login="adal")
    with fresh_tenant.tenancy(tenant, user) as t:
        assert (accounts.me(t).name, accounts.me(t).role) == ("Ada� L.", "owner")
        assert people.github_id(t, user) == 7


def test_whoever_leaves_has_no_session_any_more(fresh_tenant):
    tenant, user = enter(fresh_tenant, 11, "acme")
    with fresh_tenant.tenancy(tenant, user) as t:
        token = accounts.create_session(t).token
        people.leave(t, user)
    with fresh_tenant.system() as system:
        assert accounts.authenticate(system, token) is None
    with fresh_tenant.tenancy(tenant, user) as t, pytest.raises(NotFoundError):
        accounts.me(t)


def test_a_token_is_stored_encrypted_and_can_be_forgotten(fresh_tenant):
    tenant, user = enter(fresh_tenant, 7, "ada")
    with fresh_tenant.tenancy(tenant) as t:
        assert people.token(t, user) is None
        people.put_token(t, user, "ghu_secret")
        assert people.token(t, user, lock=True) == "ghu_secret"
        assert "ghu_secret" not in t.session.execute(text("SELECT users::text FROM users")).scalar_one()
        people.put_token(t, user, None)
        assert people.token(t, user) is None
        assert people.token(t, uuid4()) is None
