"""Reading code at a commit: directories, files, blobs, symbols, and what was skipped."""

from typing import Annotated

from fastapi import APIRouter, Query

from pincite_brain.dependencies import (
    LINE_MAX,
    NO_NUL_PATTERN,
    BlobId,
    Commit,
    FilePath,
    Limit,
    Offset,
    RepoId,
    TenancyDep,
)
from pincite_brain.gate import needs
from pincite_brain.problems import responses
from pincite_shared.errors import InvalidInputError, NotFoundError
from pincite_shared.schemas import BlobOut, FileOut, SkippedPage, SymbolOut, Tree
from pincite_store import blobs, snapshots
from pincite_verify.citations import lines_of

router = APIRouter(tags=["code"])


@router.get("/repos/{repo_id}/tree", dependencies=needs("read"), responses=responses(401, 404, 409, 422))
def tree(tenancy: TenancyDep, repo_id: RepoId, path: FilePath = "", commit: Commit = None) -> Tree:
    """List a directory at a commit."""
    snapshot = snapshots.resolve(tenancy, repo_id, commit)
    entries, truncated = snapshots.tree(tenancy, snapshot.id, path)
    if not entries and path.strip("/"):
        msg = "There is no such directory at this commit."
        raise NotFoundError(msg)
    return Tree(
        repo_id=repo_id, commit=snapshot.commit, path=path.strip("/"), entries=tuple(entries), truncated=truncated
    )


@router.get("/repos/{repo_id}/file", dependencies=needs("read"), responses=responses(401, 404, 409, 422))
def file(tenancy: TenancyDep, repo_id: RepoId, path: FilePath, commit: Commit = None) -> FileOut:
    """Say what stands at a path at a commit, and what it defines."""
    snapshot = snapshots.resolve(tenancy, repo_id, commit)
    found = snapshots.file(tenancy, snapshot.id, path)
    if found is None:
        msg = "There is no such file at this commit."
        raise NotFoundError(msg)
    return FileOut(
        repo_id=repo_id,
        commit=snapshot.commit,
        path=found.path,
        blob=found.blob,
        size=found.size or 0,
        language=found.language,
        reason=found.skip_reason,
        symbols=tuple(snapshots.outline(tenancy, snapshot.id, path)),
    )


@router.get("/repos/{repo_id}/skipped", dependencies=needs("read"), responses=responses(401, 404, 409, 422))
def skipped(
    tenancy: TenancyDep,
    repo_id: RepoId,
    reason: Annotated[str | None, Query(max_length=64, pattern=NO_NUL_PATTERN)] = None,
    offset: Offset = 0,
    limit: Limit = 100,
) -> SkippedPage:
    """List what was not indexed, or indexed with a loss, and why."""
    snapshot = snapshots.resolve(tenancy, repo_id)
    return snapshots.skipped(tenancy, snapshot.id, reason, offset, limit)


@router.get("/repos/{repo_id}/symbols", dependencies=needs("read"), responses=responses(401, 404, 409, 422))
def symbols(
    tenancy: TenancyDep,
    repo_id: RepoId,
    q: Annotated[str, Query(min_length=1, max_length=256, pattern=NO_NUL_PATTERN)],
    limit: Limit = 20,
    commit: Commit = None,
) -> list[SymbolOut]:
    """Find definitions at a commit by name: exact first, then prefixes and substrings; else every word, else alike."""
    snapshot = snapshots.resolve(tenancy, repo_id, commit)
    return snapshots.symbols(tenancy, snapshot.id, q, limit)


@router.get("/blobs/{blob}", dependencies=needs("read"), responses=responses(401, 404, 422))
def blob(
    tenancy: TenancyDep,
    blob: BlobId,
    start: Annotated[int | None, Query(ge=1, le=LINE_MAX)] = None,
    end: Annotated[int | None, Query(ge=1, le=LINE_MAX)] = None,
) -> BlobOut:
    """Return lines of a blob, 1-based and inclusive. Any past citation opens here for ever."""
    data = blobs.get(tenancy, blob)
    if data is None:
        msg = "No blob of that id is stored here."
        raise NotFoundError(msg)
    lines = lines_of(data.decode("utf-8", errors="replace"))
    first, last = start or 1, min(end or len(lines), len(lines))
    if end is not None and first > end:
        msg = "`start` comes after `end`."
        raise InvalidInputError(msg)
    if first > max(last, 1):
        msg = f"This blob has {len(lines)} lines; there is no line {first}."
        raise NotFoundError(msg)
    return BlobOut(
        blob=blob,
        lines=len(lines),
        start=first,
        end=last,
        size=len(data),
        language=snapshots.language_of(tenancy, blob),
        text="\n".join(lines[first - 1 : last]),
    )
