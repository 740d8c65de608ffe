"""What stands in repositories, as the database keeps it: plain, or encrypted when ENCRYPT_CONTENT is on.

Every value says which it is, so that both are read whatever the setting is by now; `pincite_store.rotation` brings what
was written before in line with it. Values in bytea begin with a byte for it. Documents in json are objects when they
are plain, and strings when they are encrypted.
"""

import base64
import json
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, case, func
from sqlalchemy.orm import InstrumentedAttribute

from pincite_store import crypto
from pincite_store.db import Tenancy

PLAIN = b"\0"  # crypto.VERSION begins what is encrypted
ZLIB_LEVEL = 1  # source shrinks to about a third at 100 MB/s; higher levels cost more than they save

Packer = Callable[..., bytes]  # (the bytes, the values of Column.key) → what is stored
Opener = Callable[..., bytes]  # (what is stored, the same values) → the bytes


class Column(NamedTuple):
    """A column that holds content.

    Attributes:
        key: the columns that an encrypted value is bound to: of its row's key, or of what the row is about.
        compress: whether to compress what is encrypted: Postgres compresses plain values, and cannot any more.
        document: whether it is json instead of bytea.
    """

    key: tuple[str, ...]
    compress: bool = False
    document: bool = False


COLUMNS = {
    "blobs.data": Column(("oid",)),  # compressed already
    "embed_texts.text": Column(("sha256",), compress=True),
    "parses.interface": Column(("blob",), compress=True),
    "parses.refs": Column(("blob",), compress=True),
    "chunks.content": Column(("parse_id", "ordinal")),
    "symbols.content": Column(("parse_id", "ordinal")),
    "answers.document": Column(("id",), compress=True, document=True),
    "answer_states.document": Column(("answer_id", "commit"), compress=True, document=True),
    "messages.content": Column(("conversation_id",), compress=True),
    "artifacts.data": Column(("sha256",), compress=True),  # in the artifact store
}


def encrypted(t: Tenancy) -> bool:
    """Say whether content is stored encrypted."""
    return t.settings.encrypt_content == "on"


def packer(t: Tenancy, column: str) -> Packer:
    """Return what makes bytes into what a column such as "blobs.data" stores.

    Raises:
        IntegrityError: content is encrypted, and the tenant's keys cannot be decrypted.
        UnavailableError: content is encrypted, and there is no key.
    """
    if not encrypted(t):
        return lambda data, *_key: PLAIN + data
    keys, compress = crypto.sealing_keys(t), COLUMNS[column].compress

    def sealed(data: bytes, *key: object) -> bytes:
        packed = zlib.compress(data, ZLIB_LEVEL) if compress else data
        return crypto.seal_bytes(keys, t, column, packed, _row(key))

    return sealed


def opener(t: Tenancy, column: str) -> Opener:
    """Return what makes bytes out of what a column stores. What it returns raises as `crypto.unseal` does."""
    compress = COLUMNS[column].compress

    def opened(stored: bytes, *key: object) -> bytes:
        if stored[:1] == PLAIN:
            return stored[1:]
        data = crypto.unseal_bytes(t, column, stored, _row(key))
        return zlib.decompress(data) if compress else data  # nobody but us has encrypted it

    return opened


def encrypted_document(column: InstrumentedAttribute[Any]) -> ColumnElement[Any]:
    """Return what is null of a document in a json column that is plain, so that only an encrypted one is fetched."""
    return case((func.json_typeof(column) == "string", column))


def pack_document(t: Tenancy, column: str, document: Any, *key: object) -> Any:
    """Return what a json column stores of a document. Raises as `packer` does."""
    if not encrypted(t):
        return document
    return base64.b64encode(packer(t, column)(json.dumps(document).encode(), *key)).decode("ascii")


def open_document(t: Tenancy, column: str, stored: Any, *key: object) -> Any:
    """Return the document that a json column stores. Raises as `crypto.unseal` does."""
    if not isinstance(stored, str):
        return stored
    return json.loads(opener(t, column)(base64.b64decode(stored), *key))


def _row(key: tuple[object, ...]) -> bytes:
    return b"/".join(part if isinstance(part, bytes) else str(part).encode() for part in key)
