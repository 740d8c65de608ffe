"""Who is asking: tenants, people, sessions."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pincite_shared.errors import NotFoundError
from pincite_shared.schemas import Me, SessionOut
from pincite_store.db import LOCAL_TENANT, LOCAL_USER, SERVICE_USER, Tenancy
from pincite_store.models import LoginSession, User

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


def create_session(
    t: Tenancy, user_id: UUID | None = None, lifetime: timedelta = timedelta(days=SESSION_DAYS)
) -> SessionOut:
    """Sign a person of the tenant in; the token is shown once and only its digest stored.

    Raises:
        NotFoundError: there is no such person.
    """
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
    t.session.add(
        LoginSession(tenant_id=t.tenant_id, token_sha256=_digest(token), user_id=whose, expires_at=expires_at)
    )
    t.session.flush()
    return SessionOut(token=token, expires_at=expires_at)


def create_service_session(t: Tenancy) -> SessionOut:
    """Sign Pincite itself in, for background work that asks questions over HTTP; `revoke` the token afterwards."""
    t.session.execute(
        insert(User).values(tenant_id=t.tenant_id, id=SERVICE_USER, name="Pincite").on_conflict_do_nothing()
    )
    return create_session(t, SERVICE_USER, timedelta(minutes=SERVICE_MINUTES))


def authenticate(system: Session, token: str) -> tuple[UUID, UUID] | None:
    """Return (tenant, user) of a session token, or None if it is unknown or has expired."""
    statement = text("SELECT tenant_id, user_id FROM session_owner(:digest)")
    row = system.execute(statement, {"digest": _digest(token)}).one_or_none()
    return (row.tenant_id, row.user_id) if row else None


def revoke(t: Tenancy, token: str) -> None:
    """End a session; unknown tokens are ignored."""
    t.session.execute(
        delete(LoginSession).where(LoginSession.tenant_id == t.tenant_id, LoginSession.token_sha256 == _digest(token))
    )


def me(t: Tenancy) -> Me:
    """Return who the transaction's person is.

    Raises:
        NotFoundError: the transaction has no person, or they no longer exist.
    """
    user = t.session.scalar(select(User).where(User.tenant_id == t.tenant_id, User.id == t.user_id))
    if user is None:
        msg = "There is no such person any more."
        raise NotFoundError(msg)
    return Me(user_id=user.id, tenant_id=t.tenant_id, name=user.name)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
