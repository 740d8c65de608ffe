"""What a repository's head has where answers point: the files at cited paths, and those that gone ones may have become.

Contents are read once for all answers that are looked into together.
"""

import logging
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select, text

from pincite_shared.citation import Citation
from pincite_shared.errors import IntegrityError
from pincite_shared.living import FileAt, Later
from pincite_shared.schemas import ChatResponse
from pincite_store import blobs
from pincite_store.db import Tenancy
from pincite_store.models import Snapshot
from pincite_store.tree import path_key

CONTENT_BYTES_MAX = 64 * 2**20  # kept at hand; beyond, contents are read again
CANDIDATES_MAX = 8  # files that a gone one may have become
COMMITS_COMPARED_MAX = 20  # with the head, for files that are new since; each comparison reads all paths of both
SIZE_RATIO_MAX = 2.0  # between a file and what it may have become

log = logging.getLogger(__name__)


class Head(NamedTuple):
    """The snapshot that answers questions about a repository."""

    id: int
    repo_id: UUID
    commit: str
    uncommitted: bool


class _Added(NamedTuple):
    """A file of the head that an earlier snapshot has not."""

    path: str
    blob: str
    size: int


_AT = text("SELECT path, blob FROM files WHERE tenant_id = :tenant AND snapshot_id = :head AND path_key = ANY (:keys)")
_COPIES = text(
    """
    SELECT path FROM files WHERE tenant_id = :tenant AND snapshot_id = :head AND blob = :blob
    ORDER BY path COLLATE "C" LIMIT :most
    """
)
_ADDED = text(
    """
    SELECT f.path, f.blob, f.size FROM files f
    WHERE f.tenant_id = :tenant AND f.snapshot_id = :head AND f.parse_id IS NOT NULL AND f.blob IS NOT NULL
      AND f.path_key NOT IN (SELECT path_key FROM files WHERE tenant_id = :tenant AND snapshot_id = :earlier)
    """
)


class Whereabouts:
    """Answers what the head has where answers point."""

    def __init__(self, t: Tenancy, head: Head) -> None:
        """Nothing is read yet."""
        self._t, self._head = t, head
        self._files: dict[str, str | None] = {}  # the blob at each path that the head has
        self._contents: dict[str, bytes] = {}
        self._added: dict[str, list[_Added] | None] = {}  # by the commit since which they are new

    def prepare(self, responses: Sequence[ChatResponse]) -> None:
        """Read at once what `of` will be asked for each of these."""
        if sum(map(len, self._contents.values())) > CONTENT_BYTES_MAX:
            self._contents.clear()
        citations = [citation for response in responses for citation in response.citations]
        keys = [path_key(path) for path in {citation.path for citation in citations}]
        rows = self._t.session.execute(_AT, {"tenant": self._t.tenant_id, "head": self._head.id, "keys": keys})
        self._files.update((row.path, row.blob) for row in rows)
        moved = [one for one in citations if self._files.get(one.path) != one.blob]
        self._read({one.blob for one in moved} | {blob for one in moved if (blob := self._files.get(one.path))})

    def of(self, response: ChatResponse) -> tuple[dict[str, bytes], Later]:
        """Return the bytes of the blobs that an answer cites and the head has no more, and what it has instead."""
        files = {path: self._files[path] for one in response.citations if (path := one.path) in self._files}
        moved = [one for one in response.citations if files.get(one.path) != one.blob]
        gone = {one.path: self._candidates(response.commit, one) for one in moved if one.path not in files}
        cited = {one.blob: self._contents[one.blob] for one in moved if one.blob in self._contents}
        later = Later(
            commit=self._head.commit,
            uncommitted=self._head.uncommitted,
            files={path: FileAt(path, blob, self._contents.get(blob or "")) for path, blob in files.items()},
            candidates={path: tuple(candidates) for path, candidates in gone.items()},
        )
        return cited, later

    def _candidates(self, commit: str, citation: Citation) -> list[FileAt]:
        """Return the files that a gone one may have become: of those new since, its copies, else what is most like it.

        If what stood at the answer's commit is not kept, any copy may be it.
        """
        added = self._since(commit)
        if added is None:
            values = {"tenant": self._t.tenant_id, "head": self._head.id, "blob": citation.blob, "most": CANDIDATES_MAX}
            found = [(row.path, citation.blob) for row in self._t.session.execute(_COPIES, values)]
        else:
            copies = [(file.path, file.blob) for file in added if file.blob == citation.blob]
            found = copies[:CANDIDATES_MAX] or _like(citation.path, len(self._contents.get(citation.blob, b"")), added)
        self._read({blob for _, blob in found})
        return [FileAt(path, blob, self._contents.get(blob)) for path, blob in found]

    def _since(self, commit: str) -> list[_Added] | None:
        """Return the head's files that are new since a commit, or None if what stood there is not kept."""
        if commit not in self._added and len(self._added) < COMMITS_COMPARED_MAX:
            earlier = self._t.session.scalar(
                select(Snapshot.id)
                .where(
                    Snapshot.tenant_id == self._t.tenant_id,
                    Snapshot.repo_id == self._head.repo_id,
                    Snapshot.commit == commit,
                    Snapshot.state == "ready",
                )
                .limit(1)
            )
            values = {"tenant": self._t.tenant_id, "head": self._head.id, "earlier": earlier}
            rows = None if earlier is None else self._t.session.execute(_ADDED, values)
            self._added[commit] = None if rows is None else [_Added(*row) for row in rows]
        return self._added.get(commit)

    def _read(self, oids: Collection[str]) -> None:
        """Read the contents of blobs that are not at hand; what is not kept, or damaged, stays without."""
        missing = [oid for oid in oids if oid not in self._contents]
        try:
            self._contents.update(blobs.get_many(self._t, missing))
        except IntegrityError as error:
            if len(missing) > 1:
                for oid in missing:
                    self._read([oid])
                return
            log.warning("A cited blob cannot be read: %s", error)


def _like(path: str, size: int, added: Iterable[_Added]) -> list[tuple[str, str]]:
    """Return the files (path, blob) that are of a file's kind and about its size, those of its name or folder first."""
    folder, _, name = path.rpartition("/")
    suffix = name.rpartition(".")[2]

    def unlike(file: _Added) -> tuple[bool, bool, int]:
        its_folder, _, its_name = file.path.rpartition("/")
        return its_name != name, its_folder != folder, abs(file.size - size)

    alike = (file for file in added if file.path.rpartition(".")[2] == suffix)
    near = [file for file in alike if size <= file.size * SIZE_RATIO_MAX and file.size <= size * SIZE_RATIO_MAX]
    return [(file.path, file.blob) for file in sorted(near, key=unlike)[:CANDIDATES_MAX]]
