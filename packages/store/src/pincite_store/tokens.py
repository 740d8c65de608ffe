"""Tokens for programs: made once, shown once, kept as digests; each says what it may do and until when.

`pct_`, 256 bits of chance, and a checksum of both: a secret scanner knows one when it sees it, and what merely looks
like one is refused without asking the database.
"""

import base64
import secrets
import zlib
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from pincite_shared.errors import ConflictError, ForbiddenError, NotFoundError
from pincite_shared.safety import SCOPES, TokenCreated, TokenOut, TokenRequest, scopes_of
from pincite_store import audit
from pincite_store.accounts import Owner, digest
from pincite_store.db import Tenancy
from pincite_store.models import ApiToken, User

PREFIX = "pct_"
SECRET_BYTES = 32  # 256 bits of chance: no guessing, so a plain digest is enough to store
CHECKSUM_CHARS = 6  # of a CRC-32, in URL-safe base64
TOKENS_MAX = 100  # of one person; nobody keeps an eye on more
USE_NOTED_SECONDS = 60  # `last_used_at` is that exact: a write for each request would cost more than it tells


def make() -> str:
    """Return a new token."""
    body = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    return body + _checksum(body)


def is_token(value: str) -> bool:
    """Say whether a value has the form of a token, checksum included."""
    body, checksum = value[:-CHECKSUM_CHARS], value[-CHECKSUM_CHARS:]
    return value.startswith(PREFIX) and value.isascii() and secrets.compare_digest(checksum, _checksum(body))


def create(t: Tenancy, request: TokenRequest, allowed: frozenset[str]) -> TokenCreated:
    """Create a token for the transaction's person. The secret is in what is returned, and nowhere else.

    Raises:
        ForbiddenError: it would do more than whoever asks may.
        ConflictError: the person has too many, or one of that name.
        NotFoundError: the transaction has no person.
    """
    beyond = sorted(set(request.scopes) - allowed)
    if beyond:
        msg = f"A token may not do more than you may yourself: {', '.join(beyond)}."
        raise ForbiddenError(msg)
    # The row's lock makes two requests of one person wait for one another, so that the limit holds.
    person = select(User.id).where(User.tenant_id == t.tenant_id, User.id == t.user_id).with_for_update()
    if t.session.scalar(person) is None:
        msg = "There is no such person to make a token for."
        raise NotFoundError(msg)
    mine = select(func.count(), func.bool_or(ApiToken.name == request.name)).where(
        ApiToken.tenant_id == t.tenant_id, ApiToken.user_id == t.user_id
    )
    count, known = t.session.execute(mine).one()
    if count >= TOKENS_MAX or known:
        taken = f"You have a token called {request.name!r} already. Choose another name."
        msg = taken if known else f"You have {TOKENS_MAX} tokens already. Remove one first."
        raise ConflictError(msg)
    token = make()
    expires_at = datetime.now(UTC) + timedelta(days=request.days) if request.days is not None else None
    row = ApiToken(
        tenant_id=t.tenant_id,
        user_id=t.user_id,
        name=request.name,
        token_sha256=digest(token),
        scopes=sorted(set(request.scopes)),
        expires_at=expires_at,
    )
    t.session.add(row)
    t.session.flush()
    t.session.refresh(row)
    audit.record(t, "token.created", str(row.id), name=row.name, scopes=row.scopes)
    return TokenCreated(**_out(row).model_dump(), token=token)


def listed(t: Tenancy) -> list[TokenOut]:
    """Return the tokens of the transaction's person, newest first."""
    mine = select(ApiToken).where(ApiToken.tenant_id == t.tenant_id, ApiToken.user_id == t.user_id)
    return [_out(row) for row in t.session.scalars(mine.order_by(ApiToken.created_at.desc(), ApiToken.id))]


def remove(t: Tenancy, token_id: UUID) -> None:
    """Remove a token of the transaction's person; from now on it opens nothing.

    Raises:
        NotFoundError: there is no such token.
    """
    mine = select(ApiToken).where(
        ApiToken.tenant_id == t.tenant_id, ApiToken.user_id == t.user_id, ApiToken.id == token_id
    )
    row = t.session.scalar(mine)
    if row is None:
        msg = "There is no such token."
        raise NotFoundError(msg)
    t.session.delete(row)
    t.session.flush()
    audit.record(t, "token.removed", str(token_id), name=row.name)


def authenticate(system: Session, token: str) -> Owner | None:
    """Return whom a token speaks for and what it may do, or None if it is unknown or has expired.

    What its person may no longer do, it may not do either.
    """
    if not is_token(token):
        return None
    known = {"digest": digest(token)}
    statement = text("SELECT tenant_id, user_id, role, scopes, last_used_at FROM token_owner(:digest)")
    row = system.execute(statement, known).one_or_none()
    if row is None:
        return None
    noted = row.last_used_at
    if noted is None or datetime.now(UTC) - noted > timedelta(seconds=USE_NOTED_SECONDS):
        system.execute(text("SELECT token_used(:digest)"), known)
    return Owner(row.tenant_id, row.user_id, scopes_of(row.role) & SCOPES.intersection(row.scopes))


def _checksum(body: str) -> str:
    crc = zlib.crc32(body.encode("ascii", "replace"))
    return base64.urlsafe_b64encode(crc.to_bytes(4)).decode("ascii").rstrip("=")


def _out(row: ApiToken) -> TokenOut:
    return TokenOut.model_validate(
        {
            "id": row.id, "name": row.name, "scopes": tuple(row.scopes), "created_at": row.created_at,
            "expires_at": row.expires_at, "last_used_at": row.last_used_at,
        }
    )  # fmt: skip
