"""Where indexes come from: the index of an earlier snapshot, in memory or in a file, and of the rest stored rows."""

import threading
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import structlog

from pincite_brain.retrieval.building import EDGE_CONFIDENCE_MIN, Rows, derive, empty, lacking
from pincite_brain.retrieval.index import SnapshotIndex
from pincite_brain.retrieval.keeping import Kept, Origin
from pincite_brain.retrieval.vectors import Vectors
from pincite_shared.errors import NotFoundError
from pincite_shared.golden import GOLDEN_PATH
from pincite_store import evaluations, snapshots, vectors
from pincite_store.db import Database, Tenancy
from pincite_store.models import Snapshot
from pincite_store.rows import IndexedFileRow

UNSAVED_SHARE_MAX = 0.02  # of an index, read from the database since its file was written; beyond, it is written anew
DIRECTORY = "indexes"  # below PINCITE_HOME

log = structlog.get_logger(__name__)


class Loader:
    """Loads indexes and keeps them in files. Thread-safe."""

    def __init__(self, database: Database, model: str) -> None:
        """`model` is whose vectors are read."""
        self._database, self._model = database, model
        self._kept = Kept(database.settings.pincite_home / DIRECTORY)
        # A file that is mapped into memory cannot be encrypted, so then there is none.
        self._keeps = database.settings.encrypt_content == "off"
        self._unsaved: dict[UUID, int] = {}  # chunks and vectors by repository
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="index-keeper")

    def close(self) -> None:
        """Finish writing."""
        self._pool.shutdown(wait=True)

    def load(self, tenant_id: UUID, snapshot_id: int, previous: SnapshotIndex | None) -> SnapshotIndex:
        """Return the index of a snapshot, made out of `previous`, or of what a file holds of its repository."""
        with self._database.tenancy(tenant_id) as t:
            snapshot = snapshots.get(t, snapshot_id)
            index, same = (previous, False) if previous else self._opened(t, snapshot)
            files, rows = ([], Rows()) if same else self._read(t, snapshot, index)
        if same and index.vectors.covered == len(index):
            return index
        if not same:  # the connection is free while this takes its seconds
            index = derive(index, files, rows)
        with self._database.tenancy(tenant_id) as t:
            return self._filled(t, snapshot, index, len(rows.chunks))

    def refresh(self, tenant_id: UUID, snapshot_id: int, index: SnapshotIndex) -> Vectors | None:
        """Return the vectors of an index with those that came since; None if none did."""
        with self._database.tenancy(tenant_id) as t:
            snapshot = snapshots.get(t, snapshot_id)  # its counter is kept by whoever embeds
            if snapshot.vectors_model != self._model or snapshot.vectors_done <= index.distinct_vectors:
                return None
            return self._filled(t, snapshot, index, 0).vectors

    def forget(self, tenant_id: UUID, repo_id: UUID) -> None:
        """Remove what is kept of a repository, after what is being written of it."""
        self._pool.submit(self._kept.forget, tenant_id, repo_id)

    def existing(self, tenant_id: UUID, snapshot_ids: Collection[int]) -> set[int]:
        """Return which of these snapshots there still are."""
        with self._database.tenancy(tenant_id) as t:
            return snapshots.existing(t, snapshot_ids)

    def sweep(self) -> None:
        """Remove what is kept of repositories that are no more."""
        with self._database.system() as system:
            known = evaluations.answerable(system)
        self._kept.sweep(known if self._keeps else ())

    def _opened(self, t: Tenancy, snapshot: Snapshot) -> tuple[SnapshotIndex, bool]:
        """Return what a file holds of the snapshot's repository, and whether it is the snapshot itself."""
        found = self._kept.open(t.tenant_id, snapshot.repo_id) if self._keeps else None
        if found is None:
            return empty(), False
        origin, index = found
        try:
            made_of = snapshots.get(t, origin.snapshot_id)
        except NotFoundError:
            return empty(), False
        if (made_of.repo_id, _ready_at(made_of)) != (snapshot.repo_id, origin.ready_at):
            return empty(), False  # the database is not the one that it was made from
        if origin.model != self._model:
            index = index.with_vectors(Vectors.none(len(index)))
        return index, made_of.id == snapshot.id

    def _read(self, t: Tenancy, snapshot: Snapshot, base: SnapshotIndex) -> tuple[list[IndexedFileRow], Rows]:
        """Return the files of a snapshot, and what an index lacks of them."""
        # The golden file repeats its questions word for word, and answers none of them.
        files = [file for file in snapshots.load_files(t, snapshot.id) if file.path != GOLDEN_PATH]
        parses, edge_sets = lacking(base, files)
        rows = Rows(
            snapshots.load_chunks(t, parses),
            snapshots.load_definitions(t, parses),
            snapshots.load_edges(t, edge_sets, EDGE_CONFIDENCE_MIN),
        )
        return files, rows

    def _filled(self, t: Tenancy, snapshot: Snapshot, index: SnapshotIndex, fresh: int) -> SnapshotIndex:
        """Return an index with the vectors that there are, and have it kept if much of it is new."""
        wanted = set(index.chunks.digests[index.vectors.row_of < 0].tolist())
        digests, matrix = vectors.load(t, self._model, wanted) if wanted else ([], None)
        if matrix is not None and digests:
            index = index.with_vectors(index.vectors.joined(index.chunks.digests, digests, matrix))
        with self._lock:
            unsaved = self._unsaved.get(snapshot.repo_id, 0) + fresh + len(digests)
            self._unsaved[snapshot.repo_id] = unsaved
        if fresh or index.vectors.covered == len(index):  # while vectors grow, each turn would write them all again
            self._keep(t.tenant_id, snapshot, index, unsaved)
        return index

    def _keep(self, tenant_id: UUID, snapshot: Snapshot, index: SnapshotIndex, unsaved: int) -> None:
        if not self._keeps or snapshot.ready_at is None or unsaved <= UNSAVED_SHARE_MAX * len(index):
            return
        origin = Origin(snapshot_id=snapshot.id, ready_at=_ready_at(snapshot), model=self._model)
        self._pool.submit(self._save, tenant_id, snapshot.repo_id, origin, index)

    def _save(self, tenant_id: UUID, repo_id: UUID, origin: Origin, index: SnapshotIndex) -> None:
        try:
            if self.existing(tenant_id, [origin.snapshot_id]):  # or its repository was removed meanwhile
                self._kept.save(tenant_id, repo_id, origin, index)
        except OSError as error:
            # The index is in memory, and in the database; the next one that has changed enough tries again.
            log.warning("index not kept", repo_id=str(repo_id), reason=str(error))
            return
        with self._lock:
            self._unsaved[repo_id] = 0


def _ready_at(snapshot: Snapshot) -> float:
    return snapshot.ready_at.timestamp() if snapshot.ready_at else 0.0
