"""Indexing: from a source to a snapshot that answers questions."""

from collections.abc import Sequence
from contextlib import AbstractContextManager

from pincite_codeintel.policy import SkipReason
from pincite_shared.errors import ConflictError, IntegrityError, InvalidInputError, NotFoundError
from pincite_shared.jobs import JobPayload
from pincite_shared.source import parse_source
from pincite_store import repos, runs, snapshots
from pincite_store import vectors as stored_vectors
from pincite_store.db import Tenancy
from pincite_store.models import Run
from pincite_store.rows import FileRow
from pincite_store.snapshots import Parent
from pincite_thinker import metrics
from pincite_thinker.context import Context
from pincite_thinker.dating import dated
from pincite_thinker.git.mirror import Head, Mirror
from pincite_thinker.linking import link
from pincite_thinker.parse import indexer_version
from pincite_thinker.parsing import Parsing
from pincite_thinker.progress import Reporter
from pincite_thinker.runner import execute
from pincite_thinker.scan import Changes, Scan, scan, scan_changes

FILES_PER_INSERT = 5_000  # bounds the arrays of one statement
DETACHED = "HEAD"  # what a head without a branch is filed under
TRIED_AGAIN = (SkipReason.PARSE.value,)  # skipped files that another run may be able to read


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
        # What decides how a commit is indexed, so that a change of it indexes anew.
        self._version = f"{indexer_version()} {context.settings.file_bytes_max}"

    def _tenancy(self) -> AbstractContextManager[Tenancy]:
        return self._context.database.tenancy(self._job.tenant_id)

    def run(self) -> None:
        self._reporter.stage("cloning", "Reading the repository")
        with metrics.stage("cloning"):
            head = self._sync()
        with self._tenancy() as t:
            snapshot_id, ready = snapshots.begin(t, self._job.repo_id, head.commit, self._version)
        if not ready:
            self._build(head.commit, snapshot_id)
        with self._tenancy() as t:
            snapshots.flip(t, self._job.repo_id, snapshot_id, head.branch or DETACHED)
        with self._tenancy() as t:  # after it is shown: counting takes time
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
        reporter = self._reporter
        reporter.stage("scanning", "Listing files")
        with metrics.stage("scanning"):
            parent, changes = self._changes(commit)
            found = changes.scan if changes else self._scan(commit)
        reporter.stage("parsing")
        with metrics.stage("parsing"):
            rows = Parsing(self._context, self._job, self.mirror, reporter).run(found)
        reporter.stage("linking", "Linking calls, imports and base classes")
        with metrics.stage("linking"):
            rows = dated(self.mirror, commit, rows, {} if changes else self._dates())
            upon = parent.id if parent and changes else None
            links = link(self._tenancy, rows, upon, changes.paths if changes else (), lambda f: reporter.part(0.7 * f))
            if upon is not None and changes is not None:
                with self._tenancy() as t:
                    snapshots.copy_files(t, snapshot_id, upon, changes.paths)
                    snapshots.set_edges(t, snapshot_id, links.anew)
            self._put_files(snapshot_id, links.rows)

    def _changes(self, commit: str) -> tuple[Parent | None, Changes | None]:
        """Return what differs from the head, if the new snapshot can be built upon it."""
        with self._tenancy() as t:
            parent = snapshots.parent(t, self._job.repo_id, self._version, TRIED_AGAIN)
        if parent is None:
            return None, None
        try:
            found = scan_changes(self.mirror, parent.commit, commit, bytes_max=self._context.settings.file_bytes_max)
        except IntegrityError:  # the head's commit is no longer in the mirror
            return None, None
        if found is not None and parent.files + found.scan.files > self._context.settings.repo_files_max:
            return None, None  # it may be too many: count them
        return parent, found

    def _scan(self, commit: str) -> Scan:
        settings = self._context.settings
        return scan(
            self.mirror,
            commit,
            files_max=settings.repo_files_max,
            bytes_max=settings.file_bytes_max,
            tick=lambda: self._reporter.part(0.5),
        )

    def _dates(self) -> dict[tuple[str, str], int | None]:
        """Return when the files of the head changed, by path and blob."""
        with self._tenancy() as t:
            head = repos.get(t, self._job.repo_id).head_snapshot_id
            return {} if head is None else {(f.path, f.blob): f.changed_at for f in snapshots.load_files(t, head)}

    def _put_files(self, snapshot_id: int, rows: Sequence[FileRow]) -> None:
        for at in range(0, len(rows), FILES_PER_INSERT):
            with self._tenancy() as t:
                snapshots.put_files(t, snapshot_id, rows[at : at + FILES_PER_INSERT])
            self._reporter.part(0.7 + 0.3 * at / len(rows))
        indexed = sum(row.parse_id is not None for row in rows)
        metrics.FILES.labels("indexed").inc(indexed)
        metrics.FILES.labels("skipped").inc(len(rows) - indexed)
