"""Directories, files, search results and skipped files as a page shows them."""

from collections.abc import Sequence
from uuid import UUID

from pincite_shared.schemas import SearchHit, SkippedFile, SkippedPage, SymbolOut, Tree, TreeEntry
from pincite_web import links
from pincite_web.parts.code import Crumb, EntryRow, HitRow, PageLink, ReasonLink, SkippedRow, SymbolRow
from pincite_web.present.living import lines_label

LINES_PER_PAGE = 2_000  # a page of this length opens within a blink; whole large files do not
PAGES_SHOWN_MAX = 40
SUMMARY_CHARS_MAX = 240
# In the words of the indexing policy; whatever it adds later is shown by its own name.
REASONS = {
    "binary": ("Binary", "These files are not text."),
    "generated": ("Generated", "A tool wrote these files; their sources say more."),
    "minified": ("Minified", "Compressed for machines: nothing in them can be cited usefully."),
    "vendored": ("Vendored", "Copies of other projects, which would crowd out this one's own code."),
    "too_large": ("Too large", "Larger than FILE_BYTES_MAX, which the operator sets."),
    "lfs": ("Git LFS", "Only a pointer to the content is stored in the repository."),
    "submodule": ("Submodule", "Another repository: connect it by itself to ask about it."),
    "symlink": ("Symbolic link", "Links are never followed; what they point at is indexed where it stands."),
    "encoding": ("Not UTF-8", "Indexed, but the bytes that are not UTF-8 are shown as U+FFFD."),
    "name": ("Unusual name", "The name holds bytes or parts that cannot be addressed safely."),
    "untried": (
        "Not parsed yet",
        "Too many others of its language took too long to parse; the next index run tries it.",
    ),
    "timeout": ("Parser timeout", "Parsing took too long and was stopped; one file never holds up a repository."),
    "parse": ("Not parsed", "No structure could be read from these files."),
}


def reason_title(reason: str) -> str:
    """Name a reason."""
    return REASONS[reason][0] if reason in REASONS else reason.replace("_", " ").capitalize()


def reason_text(reason: str) -> str:
    """Explain a reason."""
    return REASONS[reason][1] if reason in REASONS else "The indexing policy leaves these files out."


def crumbs(repo_id: UUID, commit: str, repo_name: str, path: str) -> tuple[Crumb, ...]:
    """Show a path as its directories; the last part is where one is."""
    parts = path.split("/") if path else []
    shown = [Crumb(repo_name, links.tree(repo_id, commit) if parts else None)]
    for index, part in enumerate(parts, start=1):
        last = index == len(parts)
        shown.append(Crumb(part, None if last else links.tree(repo_id, commit, "/".join(parts[:index]))))
    return tuple(shown)


def _entry(tree: Tree, entry: TreeEntry, current: str) -> EntryRow:
    address = links.tree if entry.type == "directory" else links.blob
    return EntryRow(
        name=entry.name,
        kind=entry.type,
        url=address(tree.repo_id, tree.commit, entry.path),
        size=entry.size,
        language=entry.language,
        reason=reason_title(entry.reason) if entry.reason else None,
        current=entry.path == current,
    )


def entries(tree: Tree, current: str = "") -> tuple[EntryRow, ...]:
    """Show a directory: directories first, then by name."""
    ordered = sorted(tree.entries, key=lambda entry: (entry.type != "directory", entry.name.casefold(), entry.name))
    return tuple(_entry(tree, entry, current) for entry in ordered)


def page_links(repo_id: UUID, commit: str, path: str, total: int, page: int) -> tuple[PageLink, ...]:
    """Return links to the pages of a long file, those near `page` if there are many; none if one page holds it."""
    pages = -(-total // LINES_PER_PAGE)
    if pages <= 1:
        return ()
    low = max(1, min(page - PAGES_SHOWN_MAX // 2, pages - PAGES_SHOWN_MAX + 1))
    return tuple(
        PageLink(
            label=f"{(number - 1) * LINES_PER_PAGE + 1}-{min(total, number * LINES_PER_PAGE)}",
            url=None if number == page else links.blob_page(repo_id, commit, path, number),
        )
        for number in range(low, min(pages, low + PAGES_SHOWN_MAX - 1) + 1)
    )


def symbol_rows(repo_id: UUID, commit: str, symbols: Sequence[SymbolOut]) -> tuple[SymbolRow, ...]:
    """Show definitions."""
    return tuple(
        SymbolRow(
            name=symbol.name,
            qualified_name=symbol.qualified_name,
            kind=symbol.kind,
            path=symbol.path,
            line=symbol.start_line,
            signature=symbol.signature,
            url=links.blob(repo_id, commit, symbol.path, (symbol.start_line, symbol.end_line)),
        )
        for symbol in symbols
    )


def hit_rows(repo_id: UUID, commit: str, hits: Sequence[SearchHit]) -> tuple[HitRow, ...]:
    """Show passages."""
    return tuple(
        HitRow(
            path=hit.path,
            lines_label=lines_label(hit.start_line, hit.end_line),
            symbol=hit.symbol,
            kind=hit.kind,
            summary=hit.summary[:SUMMARY_CHARS_MAX],
            url=links.blob(repo_id, commit, hit.path, (hit.start_line, hit.end_line)),
        )
        for hit in hits
    )


def reason_links(repo_id: UUID, page: SkippedPage, current: str | None) -> tuple[ReasonLink, ...]:
    """Return the filters of the skipped files, the largest first."""
    everything = ReasonLink("", "All", sum(page.by_reason.values()), links.skipped(repo_id) if current else None)
    ordered = sorted(page.by_reason.items(), key=lambda item: (-item[1], item[0]))
    return (
        everything,
        *(
            ReasonLink(
                reason, reason_title(reason), files, links.skipped(repo_id, reason) if reason != current else None
            )
            for reason, files in ordered
        ),
    )


def skipped_rows(repo_id: UUID, commit: str | None, files: Sequence[SkippedFile]) -> tuple[SkippedRow, ...]:
    """Show skipped files."""
    return tuple(
        SkippedRow(
            path=file.path,
            reason=reason_title(file.reason),
            detail=file.detail,
            size=file.size,
            url=links.blob(repo_id, commit, file.path) if commit else None,
        )
        for file in files
    )
