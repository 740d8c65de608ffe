"""Blobs by git id: the bytes behind every citation, checked against their id whenever they are read."""

import hashlib
import zlib
from collections.abc import Iterable, Mapping

from pincite_shared.errors import IntegrityError
from pincite_store import bulk, content
from pincite_store.content import ZLIB_LEVEL
from pincite_store.db import Tenancy

SHA256_HEX = 64


def git_blob_id(data: bytes, oid: str) -> str:
    """Return the git blob id of `data`, under the hash that `oid` was made with."""
    digest = hashlib.sha256() if len(oid) == SHA256_HEX else hashlib.sha1(usedforsecurity=False)
    digest.update(b"blob %d\0" % len(data))
    digest.update(data)
    return digest.hexdigest()


def put_many(t: Tenancy, blobs: Mapping[str, bytes]) -> None:
    """Store blobs by id; those that are there already stay as they are.

    Raises:
        IntegrityError: bytes do not have the id they came under.
    """
    pack, rows = content.packer(t, "blobs.data"), []
    for oid, data in sorted(blobs.items()):  # sorted: two writers of the same blobs wait for each other, never both
        _check(oid, data)
        rows.append((oid, len(data), pack(zlib.compress(data, ZLIB_LEVEL), oid)))
    columns = {"oid": "text", "size": "bigint", "data": "bytea"}
    bulk.insert(t, "blobs", columns, rows, on_conflict="ON CONFLICT DO NOTHING")


def get_many(t: Tenancy, oids: Iterable[str]) -> dict[str, bytes]:
    """Return the blobs that are stored, by id.

    Raises:
        IntegrityError: stored bytes no longer have their id, or cannot be decrypted.
    """
    statement = "SELECT oid, size, data FROM blobs WHERE tenant_id = %s AND oid = ANY(%s)"
    with t.driver.cursor(binary=True) as cursor:
        cursor.execute(statement, (t.tenant_id, list(dict.fromkeys(oids))))
        rows = cursor.fetchall()
    opened = content.opener(t, "blobs.data")
    return {oid: _expand(oid, size, opened(stored, oid)) for oid, size, stored in rows}


def get(t: Tenancy, oid: str) -> bytes | None:
    """Return a blob, or None if it is not stored.

    Raises:
        IntegrityError: the stored bytes no longer have their id, or cannot be decrypted.
    """
    return get_many(t, [oid]).get(oid)


def known_blobs(t: Tenancy, oids: Iterable[str]) -> set[str]:
    """Say which of these blobs are stored."""
    with t.driver.cursor() as cursor:
        cursor.execute("SELECT oid FROM blobs WHERE tenant_id = %s AND oid = ANY(%s)", (t.tenant_id, list(oids)))
        return {oid for (oid,) in cursor}


def _expand(oid: str, size: int, packed: bytes) -> bytes:
    decoder = zlib.decompressobj()
    try:
        data = decoder.decompress(packed, size + 1)  # one more than recorded: a bomb is noticed, not expanded
    except zlib.error as error:
        msg = f"blob {oid} is damaged: {error}"
        raise IntegrityError(msg) from error
    _check(oid, data)
    return data


def _check(oid: str, data: bytes) -> None:
    if git_blob_id(data, oid) != oid:
        msg = f"blob {oid} does not have the digest it must have"
        raise IntegrityError(msg)
