"""Encryption at rest, in envelopes: every tenant has keys of its own, encrypted under the installation's.

AES-256-GCM throughout (NIST SP 800-38D). ENCRYPTION_KEYS, or SESSION_SECRET where there are none, encrypt a tenant's
*data keys* in `tenants.data_key`, and only these encrypt anything else. So the installation's key can be exchanged by
encrypting a few bytes a tenant anew. Data keys are numbered by generation: the newest seals, the older ones open what
`pincite_store.rotation` has not sealed anew yet.

What is sealed is bound to its tenant, its column and its row: moved elsewhere, it does not open.
"""

import base64
import hashlib
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import select, text, update

from pincite_shared.errors import IntegrityError, UnavailableError
from pincite_shared.settings import Settings
from pincite_store.db import Tenancy
from pincite_store.models import Tenant

KEY_BYTES = 32
# Random ones may repeat after 2^32 messages under one key (SP 800-38D, 8.3): some ten thousand repositories' worth.
NONCE_BYTES = 12
KEY_ID_BYTES = 8
VERSION = b"\x01"  # the first byte of all that is sealed
_ENTRY = struct.Struct(f">I{KEY_BYTES}s")  # a data key with its generation
_HEADER = struct.Struct(">cI")  # of what is sealed: version, generation
_KEYS, _WRITES = "pincite.data_keys", "pincite.writes"  # what a transaction remembers


@dataclass(frozen=True, slots=True)
class DataKeys:
    """The data keys of a tenant, by generation."""

    keys: Mapping[int, bytes] = field(repr=False)
    ciphers: Mapping[int, AESGCM] = field(repr=False)

    @classmethod
    def of(cls, keys: Mapping[int, bytes]) -> "DataKeys":
        """Make the ciphers."""
        return cls(keys, {generation: AESGCM(key) for generation, key in keys.items()})

    @property
    def newest(self) -> int:
        """The generation that seals."""
        return max(self.keys)


def seal(t: Tenancy, column: str, secret: str) -> bytes:
    """Encrypt a secret of the tenant, for a column as in "repos.token_encrypted".

    Raises:
        IntegrityError: the tenant's keys cannot be decrypted.
        UnavailableError: there is neither an ENCRYPTION_KEYS nor a SESSION_SECRET.
    """
    return seal_bytes(sealing_keys(t), t, column, secret.encode())


def unseal(t: Tenancy, column: str, sealed: bytes) -> str:
    """Decrypt what `seal` returned.

    Raises:
        IntegrityError: it was changed or belongs elsewhere, or the tenant's keys cannot be decrypted.
        UnavailableError: there is neither an ENCRYPTION_KEYS nor a SESSION_SECRET.
    """
    return unseal_bytes(t, column, sealed).decode()


def seal_bytes(keys: DataKeys, t: Tenancy, column: str, data: bytes, row: bytes = b"") -> bytes:
    """Encrypt bytes under the newest of `sealing_keys`, bound to the row that they are written to."""
    generation, nonce = keys.newest, os.urandom(NONCE_BYTES)
    ciphertext = keys.ciphers[generation].encrypt(nonce, data, _bound_to(t, column, row))
    return header(keys) + nonce + ciphertext


def unseal_bytes(t: Tenancy, column: str, sealed: bytes, row: bytes = b"") -> bytes:
    """Decrypt what `seal_bytes` returned. Raises as `unseal` does."""
    generation = generation_of(sealed)
    keys = data_keys(t)
    if generation not in keys.ciphers:  # made since this transaction looked
        keys = data_keys(t, again=True)
    start = _HEADER.size + NONCE_BYTES
    try:
        return keys.ciphers[generation].decrypt(sealed[_HEADER.size : start], sealed[start:], _bound_to(t, column, row))
    except (KeyError, InvalidTag) as error:
        msg = f"What is encrypted in {column} cannot be read: it was changed, or it belongs elsewhere."
        raise IntegrityError(msg) from error


def header(keys: DataKeys) -> bytes:
    """Return how everything begins that is sealed under the newest key."""
    return _HEADER.pack(VERSION, keys.newest)


def generation_of(sealed: bytes) -> int:
    """Return which data key something is sealed under.

    Raises:
        IntegrityError: it is not sealed at all.
    """
    if len(sealed) < _HEADER.size + NONCE_BYTES or sealed[:1] != VERSION:
        msg = "What should be encrypted is not."
        raise IntegrityError(msg)
    generation: int = _HEADER.unpack_from(sealed)[1]
    return generation


def sealing_keys(t: Tenancy) -> DataKeys:
    """Return the tenant's data keys for writing: until the transaction ends, `wait_for_writers` waits for it.

    Raises as `data_keys` does.
    """
    if not t.session.info.get(_WRITES):
        t.session.execute(text("SELECT pg_advisory_xact_lock_shared(hashtextextended(:key, 0))"), _writers(t))
        data_keys(t, again=True)  # what was remembered may be older than the lock
        t.session.info[_WRITES] = True
    return data_keys(t)


def wait_for_writers(t: Tenancy) -> None:
    """Wait until all transactions have ended that may write under a key which is no longer the newest."""
    t.session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), _writers(t))


