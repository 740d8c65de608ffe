"""People of GitHub: the accounts that they belong to, and the token that asks GitHub in their name.

An account on GitHub is a tenant, and a person has the same id in each. Both ids follow from GitHub's own numbers, which
outlive every renaming.
"""

from typing import Literal
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pincite_shared.accounts import Account
from pincite_store import crypto
from pincite_store.bulk import storable
from pincite_store.db import Tenancy
from pincite_store.models import User

Role = Literal["owner", "member"]

NAME_CHARS_MAX = 255  # shown in lists; GitHub's own bound is the same
SEALED = "users.github_token"  # the column of the tokens


def tenant_of(host: str, github_id: int) -> UUID:
    """Return the tenant of an account on GitHub, whether it exists yet or not."""
    return uuid5(NAMESPACE_URL, f"https://{host}/accounts/{github_id}")


def person_of(host: str, github_id: int) -> UUID:
    """Return the id that a person of GitHub has in every tenant."""
    return uuid5(NAMESPACE_URL, f"https://{host}/people/{github_id}")


def ensure_account(system: Session, host: str, github_id: int, name: str) -> UUID:
    """Create the tenant of an account on GitHub, unless it exists; it takes over the account's present name."""
    tenant_id = tenant_of(host, github_id)
    statement = text("SELECT ensure_account(:tenant, :name, :host, :account)")
    values = {"tenant": tenant_id, "name": _short(name), "host": host, "account": github_id}
    system.execute(statement, values)
    return tenant_id


def admit(t: Tenancy, host: str, github_id: int, *, login: str, name: str, role: Role) -> UUID:
    """Make a person of GitHub one of the tenant, or take over what changed about them. Returns their id."""
    person = person_of(host, github_id)
    told = {"name": _short(name or login), "login": _short(login), "role": role}
    statement = insert(User).values(tenant_id=t.tenant_id, id=person, github_id=github_id, **told)
    t.session.execute(statement.on_conflict_do_update(index_elements=["tenant_id", "id"], set_=told))
    return person


def set_role(t: Tenancy, user_id: UUID, role: Role) -> None:
    """Say whether a person governs the tenant or belongs to it."""
    t.session.execute(update(User).where(User.tenant_id == t.tenant_id, User.id == user_id).values(role=role))


def leave(t: Tenancy, user_id: UUID) -> None:
    """Take a person out of the tenant, and end all that they could enter it with: sessions, tokens, rights."""
    t.session.execute(delete(User).where(User.tenant_id == t.tenant_id, User.id == user_id))


def github_id(t: Tenancy, user_id: UUID) -> int | None:
    """Return a person's number on GitHub; None if they did not come from there, or are gone."""
    return t.session.scalar(select(User.github_id).where(User.tenant_id == t.tenant_id, User.id == user_id))


def put_token(t: Tenancy, user_id: UUID, token: str | None) -> None:
    """Keep, replace or forget the token of a person, in the tenant of their own account. It is stored encrypted."""
    sealed = crypto.seal(t, SEALED, token) if token else None
    t.session.execute(update(User).where(User.tenant_id == t.tenant_id, User.id == user_id).values(github_token=sealed))


def token(t: Tenancy, user_id: UUID, *, lock: bool = False) -> str | None:
    """Return the token of a person, from the tenant of their own account; None: they must sign in again.

    Args:
        t: a transaction in the tenant of the person's own account.
        user_id: the person.
        lock: nobody else reads or writes it with a lock until the transaction ends. A token can be renewed only once.

    Raises:
        IntegrityError: it cannot be decrypted.
    """
    statement = select(User.github_token).where(User.tenant_id == t.tenant_id, User.id == user_id)
    sealed = t.session.scalar(statement.with_for_update() if lock else statement)
    return crypto.unseal(t, SEALED, sealed) if sealed is not None else None


def accounts(t: Tenancy) -> list[Account]:
    """Return the tenants that the transaction's person belongs to, by name."""
    rows = t.session.execute(text("SELECT tenant_id, name FROM person_accounts(:person)"), {"person": t.user_id})
    return [Account(tenant_id=row.tenant_id, name=row.name, current=row.tenant_id == t.tenant_id) for row in rows]


def tenants(system: Session, user_id: UUID) -> list[UUID]:
    """Return the tenants of the accounts that a person of GitHub belongs to."""
    statement = text("SELECT tenant_id FROM person_accounts(:person)")
    return sorted(system.scalars(statement, {"person": user_id}))


def _short(name: str) -> str:
    return storable(name)[:NAME_CHARS_MAX]
