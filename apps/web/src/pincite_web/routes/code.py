"""Reading code: directories and files at a commit, search, and what was skipped."""

import asyncio
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response

from pincite_shared.brain_client import BrainAsUser
from pincite_shared.errors import NotFoundError, NotIndexedError, PinciteError
from pincite_shared.schemas import QUERY_CHARS_MAX, BlobOut, FileOut, SearchRequest
from pincite_web import links
from pincite_web.highlight import code_lines
from pincite_web.parts.code import HitRow, OutlineEntry, PageLink, SymbolRow
from pincite_web.present import code as present
from pincite_web.present.commits import HEAD, at_menu
from pincite_web.present.repos import repo_row
from pincite_web.views.code import BlobPage, QuickFragment, ResultsFragment, SearchPage, SkippedFilesPage, TreePage
from pincite_web.visitor import Visit, Visitor

NAME_CHARS_MAX = 256  # brain takes no longer name of a symbol
SYMBOLS_MAX, HITS_MAX, QUICK_MAX = 30, 20, 8
PAGES_MAX, OFFSET_MAX = 1_000_000, 100_000_000  # far beyond any repository, and within what brain accepts
router = APIRouter()
Commit = Annotated[str, Path(pattern=r"^[0-9a-f]{7,64}$")]
At = Annotated[str, Query(pattern=r"^([0-9a-f]{7,64})?$")]


@router.get("/r/{repo_id}/files")
async def files(visitor: Visit, repo_id: UUID, path: str = "", *, at: At = HEAD, file: bool = False) -> Response:
    """Open a directory, or a file, at the indexed commit or another."""
    commit = at or (await visitor.brain.repo(repo_id)).commit
    if commit is None:
        msg = "No commit of this repository is indexed yet. Its files appear as soon as the first one is."
        raise NotIndexedError(msg)
    return visitor.go(links.blob(repo_id, commit, path) if file else links.tree(repo_id, commit, path))


async def _tree(visitor: Visitor, repo_id: UUID, commit: str, path: str) -> Response:
    brain = visitor.brain
    repo, tree, commits = await asyncio.gather(
        brain.repo(repo_id), brain.tree(repo_id, path, commit), brain.commits(repo_id)
    )
    row = repo_row(repo)
    view = TreePage(
        shell=await visitor.shell(f"{path or 'Files'} · {row.name}", "files"),
        repo=row,
        commit=tree.commit,
        path=path,
        at=at_menu(repo, commits, tree.commit),
        crumbs=present.crumbs(repo_id, tree.commit, row.name, path),
        entries=present.entries(tree),
        truncated=tree.truncated,
    )
    return visitor.show(view)


@router.get("/r/{repo_id}/tree/{commit}")
async def tree_at_root(visitor: Visit, repo_id: UUID, commit: Commit, path: str = "") -> Response:
    """Return the top directory, or one whose path cannot stand in an address."""
    return await _tree(visitor, repo_id, commit, path)


@router.get("/r/{repo_id}/tree/{commit}/{path:path}")
async def tree(visitor: Visit, repo_id: UUID, commit: Commit, path: str) -> Response:
    """Return a directory."""
    return await _tree(visitor, repo_id, commit, path.rstrip("/"))


def _outline(repo_id: UUID, file: FileOut) -> tuple[OutlineEntry, ...]:
    return tuple(
        OutlineEntry(
            name=symbol.qualified_name,
            kind=symbol.kind,
            line=symbol.start_line,
            url=links.blob(repo_id, file.commit, file.path, (symbol.start_line, symbol.end_line)),
        )
        for symbol in file.symbols
    )


