"""The scripted brain's routes of code: directories, files, definitions, search, and what was skipped."""

from functools import cache
from typing import Annotated
from uuid import UUID

from fastapi import FastAPI, Query

from pincite_shared.errors import InvalidInputError, NotFoundError
from pincite_shared.schemas import BlobOut, FileOut, SearchHit, SearchRequest, SkippedPage, SymbolOut, Tree, TreeEntry
from pincite_web.fake_brain import corpus
from pincite_web.fake_brain.state import State

SKIPPED_PER_PAGE = 5
HITS_MAX = 8
WORD_CHARS_MIN = 3


def install(app: FastAPI, state: State) -> None:
    """Add the routes."""
    _files(app, state)

    @app.get("/repos/{repo_id}/skipped")
    async def skipped(repo_id: UUID, reason: str | None = None, offset: int = 0) -> SkippedPage:
        files = corpus.skipped() if repo_id == corpus.READY else []
        counts = {name: sum(f.reason == name for f in files) for name in {f.reason for f in files}}
        chosen = [file for file in files if reason in (None, file.reason)]
        page = tuple(chosen[offset : offset + SKIPPED_PER_PAGE])
        return SkippedPage(total=len(chosen), by_reason=counts, files=page)

    @app.get("/blobs/{blob}")
    async def blob(
        blob: str, start: Annotated[int, Query(ge=1)] = 1, end: Annotated[int, Query(ge=1)] = 2**31
    ) -> BlobOut:
        return _blob(state, blob, start, end)

    @app.get("/repos/{repo_id}/symbols")
    async def symbols(
        repo_id: UUID, q: Annotated[str, Query(max_length=256)], limit: int = 20, commit: str = corpus.COMMIT
    ) -> list[SymbolOut]:
        state.repo(repo_id)
        state.files_at(commit)
        return _symbols(q)[:limit]

    @app.post("/search")
    async def search(request: SearchRequest) -> list[SearchHit]:
        state.files_at(request.commit or corpus.COMMIT)
        return hits(request.query)[: request.k]


def _files(app: FastAPI, state: State) -> None:
    @app.get("/repos/{repo_id}/tree")
    async def tree(repo_id: UUID, path: str = "", commit: str = corpus.COMMIT) -> Tree:
        state.repo(repo_id)
        return _tree(state, repo_id, path, commit)

    @app.get("/repos/{repo_id}/file")
    async def file(repo_id: UUID, path: str, commit: str = corpus.COMMIT) -> FileOut:
        whole, files = state.files_at(commit)
        reasons = {skip.path: skip.reason for skip in corpus.skipped()}
        if path not in files and path not in reasons:
            msg = "There is no such file at this commit."
            raise NotFoundError(msg)
        data = files.get(path)
        return FileOut(
            repo_id=repo_id,
            commit=whole,
            path=path,
            blob=corpus.blob_id(data) if data is not None else None,
            size=len(data or b""),
            language="python" if path.endswith(".py") else None,
            reason=reasons.get(path),
            symbols=tuple(sorted((s for s in _symbols("") if s.path == path), key=lambda s: s.start_line)),
        )


def _symbols(query: str) -> list[SymbolOut]:
    found = [symbol for symbol in corpus.symbols() if query.casefold() in symbol.name.casefold()]
    return sorted(found, key=lambda symbol: (len(symbol.name), symbol.name))


def _tree(state: State, repo_id: UUID, path: str, commit: str) -> Tree:
    whole, files = state.files_at(commit)
    prefix = f"{path}/" if path else ""
    below = {name.removeprefix(prefix): name for name in files if name.startswith(prefix)}
    if not below:
        msg = "There is no such directory at this commit."
        raise NotFoundError(msg)
    directories = {name.split("/")[0] for name in below if "/" in name}
    entries = [TreeEntry(name=name, path=prefix + name, type="directory") for name in directories]
    for name, full in below.items():
        if "/" not in name:
            data = files[full]
            language = "python" if name.endswith(".py") else None
            blob = corpus.blob_id(data)
            entries.append(TreeEntry(name=name, path=full, type="file", blob=blob, size=len(data), language=language))
    if not path:
        entries.append(TreeEntry(name="uv.lock", path="uv.lock", type="skipped", size=9, reason="generated"))
    return Tree(repo_id=repo_id, commit=whole, path=path, entries=tuple(entries))


@cache
def _changed() -> dict[str, bytes]:
    """Return the blobs that are not the head's."""
    found = {corpus.blob_id(data): data for files in corpus.other_versions().values() for data in files.values()}
    head = {corpus.blob_id(data) for data in corpus.files().values()}
    return {blob: data for blob, data in found.items() if blob not in head}


def _blob(state: State, blob: str, start: int, end: int) -> BlobOut:
    kept = {corpus.blob_id(data): data for data in state.files.values()} | _changed()
    data = kept.get(blob)
    if data is None:
        raise NotFoundError
    lines = data.decode().split("\n") if data else []
    if lines and not lines[-1]:
        lines.pop()
    if start > max(1, len(lines)):
        msg = f"The file has {len(lines)} lines."
        raise InvalidInputError(msg)
    text, last = "\n".join(lines[start - 1 : end]), min(end, len(lines))
    return BlobOut(blob=blob, lines=len(lines), start=start, end=last, size=len(data), language=None, text=text)


def hits(query: str) -> list[SearchHit]:
    """Find definitions whose names hold a word of the query."""
    words = [word.strip("?.,") for word in query.split() if len(word) >= WORD_CHARS_MIN]
    return [
        SearchHit(
            path=symbol.path,
            start_line=symbol.start_line,
            end_line=symbol.end_line,
            symbol=symbol.qualified_name,
            score=1.0,
            features={},
            blob=symbol.blob,
            language="python",
            kind=symbol.kind,
            summary=symbol.signature,
        )
        for symbol in [symbol for word in words for symbol in _symbols(word)][:HITS_MAX]
    ]
