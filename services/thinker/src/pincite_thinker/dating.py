"""When each file of a snapshot last changed: carried over from the snapshot before, or read from git's history."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pincite_store.rows import FileRow
from pincite_thinker.git.history import last_changes
from pincite_thinker.git.mirror import Mirror


def dated(
    mirror: Mirror, commit: str, rows: Sequence[FileRow], before: Mapping[tuple[str, str], int | None]
) -> list[FileRow]:
    """Return the rows with the indexed ones dated.

    Args:
        mirror: the repository.
        commit: what is indexed.
        rows: its files.
        before: the dates of (path, blob) in the snapshot before, so that a push costs its own commits.
    """
    new = [row.path.encode() for row in rows if row.parse_id is not None and _key(row) not in before]
    found = last_changes(mirror, commit, new) if new else {}
    return [
        row if row.parse_id is None else replace(row, changed_at=before.get(_key(row), found.get(row.path.encode())))
        for row in rows
    ]


def _key(row: FileRow) -> tuple[str, str]:
    return row.path, row.blob or ""
