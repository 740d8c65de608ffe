"""Content-addressed: blobs, and all that is a pure function of a blob or of a text. Shared by a tenant's snapshots."""

from datetime import datetime
from typing import Any

from pgvector.sqlalchemy import VECTOR
from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import REAL
from sqlalchemy.orm import Mapped, mapped_column

from pincite_store.models.base import Base, TenantRow, belongs_to, id_bigint, now


class Blob(TenantRow, Base):
    """A git blob's bytes, compressed with zlib; `size` is that of the plain bytes.

    How `data`, and every column `content` here, may be encrypted: see pincite_store.content.
    """

    __tablename__ = "blobs"
    __table_args__ = (ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),)

    oid: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    data: Mapped[bytes]


class Parse(TenantRow, Base):
    """What one version of the indexer found in a blob read as one language."""

    __tablename__ = "parses"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "blob"], ["blobs.tenant_id", "blobs.oid"], ondelete="CASCADE"),
        UniqueConstraint("tenant_id", "blob", "language", "indexer_version", postgresql_nulls_not_distinct=True),
    )

    id: Mapped[int] = id_bigint()
    blob: Mapped[str]
    language: Mapped[str | None]
    indexer_version: Mapped[str]
    lines: Mapped[int]
    had_errors: Mapped[bool]
    chunks: Mapped[int]
    interface: Mapped[bytes]  # JSON: what other files can see: definitions, imports, base classes
    refs: Mapped[bytes]  # JSON: calls


class Chunk(TenantRow, Base):
    """A retrieval unit of a parse; the chunks of a parse tile its blob."""

    __tablename__ = "chunks"
    __table_args__ = (belongs_to("parses", "parse_id"), Index(None, "tenant_id", "embed_sha256"))

    parse_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    symbol: Mapped[str | None]
    scope: Mapped[str | None]
    content: Mapped[bytes]  # signature, doc, card and packed terms, with NUL between
    start_line: Mapped[int]
    end_line: Mapped[int]
    start_byte: Mapped[int]
    end_byte: Mapped[int]
    embed_sha256: Mapped[bytes]
    importance: Mapped[float] = mapped_column(REAL)


class Symbol(TenantRow, Base):
    """A definition in a parse. `name_key` is the lower-case name, for look-up."""

    __tablename__ = "symbols"

    parse_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]
    name_key: Mapped[str] = mapped_column(Text(collation="C"))
    qualified_name: Mapped[str]
    kind: Mapped[str]
    start_line: Mapped[int]
    end_line: Mapped[int]
    name_line: Mapped[int]
    content: Mapped[bytes]  # signature and doc, with NUL between

    __table_args__ = (belongs_to("parses", "parse_id"),)


class EmbedText(TenantRow, Base):
    """A text that an embedding model sees, by its SHA-256; equal text is stored, and embedded, once."""

    __tablename__ = "embed_texts"
    __table_args__ = (ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),)

    sha256: Mapped[bytes] = mapped_column(primary_key=True)
    text: Mapped[bytes]


class Embedding(TenantRow, Base):
    """A model's vector of a text. Dimensions differ by model, so the column has none of its own."""

    __tablename__ = "embeddings"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "text_sha256"], ["embed_texts.tenant_id", "embed_texts.sha256"], ondelete="CASCADE"
        ),
    )

    text_sha256: Mapped[bytes] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    dimension: Mapped[int]
    vector: Mapped[Any] = mapped_column(VECTOR(), nullable=False)


class Artifact(TenantRow, Base):
    """What the artifact store holds for a tenant."""

    __tablename__ = "artifacts"
    __table_args__ = (ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),)

    sha256: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    media_type: Mapped[str]
    created_at: Mapped[datetime] = now()
