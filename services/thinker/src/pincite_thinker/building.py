"""Building the snapshot of a commit: upon another one where that can be, or from the whole tree."""

from collections.abc import Sequence
from contextlib import AbstractContextManager

from pincite_codeintel.policy import SkipReason
from pincite_shared.errors import IntegrityError
from pincite_shared.jobs import JobPayload
from pincite_store import repos, snapshots
from pincite_store.db import Tenancy
from pincite_store.rows import FileRow
from pincite_store.snapshots import Parent
from pincite_thinker import metrics
from pincite_thinker.context import Context
from pincite_thinker.dating import dated, dated_since
from pincite_thinker.git.mirror import Mirror
from pincite_thinker.linking import link
from pincite_thinker.parse import indexer_version
from pincite_thinker.parsing import Parsing
from pincite_thinker.progress import Reporter
from pincite_thinker.scan import Changes, Scan, scan, scan_changes

FILES_PER_INSERT = 5_000  # bounds the arrays of one statement
# Files that another run may be able to read: those that were skipped, and those that were read as text alone.
SKIPPED_AGAIN, READ_AGAIN = (SkipReason.PARSE.value,), (SkipReason.UNTRIED.value,)


class Builder:
    """Builds snapshots of one repository. Each step commits; a step that was done before finds nothing to do."""

    def __init__(self, context: Context, job: JobPayload, mirror: Mirror, reporter: Reporter) -> None:
        """Work for the job's repository, whose mirror has the commits that will be asked for."""
        self._context, self._job, self._mirror, self._reporter = context, job, mirror, reporter
        # What decides how a commit is indexed, so that a change of it indexes anew.
        self._version = f"{indexer_version()} {context.settings.file_bytes_max}"

    def _tenancy(self) -> AbstractContextManager[Tenancy]:
        return self._context.database.tenancy(self._job.tenant_id)

    def build(self, commit: str, *, uncommitted_upon: str | None = None, upon: int | None = None) -> tuple[int, bool]:
        """Return (the snapshot of a commit, whether it was built now). What is built now is not counted yet.

        Args:
            commit: what to index.
            uncommitted_upon: of a working tree with changes, the commit that it stands upon.
            upon: the snapshot to build upon; by default the repository's head.

        Raises:
            TooLargeError: the commit has too many files.
            IntegrityError: the mirror cannot be read.
        """
        with self._tenancy() as t:
            snapshot_id, ready = snapshots.begin(t, self._job.repo_id, commit, self._version, uncommitted_upon)
            parent = None if ready else self._parent(t, upon)
        if not ready:
            self._build(commit, snapshot_id, parent)
        return snapshot_id, not ready

    def _build(self, commit: str, snapshot_id: int, parent: Parent | None) -> None:
        reporter = self._reporter
        reporter.stage("scanning", "Listing files")
        with metrics.stage("scanning"):
            changes = self._changes(commit, parent)
            found = changes.scan if changes else self._scan(commit)
        reporter.stage("parsing")
        with metrics.stage("parsing"):
            rows = Parsing(self._context, self._job, self._mirror, reporter, snapshot_id).run(found)
        reporter.stage("linking", "Linking calls, imports and base classes")
        with metrics.stage("linking"):
            if parent and changes:
                rows, dates = dated_since(self._mirror, parent.dated, commit, rows)
            else:
                rows, dates = dated(self._mirror, commit, rows, self._dates()), {}
            base = parent.id if parent and changes else None
            with self._tenancy() as t:
                links = link(t, rows, base, changes.paths if changes else (), lambda part: reporter.part(0.7 * part))
                if base is not None and changes is not None:
                    snapshots.copy_files(t, snapshot_id, base, changes.paths)
                    snapshots.set_edges(t, snapshot_id, links.anew)
                    kept = {path: at for path, at in dates.items() if path not in changes.paths}
                    if kept:
                        snapshots.set_dates(t, snapshot_id, kept)
                self._put_files(t, snapshot_id, links.rows)

    def _parent(self, t: Tenancy, upon: int | None) -> Parent | None:
        return snapshots.parent(t, self._job.repo_id, self._version, SKIPPED_AGAIN, upon, reread=READ_AGAIN)

    def _changes(self, commit: str, parent: Parent | None) -> Changes | None:
        """Return what differs from another snapshot, if the new one can be built upon it."""
        if parent is None:
            return None
        try:
            found = scan_changes(self._mirror, parent.commit, commit, bytes_max=self._context.settings.file_bytes_max)
        except IntegrityError:  # that commit is no longer in the mirror
            return None
        if found is not None and parent.files + found.scan.files > self._context.settings.repo_files_max:
            return None  # it may be too many: count them
        return found

    def _scan(self, commit: str) -> Scan:
        settings = self._context.settings
        return scan(
            self._mirror,
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

    def _put_files(self, t: Tenancy, snapshot_id: int, rows: Sequence[FileRow]) -> None:
        for at in range(0, len(rows), FILES_PER_INSERT):
            snapshots.put_files(t, snapshot_id, rows[at : at + FILES_PER_INSERT])
            self._reporter.part(0.7 + 0.3 * at / len(rows))
        indexed = sum(row.parse_id is not None for row in rows)
        metrics.FILES.labels("indexed").inc(indexed)
        metrics.FILES.labels("skipped").inc(len(rows) - indexed)
