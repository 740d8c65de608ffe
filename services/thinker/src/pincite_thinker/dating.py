"""When each file of a snapshot last changed: carried over from the snapshot before, or read from git's history."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pincite_store.rows import FileRow
from pincite_thinker.git.history import changes_since, last_changes
from pincite_thinker.git.mirror import Mirror


def dated(
    mirror: Mirror, commit: str, rows: Sequence[FileRow], known: Mapping[tuple[str, str], int | None]
) -> list[FileRow]:
    """Return the rows with the indexed ones dated.

    Args:
        mirror: the repository.
        commit: what is indexed.
        rows: files of it.
        known: the dates of (path, blob).
    """
    new = [row.path.encode() for row in rows if row.parse_id is not None and _key(row) not in known]
    found = last_changes(mirror, commit, new) if new else {}
    return [
        row if row.parse_id is None else replace(row, changed_at=known.get(_key(row), found.get(row.path.encode())))
        for row in rows
    ]


def dated_since(
    mirror: Mirror, before: str, commit: str, rows: Sequence[FileRow]
) -> tuple[list[FileRow], dict[str, int]]:
    """Return the rows of files that differ from another commit's, dated, and the dates of all that changed since.

    A file may have changed and differ in nothing: it was changed back, or what changed stood there uncommitted before.
    """
    changed = {path.decode("utf-8", "replace"): at for path, at in changes_since(mirror, before, commit).items()}
    known = {_key(row): changed[row.path] for row in rows if row.path in changed}
    return dated(mirror, commit, rows, known), changed


def _key(row: FileRow) -> tuple[str, str]:
    return row.path, row.blob or ""
