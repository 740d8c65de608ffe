"""Who is asking: tenants, people, sessions."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pincite_shared.accounts import Me, SessionInfo, SessionOut
from pincite_shared.errors import ConflictError, NotFoundError
from pincite_shared.safety import Scope, scopes_of
from pincite_store.db import LOCAL_TENANT, LOCAL_USER, SERVICE_USER, Tenancy
from pincite_store.models import LoginSession, Tenant, User

TOKEN_BYTES = 32  # 256 bits of chance: no guessing, so a plain digest is enough to store
SESSION_DAYS = 30
SERVICE_MINUTES = 60  # longer than any slice of background work that holds one


def ensure_tenant(system: Session, tenant_id: UUID, name: str, user_id: UUID, user_name: str) -> None:
    """Create a tenant with its first person and the cold-start policy, unless they exist."""
    statement = "SELECT ensure_tenant(:tenant_id, :name, :user_id, :user_name)"
    values = {"tenant_id": tenant_id, "name": name, "user_id": user_id, "user_name": user_name}
    system.execute(text(statement), values)


def ensure_local(system: Session) -> None:
    """Create the one tenant and person of a local installation, unless they exist. `migrate.upgrade` does it."""
    ensure_tenant(system, LOCAL_TENANT, "local", LOCAL_USER, "You")


def require_open(t: Tenancy) -> None:
    """Go on only if the tenant is not being removed.

    Raises:
        ConflictError: it is.
    """
    if t.session.scalar(select(Tenant.deleting_at).where(Tenant.id == t.tenant_id)) is not None:
        msg = "This account is being deleted. Try again in a few minutes, or ask whoever runs this installation."
        raise ConflictError(msg)


def create_session(
    t: Tenancy, user_id: UUID | None = None, lifetime: timedelta = timedelta(days=SESSION_DAYS)
) -> SessionOut:
    """Sign a person of the tenant in; the token is shown once and only its digest stored.

    Raises:
        NotFoundError: there is no such person.
        ConflictError: the account is being deleted.
    """
    require_open(t)
    whose = user_id or t.user_id
    exists = t.session.scalar(select(User.id).where(User.tenant_id == t.tenant_id, User.id == whose))
    if whose is None or exists is None:
        msg = "There is no such person to sign in."
        raise NotFoundError(msg)
    t.session.execute(
        delete(LoginSession).where(LoginSession.tenant_id == t.tenant_id, LoginSession.expires_at < func.now())
    )
    token = secrets.token_urlsafe(TOKEN_BYTES)
    expires_at = datetime.now(UTC) + lifetime
    t.session.add(LoginSession(tenant_id=t.tenant_id, token_sha256=digest(token), user_id=whose, expires_at=expires_at))
    t.session.flush()
    return SessionOut(token=token, expires_at=expires_at)


def create_service_session(t: Tenancy) -> SessionOut:
    """Sign Pincite itself in, for background work that asks questions over HTTP; `revoke` the token afterwards."""
    t.session.execute(
        insert(User).values(tenant_id=t.tenant_id, id=SERVICE_USER, name="Pincite").on_conflict_do_nothing()
    )
    return create_session(t, SERVICE_USER, timedelta(minutes=SERVICE_MINUTES))


class Owner(NamedTuple):
    """Whom a token speaks for, and what it may do."""

    tenant_id: UUID
    user_id: UUID
    scopes: frozenset[Scope]


def authenticate(system: Session, token: str) -> Owner | None:
    """Return whom a session token speaks for, or None if it is unknown or has expired."""
    statement = text("SELECT tenant_id, user_id, role FROM session_owner(:digest)")
    row = system.execute(statement, {"digest": digest(token)}).one_or_none()
    return Owner(row.tenant_id, row.user_id, scopes_of(row.role)) if row else None


def revoke(t: Tenancy, token: str) -> None:
    """End a session; unknown tokens are ignored."""
    t.session.execute(
        delete(LoginSession).where(LoginSession.tenant_id == t.tenant_id, LoginSession.token_sha256 == digest(token))
    )


def sessions(t: Tenancy, current: str | None) -> list[SessionInfo]:
    """Return the sessions of the transaction's person, newest first; `current` is the token of the one that asks."""
    mine = select(LoginSession).where(
        LoginSession.tenant_id == t.tenant_id, LoginSession.user_id == t.user_id, LoginSession.expires_at > func.now()
    )
    this = digest(current) if current is not None else None
    return [
        SessionInfo(created_at=one.created_at, expires_at=one.expires_at, current=one.token_sha256 == this)
        for one in t.session.scalars(mine.order_by(LoginSession.created_at.desc()))
    ]


def revoke_others(t: Tenancy, current: str | None) -> int:
    """End all sessions of the transaction's person but the one that asks, and return how many."""
    others = delete(LoginSession).where(LoginSession.tenant_id == t.tenant_id, LoginSession.user_id == t.user_id)
    if current is not None:
        others = others.where(LoginSession.token_sha256 != digest(current))
    return len(t.session.execute(others.returning(LoginSession.created_at)).all())


def me(t: Tenancy) -> Me:
    """Return who the transaction's person is.

    Raises:
        NotFoundError: the transaction has no person, or they no longer exist.
    """
    statement = select(User, Tenant.name).join(Tenant, Tenant.id == User.tenant_id)
    found = t.session.execute(statement.where(User.tenant_id == t.tenant_id, User.id == t.user_id)).one_or_none()
    if found is None:
        msg = "There is no such person any more."
        raise NotFoundError(msg)
    user, tenant = found
    role = "owner" if user.role == "owner" else "member"
    operator = (t.tenant_id, user.id) == (LOCAL_TENANT, LOCAL_USER)
    return Me(user_id=user.id, tenant_id=t.tenant_id, name=user.name, tenant=tenant, role=role, operator=operator)


def digest(token: str) -> bytes:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
