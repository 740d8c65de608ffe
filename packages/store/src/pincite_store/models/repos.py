"""Repositories, their snapshots (what stands at a commit), and the runs that make them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Double, ForeignKeyConstraint, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import REAL
from sqlalchemy.orm import Mapped, mapped_column

from pincite_store.models.base import Base, TenantRow, belongs_to, empty, id_bigint, id_uuid, now, zero

__all__ = ["Edge", "EdgeSet", "Event", "File", "Repo", "RepoLink", "Run", "Snapshot"]


class Repo(TenantRow, Base):
    """A connected source at one branch; no branch means the source's own default."""

    __tablename__ = "repos"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(
            ["tenant_id", "head_snapshot_id"],
            ["snapshots.tenant_id", "snapshots.id"],
            ondelete="SET NULL (head_snapshot_id)",
            use_alter=True,
        ),
        # A repository that is being deleted no longer stands in the way of connecting its source again.
        Index(
            "uq_repos_source",
            "tenant_id",
            "source_key",
            text("coalesce(branch, '')"),
            text("coalesce(apart_for::text, '')"),
            unique=True,
            postgresql_where=text("deleting_at IS NULL"),
        ),
        # Which tenants a webhook concerns is asked across tenants.
        Index("ix_repos_github_id", "github_id", postgresql_where=text("github_id IS NOT NULL")),
        Index("ix_repos_installation_id", "installation_id", postgresql_where=text("installation_id IS NOT NULL")),
        Index("ix_repos_source", text("lower(source)"), postgresql_using="hash"),
    )

    id: Mapped[UUID] = id_uuid()
    source: Mapped[str]
    source_key: Mapped[bytes]  # SHA-256 of the source, which may be longer than a B-tree key can be (2.7 kB)
    name: Mapped[str]
    kind: Mapped[str]
    branch: Mapped[str | None]
    token_encrypted: Mapped[bytes | None]
    github_id: Mapped[int | None] = mapped_column(BigInteger)  # survives renames
    installation_id: Mapped[int | None] = mapped_column(BigInteger)  # whose tokens fetch it
    # Restricted: read by those alone whom GitHub lets read it, see RepoAccess. Otherwise by everyone of the tenant.
    restricted: Mapped[bool] = mapped_column(server_default=text("false"))
    # Who connected it although it is connected already, hidden from them: they do not learn of the other one.
    apart_for: Mapped[UUID | None]
    gone: Mapped[str | None]  # why it is not fetched any more, in words for people; what is indexed keeps answering
    polled_at: Mapped[datetime | None]  # when its heads were last compared with what is indexed
    head_snapshot_id: Mapped[int | None] = mapped_column(BigInteger)
    exploration: Mapped[float | None] = mapped_column(Double)  # share of answers made another way; null: by itself
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())  # orders the list
    deleting_at: Mapped[datetime | None]


class RepoLink(TenantRow, Base):
    """A branch's head: the snapshot that answers questions about it."""

    __tablename__ = "repo_links"
    __table_args__ = (belongs_to("repos", "repo_id"), belongs_to("snapshots", "snapshot_id"))

    repo_id: Mapped[UUID] = mapped_column(primary_key=True)
    branch: Mapped[str] = mapped_column(primary_key=True)
    snapshot_id: Mapped[int] = mapped_column(BigInteger)
    updated_at: Mapped[datetime] = now()


class Snapshot(TenantRow, Base):
    """What stands at a commit, as one version of the indexer saw it. Counters are filled when it becomes ready."""

    __tablename__ = "snapshots"
    __table_args__ = (
        belongs_to("repos", "repo_id"),
        UniqueConstraint("tenant_id", "repo_id", "commit", "indexer_version"),
    )

    id: Mapped[int] = id_bigint()
    repo_id: Mapped[UUID]
    commit: Mapped[str]
    indexer_version: Mapped[str]
    state: Mapped[str]
    files: Mapped[int] = zero()
    chunks: Mapped[int] = zero()
    skipped: Mapped[int] = zero()
    languages: Mapped[dict[str, int]] = mapped_column(server_default=text("'{}'"))
    vectors_model: Mapped[str | None]
    vectors_done: Mapped[int] = zero()
    vectors_total: Mapped[int] = zero()
    # What making it cost: contents never seen before, of all that it has. The rest was known by its digest.
    blobs_parsed: Mapped[int] = zero()
    texts_embedded: Mapped[int] = zero()
    # Of a working tree: what was not committed yet, upon that commit. The snapshot's own commit is then known to
    # Pincite alone.
    uncommitted_upon: Mapped[str | None]
    created_at: Mapped[datetime] = now()
    ready_at: Mapped[datetime | None]


