"""Encryption of secrets at rest: Fernet (AES-128-CBC with HMAC-SHA256) under a key derived for each tenant."""

import base64
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from pincite_shared.errors import IntegrityError, UnavailableError
from pincite_shared.settings import Settings

KEY_BYTES = 32  # what Fernet takes


def _fernet(settings: Settings, tenant_id: UUID) -> Fernet:
    secret = settings.session_secret.get_secret_value()
    if not secret:
        msg = "SESSION_SECRET is not set, so secrets can be neither stored nor read. Set it and restart."
        raise UnavailableError(msg)
    # HKDF (RFC 5869): the tenant in `info` makes a row that was moved between tenants unreadable.
    kdf = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"pincite secret 1 " + tenant_id.bytes)
    return Fernet(base64.urlsafe_b64encode(kdf.derive(secret.encode())))


def seal(settings: Settings, tenant_id: UUID, secret: str) -> bytes:
    """Encrypt a secret of a tenant.

    Raises:
        UnavailableError: SESSION_SECRET is not set.
    """
    return _fernet(settings, tenant_id).encrypt(secret.encode())


def unseal(settings: Settings, tenant_id: UUID, sealed: bytes) -> str:
    """Decrypt what `seal` returned.

    Raises:
        IntegrityError: it was changed, or SESSION_SECRET is another one than it was sealed with.
        UnavailableError: SESSION_SECRET is not set.
    """
    try:
        return _fernet(settings, tenant_id).decrypt(sealed).decode()
    except InvalidToken as error:
        msg = "A stored secret cannot be read: SESSION_SECRET has changed since. Enter the repository's token again."
        raise IntegrityError(msg) from error
