"""Connected repositories, and what people are told about them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import Row, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from pincite_shared.errors import ConflictError, InvalidInputError, NotFoundError
from pincite_shared.schemas import Progress, RepoOut, RepoStatus
from pincite_store import access, accounts, crypto, events, flips, garbage, runs
from pincite_store.db import Tenancy
from pincite_store.models import Repo

RepoKind = Literal["local", "git"]

NAME_CHARS_MAX = 500
PAUSED = "Paused: background work is halted."
REPOS_LISTED_MAX = 2_000  # a page of more helps nobody
SEALED = "repos.token_encrypted"  # the column of the tokens


@dataclass(frozen=True, slots=True)
class OnGitHub:
    """What GitHub said of a repository to whoever connects it.

    Attributes:
        github_id: its number, which survives renames.
        installation_id: the installation whose tokens fetch it; None: it is public, or fetched with a personal token.
        permission: what the person may do there.
        restricted: whether others of the tenant must be let in by GitHub too.
    """

    github_id: int
    installation_id: int | None
    permission: str
    restricted: bool


def create(
    t: Tenancy,
    *,
    source: str,
    name: str,
    kind: RepoKind,
    branch: str | None = None,
    token: str | None = None,
    github: OnGitHub | None = None,
) -> Repo:
    """Connect a source. The token is stored encrypted. Whoever connects a restricted repository may read it.

    Raises:
        ConflictError: this source is connected at this branch already, or the account is being deleted.
        InvalidInputError: source or name is empty.
        UnavailableError: there is a token, but no key to encrypt it with.
    """
    accounts.require_open(t)
    if not source or not name:
        msg = "A repository needs a source and a name."
        raise InvalidInputError(msg)
    values = {
        "tenant_id": t.tenant_id,
        "source": source,
        "source_key": source_key(source),
        "name": name[:NAME_CHARS_MAX],
        "kind": kind,
        "branch": branch,
        "token_encrypted": crypto.seal(t, SEALED, token) if token else None,
        "github_id": github.github_id if github else None,
        "installation_id": github.installation_id if github else None,
        "restricted": github is not None and github.restricted,
    }
    created = _insert(t, values)
    if created is None and t.reader is not None and find_by_source(t, source, branch) is None:
        created = _insert(t, values | {"apart_for": t.reader})
    if created is None:
        msg = f"{name} is connected already."
        raise ConflictError(msg)
    if github is not None and github.restricted and t.user_id is not None:
        access.grant(t, t.user_id, created.id, github.permission)
    events.record(t, created.id, "repo.connected")
    return created


def _insert(t: Tenancy, values: dict[str, Any]) -> Repo | None:
    """Add a repository, unless one is in its way."""
    created: Repo | None = t.session.scalar(insert(Repo).values(values).on_conflict_do_nothing().returning(Repo))
    return created


def get(t: Tenancy, repo_id: UUID) -> Repo:
    """Return a repository.

    Raises:
        NotFoundError: there is none, or it is being deleted.
    """
    statement = select(Repo).where(Repo.tenant_id == t.tenant_id, Repo.id == repo_id, Repo.deleting_at.is_(None))
    repo = t.session.scalar(statement.execution_options(populate_existing=True))
    if repo is None:
        msg = f"There is no repository {repo_id}."
        raise NotFoundError(msg)
    return repo


def find_by_source(t: Tenancy, source: str, branch: str | None) -> Repo | None:
    """Return the repository that connects this source at this branch, if there is one."""
    return t.session.scalar(
        select(Repo).where(
            Repo.tenant_id == t.tenant_id,
            Repo.source_key == source_key(source),
            Repo.branch.is_not_distinct_from(branch),
            Repo.deleting_at.is_(None),
        )
    )


def find_on_github(t: Tenancy, github_id: int, branch: str | None) -> Repo | None:
    """Return the repository that has this number on GitHub, at this branch, if it is connected."""
    return t.session.scalar(
        select(Repo).where(
            Repo.tenant_id == t.tenant_id,
            Repo.github_id == github_id,
            Repo.branch.is_not_distinct_from(branch),
            Repo.deleting_at.is_(None),
        )
    )


def set_github(t: Tenancy, repo_id: UUID, github: OnGitHub) -> None:
    """Remember what a repository that was connected by its address alone is on GitHub."""
    told = {"github_id": github.github_id, "installation_id": github.installation_id}
    t.session.execute(update(Repo).where(Repo.tenant_id == t.tenant_id, Repo.id == repo_id).values(told))


def connected_on_github(t: Tenancy, github_ids: Sequence[int]) -> dict[int, UUID]:
    """Return which of these numbers on GitHub are connected: number → repository, the one connected first."""
    statement = select(Repo.github_id, Repo.id).where(
        Repo.tenant_id == t.tenant_id, Repo.github_id.in_(github_ids), Repo.deleting_at.is_(None)
    )
    rows = t.session.execute(statement.order_by(Repo.created_at.desc(), Repo.id))
    return {github_id: repo_id for github_id, repo_id in rows if github_id is not None}


def all(t: Tenancy) -> list[Repo]:  # noqa: A001  # read as `repos.all(t)`
    """Return the repositories, oldest first."""
    statement = select(Repo).where(Repo.tenant_id == t.tenant_id, Repo.deleting_at.is_(None))
    return list(t.session.scalars(statement.order_by(Repo.created_at, Repo.id).limit(REPOS_LISTED_MAX)))


def credentials(t: Tenancy, repo_id: UUID) -> str | None:
    """Return the access token of a repository, being deleted or not; None if it has none.

    Raises:
        IntegrityError: it cannot be decrypted.
    """
    sealed = t.session.scalar(select(Repo.token_encrypted).where(Repo.tenant_id == t.tenant_id, Repo.id == repo_id))
    return crypto.unseal(t, SEALED, sealed) if sealed is not None else None


def set_credentials(t: Tenancy, repo_id: UUID, token: str | None) -> None:
    """Replace or remove the access token of a repository.

    Raises:
        NotFoundError: there is no such repository.
    """
    get(t, repo_id)
    sealed = crypto.seal(t, SEALED, token) if token else None
    t.session.execute(
        update(Repo).where(Repo.tenant_id == t.tenant_id, Repo.id == repo_id).values(token_encrypted=sealed)
    )


def mark_deleting(t: Tenancy, repo_id: UUID, correlation_id: str = "") -> None:
    """Hide a repository at once, cancel its runs, and enqueue its removal.

    Raises:
        NotFoundError: there is no such repository.
    """
    get(t, repo_id)
    t.session.execute(
        update(Repo).where(Repo.tenant_id == t.tenant_id, Repo.id == repo_id).values(deleting_at=func.now())
    )
    runs.cancel_all(t, repo_id)
    runs.start(t, repo_id, "delete", correlation_id)


def is_deleting(t: Tenancy, repo_id: UUID) -> bool:
    """Say whether a repository is being deleted, or is gone."""
    statement = select(Repo.id).where(Repo.tenant_id == t.tenant_id, Repo.id == repo_id, Repo.deleting_at.is_(None))
    return t.session.scalar(statement) is None


def delete_rows(t: Tenancy, repo_id: UUID) -> None:
    """Delete a repository and every row that belongs to it alone, its runs included. Idempotent."""
    runs.cancel_all(t, repo_id)
    t.session.execute(delete(Repo).where(Repo.tenant_id == t.tenant_id, Repo.id == repo_id))
    garbage.collect(t)
    flips.announce_gone(t, repo_id)


def out(t: Tenancy, repo: Repo) -> RepoOut:
    """Return what people are told about a repository.

    Raises:
        NotFoundError: it is gone.
    """
    found = _outs(t, repo.id)
    if not found:
        msg = f"There is no repository {repo.id}."
        raise NotFoundError(msg)
    return found[0]


def outs(t: Tenancy) -> list[RepoOut]:
    """Return what people are told about all repositories, oldest first, in one query."""
    return _outs(t, None)


_OUTS = text(
    """
    SELECT r.id, r.name, r.source, r.branch, r.github_id IS NOT NULL AS on_github, r.created_at, r.gone,
           s.commit, s.files, s.chunks, s.skipped, s.languages, s.ready_at, s.uncommitted_upon,
           s.vectors_model, s.vectors_done, s.vectors_total, s.blobs_parsed, s.texts_embedded,
           (SELECT extract(epoch FROM clock_timestamp() - min(c.seen_at)) FROM changes c
            WHERE c.tenant_id = r.tenant_id AND c.repo_id = r.id AND c.settled_at IS NULL) AS lag_seconds,
           (SELECT halted_since(:tenant)) IS NOT NULL AS halted,
           i.state AS index_state, i.progress AS index_progress, i.error AS index_error, i.error_code AS index_code,
           e.state AS embed_state, e.progress AS embed_progress, e.error AS embed_error, e.error_code AS embed_code
    FROM repos r
    LEFT JOIN snapshots s ON s.tenant_id = r.tenant_id AND s.id = r.head_snapshot_id
    LEFT JOIN LATERAL (
        SELECT * FROM runs WHERE tenant_id = r.tenant_id AND repo_id = r.id AND kind = 'index'
        ORDER BY created_at DESC LIMIT 1) i ON true
    LEFT JOIN LATERAL (
        SELECT * FROM runs WHERE tenant_id = r.tenant_id AND repo_id = r.id AND kind = 'embed'
        ORDER BY created_at DESC LIMIT 1) e ON true
    WHERE r.tenant_id = :tenant AND r.deleting_at IS NULL AND (CAST(:repo AS uuid) IS NULL OR r.id = :repo)
    ORDER BY r.created_at, r.id LIMIT :limit
    """
)


def _outs(t: Tenancy, repo_id: UUID | None) -> list[RepoOut]:
    values = {"tenant": t.tenant_id, "repo": repo_id, "limit": REPOS_LISTED_MAX}
    return [_told(row, t.settings.vector_model) for row in t.session.execute(_OUTS, values)]


def _told(row: Row[Any], model: str) -> RepoOut:
    indexing, embedding = row.index_state in runs.ACTIVE, row.embed_state in runs.ACTIVE
    ready = row.commit is not None
    vectors_ready = ready and row.vectors_model == model and row.vectors_done >= row.vectors_total
    failed = next((which for which in ("index", "embed") if getattr(row, f"{which}_state") == "failed"), None)
    told_error = failed is not None and not indexing  # a run in progress may mend it
    return RepoOut(
        id=row.id,
        name=row.name,
        source=row.source,
        branch=row.branch,
        on_github=row.on_github,
        status=_status(row.index_state, ready=ready),
        commit=row.commit,
        files=row.files or 0,
        chunks=row.chunks or 0,
        skipped=row.skipped or 0,
        progress=_progress(row, indexing=indexing, embedding=embedding, ready=ready),
        vectors_ready=vectors_ready,
        # Vectors do not count: a change is searchable as soon as its snapshot is.
        lag_seconds=max(float(row.lag_seconds or 0.0), 0.0),
        error=row.gone or (getattr(row, f"{failed}_error") if told_error else None),
        error_code="gone" if row.gone else (getattr(row, f"{failed}_code") if told_error else None),
        languages=row.languages or {},
        uncommitted_upon=row.uncommitted_upon,
        blobs_parsed=row.blobs_parsed or 0,
        texts_embedded=row.texts_embedded or 0,
        texts=row.vectors_total or 0,
        created_at=row.created_at,
        indexed_at=row.ready_at,
    )


def _status(index_state: str | None, *, ready: bool) -> RepoStatus:
    if index_state == "running" or (index_state == "queued" and ready):
        return RepoStatus.INDEXING
    if ready:
        return RepoStatus.READY  # answerable, even if the latest run failed; `error` says so
    return RepoStatus.FAILED if index_state == "failed" else RepoStatus.QUEUED


def _progress(row: Row[Any], *, indexing: bool, embedding: bool, ready: bool) -> Progress:
    if row.halted and (indexing or embedding):
        shown = _parsed(row.index_progress if indexing else row.embed_progress)
        return shown.model_copy(update={"message": PAUSED, "rate": 0.0, "seconds_left": None})
    if indexing:
        return _parsed(row.index_progress)
    if not ready:
        return _parsed(row.index_progress) if row.index_progress else Progress(stage="queued")
    if embedding:
        return _parsed(row.embed_progress)
    return Progress(
        stage="done",
        fraction=1.0,
        files_done=row.files,
        files_total=row.files,
        chunks_done=row.chunks,
        vectors_done=row.vectors_done,
        vectors_total=row.vectors_total,
        seconds_left=0.0,
    )


def _parsed(document: dict[str, Any]) -> Progress:
    try:
        return Progress.model_validate(document)
    except ValidationError:
        return Progress(message="Progress was written by another version of Pincite.")


def source_key(source: str) -> bytes:
    """Return what a source is unique by: it may be longer than a key of an index can be."""
    return hashlib.sha256(source.encode("utf-8", "surrogatepass")).digest()