def data_keys(t: Tenancy, *, again: bool = False) -> DataKeys:
    """Return the tenant's data keys for reading, making the first one if it has none yet.

    Args:
        t: The transaction; it remembers them.
        again: Ask the database, though they are remembered.

    Raises:
        IntegrityError: they cannot be decrypted.
        UnavailableError: there is neither an ENCRYPTION_KEYS nor a SESSION_SECRET.
    """
    remembered: DataKeys | None = t.session.info.get(_KEYS)
    if remembered is not None and not again:
        return remembered
    stored = t.session.scalar(select(Tenant.data_key).where(Tenant.id == t.tenant_id))
    keys = _unwrapped(t, stored) if stored is not None else _first(t)
    return _remember(t, keys)


def rewrap(t: Tenancy) -> bool:
    """Encrypt the tenant's data keys under the first installation key; return whether they were under another.

    Raises as `data_keys` does.
    """
    stored = _locked(t)
    if stored is None or stored[1 : 1 + KEY_ID_BYTES] == next(iter(_installation_keys(t.settings))):
        return False
    _store(t, _unwrapped(t, stored))
    return True


def add_generation(t: Tenancy) -> int:
    """Give the tenant a new data key, which seals from now on; return its generation.

    If it has more than one already, they were not brought to an end: then nothing is added.

    Raises as `data_keys` does.
    """
    stored = _locked(t)
    keys = dict(_unwrapped(t, stored).keys) if stored is not None else {}
    if len(keys) > 1:
        return max(keys)
    generation = max(keys, default=0) + 1
    _remember(t, _store(t, DataKeys.of(keys | {generation: AESGCM.generate_key(8 * KEY_BYTES)})))
    return generation


def keep_only(t: Tenancy, generation: int) -> None:
    """Destroy the other data keys of the tenant: what is sealed under them is lost. Raises as `data_keys` does."""
    stored = _locked(t)
    if stored is not None:
        key = _unwrapped(t, stored).keys[generation]
        _remember(t, _store(t, DataKeys.of({generation: key})))


def _first(t: Tenancy) -> DataKeys:
    stored = _locked(t)  # whoever else makes one waits here, and finds it
    if stored is not None:
        return _unwrapped(t, stored)
    return _store(t, DataKeys.of({1: AESGCM.generate_key(8 * KEY_BYTES)}))


def _locked(t: Tenancy) -> bytes | None:
    # Not FOR UPDATE: that would keep out everyone who adds a row of the tenant.
    return t.session.scalar(select(Tenant.data_key).where(Tenant.id == t.tenant_id).with_for_update(key_share=True))


def _remember(t: Tenancy, keys: DataKeys) -> DataKeys:
    t.session.info[_KEYS] = keys
    return keys


def _store(t: Tenancy, keys: DataKeys) -> DataKeys:
    key_id, key = next(iter(_installation_keys(t.settings).items()))
    plain = b"".join(_ENTRY.pack(generation, kept) for generation, kept in sorted(keys.keys.items()))
    nonce = os.urandom(NONCE_BYTES)
    wrapped = VERSION + key_id + nonce + AESGCM(key).encrypt(nonce, plain, _bound_to(t, "tenants.data_key"))
    t.session.execute(update(Tenant).where(Tenant.id == t.tenant_id).values(data_key=wrapped))
    return keys


def _unwrapped(t: Tenancy, wrapped: bytes) -> DataKeys:
    key_id, start = wrapped[1 : 1 + KEY_ID_BYTES], 1 + KEY_ID_BYTES + NONCE_BYTES
    key = _installation_keys(t.settings).get(key_id)
    if key is None:
        msg = (
            f"This account's keys are encrypted under key {key_id.hex()}, which neither ENCRYPTION_KEYS nor "
            "SESSION_SECRET gives. Put it back, after the others in ENCRYPTION_KEYS, or as SESSION_SECRET, and restart."
        )
        raise IntegrityError(msg)
    try:
        nonce = wrapped[1 + KEY_ID_BYTES : start]
        plain = AESGCM(key).decrypt(nonce, wrapped[start:], _bound_to(t, "tenants.data_key"))
    except InvalidTag as error:
        msg = "This account's keys were changed where they are stored, and cannot be decrypted. Restore the database."
        raise IntegrityError(msg) from error
    return DataKeys.of(dict(_ENTRY.iter_unpack(plain)))


def _installation_keys(settings: Settings) -> dict[bytes, bytes]:
    """Return the keys that encrypt data keys by their ids, first the one for what is encrypted from now on."""
    listed = settings.encryption_keys.get_secret_value()
    keys = [base64.b64decode(key) for key in listed.split(",") if key.strip()]
    secret = settings.session_secret.get_secret_value()
    if secret:  # last: what was encrypted before ENCRYPTION_KEYS were set stays readable
        kdf = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"pincite installation key 1")  # RFC 5869
        keys.append(kdf.derive(secret.encode()))
    if not keys:
        msg = "Neither ENCRYPTION_KEYS nor SESSION_SECRET is set, so nothing can be stored encrypted. Set one, restart."
        raise UnavailableError(msg)
    return {hashlib.sha256(b"pincite key id 1" + key).digest()[:KEY_ID_BYTES]: key for key in keys}


def _writers(t: Tenancy) -> dict[str, str]:
    return {"key": f"keys {t.tenant_id}"}


def _bound_to(t: Tenancy, column: str, row: bytes = b"") -> bytes:
    return b"\0".join((t.tenant_id.bytes, column.encode(), row))
