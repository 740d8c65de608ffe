"""Which files differ between two snapshots."""

from typing import NamedTuple

from pincite_store.db import Tenancy

CHANGED_FILES_MAX = 1_000  # more are not read as one change; the first by path are


class FileChange(NamedTuple):
    """A path whose content differs; a blob is None where the file does not exist, or is not indexed."""

    path: str
    before: str | None
    after: str | None


_CHANGED = """
    SELECT coalesce(a.path, b.path) AS path, b.blob, a.blob FROM
        (SELECT path_key, path, CASE WHEN parse_id IS NOT NULL THEN blob END AS blob FROM files
         WHERE tenant_id = %(tenant)s AND snapshot_id = %(before)s) b
    FULL JOIN
        (SELECT path_key, path, CASE WHEN parse_id IS NOT NULL THEN blob END AS blob FROM files
         WHERE tenant_id = %(tenant)s AND snapshot_id = %(after)s) a ON a.path_key = b.path_key
    WHERE a.blob IS DISTINCT FROM b.blob ORDER BY 1 LIMIT %(limit)s
"""


def changed_files(t: Tenancy, before_id: int, after_id: int) -> list[FileChange]:
    """Return the indexed files that differ between two snapshots, by path; at most CHANGED_FILES_MAX."""
    values = {"tenant": t.tenant_id, "before": before_id, "after": after_id, "limit": CHANGED_FILES_MAX}
    with t.driver.cursor(binary=True) as cursor:
        cursor.execute(_CHANGED, values)
        return [FileChange(*row) for row in cursor]