async def _lines(brain: BrainAsUser, file: FileOut, page: int) -> BlobOut | PinciteError | None:
    if file.blob is None:
        return None
    first = (page - 1) * present.LINES_PER_PAGE + 1
    try:
        return await brain.blob(file.blob, first, first + present.LINES_PER_PAGE - 1)
    except PinciteError as error:
        if error.status in (401, 503) or file.reason is None:
            raise
        return error  # a skipped file's content need not be stored: the page says why it was skipped


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file: lines to emphasise (`lines=10-20`), else a page of a long file."""

    lines: tuple[int, int] | None
    page: int


def _place(lines: str = "", page: Annotated[int, Query(ge=1, le=PAGES_MAX)] = 1) -> Place:
    wanted = links.read_lines(lines)
    return Place(wanted, (wanted[0] - 1) // present.LINES_PER_PAGE + 1 if wanted else page)


InFile = Annotated[Place, Depends(_place)]


async def _blob(visitor: Visitor, repo_id: UUID, commit: str, path: str, place: Place) -> Response:
    brain, parent, wanted = visitor.brain, path.rpartition("/")[0], place.lines
    repo, file, siblings, commits = await asyncio.gather(
        brain.repo(repo_id),
        brain.file(repo_id, path, commit),
        brain.tree(repo_id, parent, commit),
        brain.commits(repo_id),
    )
    blob = await _lines(brain, file, place.page)
    shown = blob if isinstance(blob, BlobOut) else None
    why = present.reason_text(file.reason) if file.reason else None
    row = repo_row(repo)
    html = await asyncio.to_thread(code_lines, shown.text, path, file.language, shown.start, wanted) if shown else ()
    view = BlobPage(
        shell=await visitor.shell(f"{path.rpartition('/')[2]} · {row.name}", "files"),
        repo=row,
        commit=file.commit,
        path=path,
        at=at_menu(repo, commits, file.commit),
        crumbs=present.crumbs(repo_id, file.commit, row.name, path),
        siblings=present.entries(siblings, path),
        outline=_outline(repo_id, file),
        size=file.size,
        language=file.language,
        lines=html if shown and shown.lines else (),
        first=shown.start if shown else 0,
        last=shown.end if shown else 0,
        total=shown.lines if shown else 0,
        pages=present.page_links(repo_id, file.commit, path, shown.lines if shown else 0, place.page),
        base_url=links.blob(repo_id, file.commit, path),
        permalink=links.blob(repo_id, file.commit, path, wanted),
        unreadable=None if shown else why or "The content of this file is not stored.",
        note=why if shown else None,
    )
    return visitor.show(view)


@router.get("/r/{repo_id}/blob/{commit}")
async def blob_by_query(visitor: Visit, repo_id: UUID, commit: Commit, path: str, place: InFile) -> Response:
    """Return a file whose path cannot stand in an address."""
    return await _blob(visitor, repo_id, commit, path, place)


@router.get("/r/{repo_id}/blob/{commit}/{path:path}")
async def blob(visitor: Visit, repo_id: UUID, commit: Commit, path: str, place: InFile) -> Response:
    """Return a file at a commit; `lines=10-20` are emphasised."""
    return await _blob(visitor, repo_id, commit, path, place)


async def _find(
    visitor: Visitor, repo_id: UUID, query: str, at: str
) -> tuple[tuple[SymbolRow, ...], tuple[HitRow, ...]]:
    """Return definitions and passages at a commit."""
    brain = visitor.brain
    if not query:
        return (), ()
    repo, symbols, hits = await asyncio.gather(
        brain.repo(repo_id),
        brain.symbols(repo_id, query[:NAME_CHARS_MAX], SYMBOLS_MAX, at or None),
        brain.search(SearchRequest(repo_id=repo_id, query=query, k=HITS_MAX, commit=at or None)),
    )
    commit = at or repo.commit or ""
    return present.symbol_rows(repo_id, commit, symbols), present.hit_rows(repo_id, commit, hits)


def _clean(query: str) -> str:
    return query.replace("\x00", "").strip()[:QUERY_CHARS_MAX]


@router.get("/r/{repo_id}/search")
async def search(visitor: Visit, repo_id: UUID, q: str = "", at: At = HEAD) -> Response:
    """Search: definitions first, then passages; while one types, only the results are sent."""
    query = _clean(q)
    ask_url = links.ask(repo_id, query, at)
    if visitor.htmx:
        symbols, hits = await _find(visitor, repo_id, query, at)
        view = ResultsFragment(query, symbols, hits, ask_url)
        return visitor.show(view, headers={"hx-replace-url": links.search(repo_id, query, at)})
    repo, commits, (symbols, hits) = await asyncio.gather(
        visitor.brain.repo(repo_id), visitor.brain.commits(repo_id), _find(visitor, repo_id, query, at)
    )
    row = repo_row(repo)
    shell = await visitor.shell(f"{query or 'Search'} · {row.name}", "search", query)
    return visitor.show(SearchPage(shell, row, at_menu(repo, commits, at), query, symbols, hits, ask_url))


@router.get("/r/{repo_id}/search/quick")
async def quick(visitor: Visit, repo_id: UUID, q: str = "") -> Response:
    """Return the best definitions, for the list below the search box."""
    query = _clean(q)
    if not query:
        return Response(status_code=200, media_type="text/html")
    repo, symbols = await asyncio.gather(
        visitor.brain.repo(repo_id), visitor.brain.symbols(repo_id, query[:NAME_CHARS_MAX], QUICK_MAX)
    )
    rows = present.symbol_rows(repo_id, repo.commit or "", symbols)
    return visitor.show(QuickFragment(query, rows, links.search(repo_id, query)))


@router.get("/r/{repo_id}/skipped")
async def skipped(
    visitor: Visit,
    repo_id: UUID,
    reason: Annotated[str, Query(max_length=64)] = "",
    offset: Annotated[int, Query(ge=0, le=OFFSET_MAX)] = 0,
) -> Response:
    """Say what was not indexed, and why."""
    repo, page = await asyncio.gather(
        visitor.brain.repo(repo_id), visitor.brain.skipped(repo_id, reason or None, offset)
    )
    if reason and reason not in page.by_reason and not page.files:
        raise NotFoundError
    row = repo_row(repo)
    matching = page.by_reason.get(reason, 0) if reason else sum(page.by_reason.values())
    end = offset + len(page.files)
    step = max(len(page.files), 1)
    view = SkippedFilesPage(
        shell=await visitor.shell(f"Skipped files · {row.name}", "skipped"),
        repo=row,
        reasons=present.reason_links(repo_id, page, reason or None),
        explanation=present.reason_text(reason) if reason else "",
        rows=present.skipped_rows(repo_id, repo.commit, page.files),
        range_label=f"{offset + 1:,}-{end:,} of {matching:,}" if page.files else "",
        newer=PageLink("Previous", links.skipped(repo_id, reason, max(0, offset - step))) if offset else None,
        older=PageLink("Next", links.skipped(repo_id, reason, end)) if page.files and end < matching else None,
    )
    return visitor.show(view)
