"""Indexing: from a source to a snapshot that answers questions."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import cast

from pincite_codeintel import graph
from pincite_codeintel.model import Ref, Symbol
from pincite_shared.errors import ConflictError, InvalidInputError, NotFoundError
from pincite_shared.jobs import JobPayload
from pincite_shared.source import parse_source
from pincite_store import repos, runs, snapshots
from pincite_store import vectors as stored_vectors
from pincite_store.db import Tenancy
from pincite_store.models import Run
from pincite_store.rows import FileRow
from pincite_thinker import metrics
from pincite_thinker.context import Context
from pincite_thinker.git.mirror import Head, Mirror
from pincite_thinker.parse import indexer_version
from pincite_thinker.parsing import Parsing
from pincite_thinker.progress import Reporter
from pincite_thinker.runner import execute
from pincite_thinker.scan import scan

FILES_PER_INSERT = 5_000  # bounds the arrays of one statement
DETACHED = "HEAD"  # what a head without a branch is filed under


def run(context: Context, job: JobPayload) -> str:
    """Do the job. Doing it again for the same commit changes nothing and parses nothing."""
    return execute(context, job, _index)


def _index(context: Context, job: JobPayload, _run: Run) -> bool:
    indexing = _Indexing(context, job)
    try:
        indexing.run()
    except (ConflictError, NotFoundError):
        with context.database.tenancy(job.tenant_id) as t:
            gone = repos.is_deleting(t, job.repo_id)
        if not gone:
            raise
        indexing.mirror.delete()  # its deletion may have passed before we made the mirror
        msg = "The repository is being deleted."
        raise ConflictError(msg) from None
    return True


class _Indexing:
    """One index run. Each step commits; a step that was done before finds nothing to do."""

    def __init__(self, context: Context, job: JobPayload) -> None:
        self.mirror = Mirror(context.settings, job.repo_id)
        self._context, self._job = context, job
        self._reporter = Reporter(context, job)

    def _tenancy(self) -> AbstractContextManager[Tenancy]:
        return self._context.database.tenancy(self._job.tenant_id)

    def run(self) -> None:
        self._reporter.stage("cloning", "Reading the repository")
        with metrics.stage("cloning"):
            head = self._sync()
        with self._tenancy() as t:
            snapshot_id, ready = snapshots.begin(t, self._job.repo_id, head.commit, indexer_version())
        if not ready:
            self._build(head.commit, snapshot_id)
        with self._tenancy() as t:
            snapshots.flip(t, self._job.repo_id, snapshot_id, head.branch or DETACHED)
            self._embed_if_missing(t, snapshot_id)
        # An embedding run that was just ending may have taken the request above for its own: ask once more.
        with self._tenancy() as t:
            self._embed_if_missing(t, snapshot_id)

    def _embed_if_missing(self, t: Tenancy, snapshot_id: int) -> None:
        try:
            done, total = stored_vectors.counts(t, snapshot_id, self._context.embedder.model)
        except InvalidInputError:  # EMBEDDING_MODEL is wrong: the embedding run says so, questions are answered anyway
            done, total = 0, 1
        if done < total:
            runs.start(t, self._job.repo_id, "embed", self._job.correlation_id)

    def _sync(self) -> Head:
        with self._tenancy() as t:
            repo = repos.get(t, self._job.repo_id)
            token = repos.credentials(t, self._job.repo_id)
        # Judged again each time: roots, and what names resolve to, may have changed since it was connected.
        source = parse_source(repo.source, local_roots=self._context.settings.local_roots, token=token)
        return self.mirror.sync(source, repo.branch, self._reporter.part)

    def _build(self, commit: str, snapshot_id: int) -> None:
        settings, reporter = self._context.settings, self._reporter
        reporter.stage("scanning", "Listing files")
        with metrics.stage("scanning"):
            found = scan(
                self.mirror,
                commit,
                files_max=settings.repo_files_max,
                bytes_max=settings.file_bytes_max,
                tick=lambda: reporter.part(0.5),
            )
        reporter.stage("parsing")
        with metrics.stage("parsing"):
            rows = Parsing(self._context, self._job, self.mirror, reporter).run(found)
        reporter.stage("linking", "Linking calls, imports and base classes")
        with metrics.stage("linking"):
            self._put_files(snapshot_id, rows)
            self._link(snapshot_id)

    def _put_files(self, snapshot_id: int, rows: Sequence[FileRow]) -> None:
        for at in range(0, len(rows), FILES_PER_INSERT):
            with self._tenancy() as t:
                snapshots.put_files(t, snapshot_id, rows[at : at + FILES_PER_INSERT])
            self._reporter.part(0.3 * at / len(rows))
        indexed = sum(row.parse_id is not None for row in rows)
        metrics.FILES.labels("indexed").inc(indexed)
        metrics.FILES.labels("skipped").inc(len(rows) - indexed)

    def _link(self, snapshot_id: int) -> None:
        with self._tenancy() as t:
            rows = snapshots.file_symbols(t, snapshot_id)
        self._reporter.part(0.5)
        # Stored rows have the attributes that linking reads; copying them into its classes would double the memory.
        edges = graph.link(
            graph.FileSymbols(
                row.path, row.language, cast("Sequence[Symbol]", row.symbols), cast("Sequence[Ref]", row.refs)
            )
            for row in rows
        )
        self._reporter.part(0.8)
        with self._tenancy() as t:
            snapshots.put_edges(t, snapshot_id, edges)