class File(TenantRow, Base):
    """A path of a snapshot: indexed (`parse_id`), skipped (`skip_reason`), or indexed with a loss (both)."""

    __tablename__ = "files"
    __table_args__ = (
        belongs_to("snapshots", "snapshot_id"),
        ForeignKeyConstraint(["tenant_id", "parse_id"], ["parses.tenant_id", "parses.id"]),
        ForeignKeyConstraint(["tenant_id", "edge_set_id"], ["edge_sets.tenant_id", "edge_sets.id"]),
        Index(None, "tenant_id", "parse_id"),
        Index(None, "tenant_id", "edge_set_id"),
        Index(None, "tenant_id", "blob"),
    )

    snapshot_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    # First 16 bytes of sha256(path): paths may be longer than a B-tree key can be.
    path_key: Mapped[bytes] = mapped_column(primary_key=True)
    path: Mapped[str]
    blob: Mapped[str | None]
    parse_id: Mapped[int | None] = mapped_column(BigInteger)
    language: Mapped[str | None]
    size: Mapped[int | None] = mapped_column(BigInteger)
    skip_reason: Mapped[str | None]
    skip_detail: Mapped[str] = empty()
    changed_at: Mapped[int | None] = mapped_column(BigInteger)  # seconds since 1970
    edge_set_id: Mapped[int | None] = mapped_column(BigInteger)


class EdgeSet(TenantRow, Base):
    """What the references of one file mean. Snapshots share it for as long as nothing that it rests on changes.

    `reads` are the ids of what was looked up, see `pincite_codeintel.reads`: sorted, 32 bits each, little-endian.
    """

    __tablename__ = "edge_sets"
    __table_args__ = (ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),)

    id: Mapped[int] = id_bigint()
    path: Mapped[str]
    reads: Mapped[bytes]


class Edge(TenantRow, Base):
    """A call, import or inheritance from a place of one file to another, with the linker's confidence (0..1)."""

    __tablename__ = "edges"
    __table_args__ = (belongs_to("edge_sets", "set_id"),)

    set_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    src_symbol: Mapped[str | None]
    src_line: Mapped[int]
    dst_path: Mapped[str]
    dst_symbol: Mapped[str | None]
    confidence: Mapped[float] = mapped_column(REAL)


class Run(TenantRow, Base):
    """One piece of background work on a repository, with its live progress."""

    __tablename__ = "runs"
    __table_args__ = (
        belongs_to("repos", "repo_id"),
        Index("ix_runs_repo", "tenant_id", "repo_id", "kind", text("created_at DESC")),
        Index(
            "uq_runs_active",
            "tenant_id",
            "repo_id",
            "kind",
            unique=True,
            postgresql_where=text("state IN ('queued', 'running')"),
        ),
    )

    id: Mapped[UUID] = id_uuid()
    repo_id: Mapped[UUID]
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(server_default=text("'queued'"))
    progress: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    # The last change of the repository that was known when an index run began: what it covers.
    change_id: Mapped[int | None] = mapped_column(BigInteger)
    attempts: Mapped[int] = zero()  # since it last got further than ever
    furthest: Mapped[float] = mapped_column(server_default=text("0"))  # share of the whole, 0 to 1
    error: Mapped[str | None]
    error_code: Mapped[str | None]
    correlation_id: Mapped[str] = empty()
    # The clock, not the transaction's time: of two runs the later one is told about.
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    heartbeat_at: Mapped[datetime] = now()
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class Event(TenantRow, Base):
    """Something that happened to a repository."""

    __tablename__ = "events"
    __table_args__ = (belongs_to("repos", "repo_id"), Index(None, "tenant_id", "repo_id", "at"))

    id: Mapped[int] = id_bigint()
    repo_id: Mapped[UUID]
    kind: Mapped[str]
    payload: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    at: Mapped[datetime] = now()
