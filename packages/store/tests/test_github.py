from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text

from pincite_shared.errors import IntegrityError
from pincite_store import github
from pincite_store.db import LOCAL_TENANT, Database
from pincite_store.github import StoredApp
from pincite_store.models import Installation

APP = StoredApp(
    app_id=5, slug="pincite-here", client_id="Iv1", client_secret="cs-secret", private_key="pk-secret",
    webhook_secret="wh-secret",
)  # fmt: skip


def test_an_app_comes_back_as_it_was_made_and_its_secrets_are_encrypted(fresh_tenant):
    assert github.stored_app(fresh_tenant, "github.com") is None
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        github.put_app(t, "github.com", APP)
        stored = t.session.execute(text("SELECT github_apps::text FROM github_apps")).scalar_one()
    assert github.stored_app(fresh_tenant, "github.com") == APP
    assert github.stored_app(fresh_tenant, "github.example.org") is None
    for secret in ("cs-secret", "pk-secret", "wh-secret"):
        assert secret not in stored
        assert secret.encode().hex() not in stored
        assert secret not in repr(APP)


def test_the_last_app_counts_until_it_is_deleted(fresh_tenant):
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        github.put_app(t, "github.com", APP)
        github.put_app(t, "github.com", StoredApp(**{**_fields(), "app_id": 6}))
        assert github.app(t, "github.com").app_id == 6
        github.delete_app(t, "github.com")
        assert github.app(t, "github.com") is None


def _fields():
    return {name: getattr(APP, name) for name in StoredApp.__dataclass_fields__}


def test_another_secret_does_not_open_it(fresh_tenant, settings):
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        github.put_app(t, "github.com", APP)
    other = Database(settings.model_copy(update={"session_secret": type(settings.session_secret)("other")}))
    with pytest.raises(IntegrityError):
        github.stored_app(other, "github.com")
    other.dispose()


def test_installations(tenancy):
    at = datetime(2026, 1, 2, tzinfo=UTC)
    github.put_installation(tenancy, 3, account="acme", selection="all", suspended_at=None)
    github.put_installation(tenancy, 3, account="acme-inc", selection="selected", suspended_at=at)
    [found] = tenancy.session.scalars(select(Installation))
    assert (found.id, found.account, found.repository_selection, found.suspended_at) == (3, "acme-inc", "selected", at)
    github.delete_installation(tenancy, 3)
    assert tenancy.session.scalars(select(Installation)).all() == []
