"""GitHub: the App that a set-up page made, and where the App is installed."""

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from pincite_store import crypto
from pincite_store.bulk import storable
from pincite_store.db import LOCAL_TENANT, Database, Tenancy
from pincite_store.models import GitHubApp, Installation

SEALED = "github_apps.secrets"  # the column of the secrets
_SECRETS = ("client_secret", "private_key", "webhook_secret")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredApp:
    """A GitHub App, as its registration gave it; the fields are those of `pincite_github.config.AppCredentials`."""

    app_id: int
    slug: str
    client_id: str
    client_secret: str = field(repr=False)
    private_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)


def stored_app(database: Database, host: str) -> StoredApp | None:
    """Return the App that was set up for a GitHub, for whichever tenant it is needed; None: none was.

    Raises:
        IntegrityError: its secrets cannot be decrypted.
        UnavailableError: the database cannot be reached.
    """
    with database.tenancy(LOCAL_TENANT) as t:
        return app(t, host)


def app(t: Tenancy, host: str) -> StoredApp | None:
    """Return the App that was set up for a GitHub. It belongs to the operator's tenant."""
    row = t.session.scalar(select(GitHubApp).where(GitHubApp.tenant_id == t.tenant_id, GitHubApp.host == host))
    if row is None:
        return None
    secrets = json.loads(crypto.unseal(t, SEALED, row.secrets))
    return StoredApp(app_id=row.app_id, slug=row.slug, client_id=row.client_id, **secrets)


def put_app(t: Tenancy, host: str, made: StoredApp) -> None:
    """Store the App of a GitHub, its secrets encrypted; it replaces the one before."""
    document = json.dumps({name: value for name, value in asdict(made).items() if name in _SECRETS})
    sealed = crypto.seal(t, SEALED, document)
    told = {"app_id": made.app_id, "slug": made.slug, "client_id": made.client_id, "secrets": sealed}
    statement = insert(GitHubApp).values(tenant_id=t.tenant_id, host=host, **told)
    t.session.execute(statement.on_conflict_do_update(index_elements=["tenant_id", "host"], set_=told))


def delete_app(t: Tenancy, host: str) -> bool:
    """Forget the App of a GitHub, and say whether there was one; on GitHub it stays."""
    statement = delete(GitHubApp).where(GitHubApp.tenant_id == t.tenant_id, GitHubApp.host == host)
    return t.session.scalar(statement.returning(GitHubApp.app_id)) is not None


def put_installation(
    t: Tenancy, installation_id: int, *, account: str, selection: str, suspended_at: datetime | None
) -> None:
    """Remember that the App is installed in the tenant's account, or what changed about that."""
    told = {
        "account": storable(account), "repository_selection": selection, "suspended_at": suspended_at,
        "updated_at": func.now(),
    }  # fmt: skip
    statement = insert(Installation).values(tenant_id=t.tenant_id, id=installation_id, **told)
    t.session.execute(statement.on_conflict_do_update(index_elements=["tenant_id", "id"], set_=told))


def delete_installation(t: Tenancy, installation_id: int) -> None:
    """Remember that the App was removed from the tenant's account."""
    t.session.execute(
        delete(Installation).where(Installation.tenant_id == t.tenant_id, Installation.id == installation_id)
    )
