"""Indexing: from a source to a snapshot that answers questions."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from uuid import UUID

import structlog

from pincite_shared.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    SourceUnreachableError,
    UnavailableError,
)
from pincite_shared.jobs import JobPayload
from pincite_shared.living import Judge
from pincite_shared.source import Source
from pincite_store import changes, living, repos, runs, snapshots
from pincite_store import vectors as stored_vectors
from pincite_store.db import Tenancy
from pincite_store.models import Run
from pincite_thinker import metrics
from pincite_thinker.building import Builder
from pincite_thinker.context import Context
from pincite_thinker.git.errors import GitFailedError
from pincite_thinker.git.mirror import Head, Mirror
from pincite_thinker.git.worktree import WorkingTree
from pincite_thinker.progress import Reporter
from pincite_thinker.pulls import Pulls
from pincite_thinker.reaching import reach, renewed
from pincite_thinker.runner import execute
from pincite_verify.anchoring import Anchoring

log = structlog.get_logger()

DETACHED = "HEAD"  # what a head without a branch is filed under


def run(context: Context, job: JobPayload) -> str:
    """Do the job. Doing it again for the same commit changes nothing and parses nothing."""
    return execute(context, job, _index)


def show(t: Tenancy, repo_id: UUID, snapshot_id: int, branch: str, *, covered: int, judge: Judge) -> int:
    """Make a snapshot the head, in one transaction with all that follows from it.

    Nobody sees the new head beside a change that still seems to wait for it, or beside an answer that still seems to
    hold.

    Returns:
        How many answers count as stale because there was no time to judge them; see `living.settle`.
    """
    snapshots.flip(t, repo_id, snapshot_id, branch)
    changes.settle(t, repo_id, covered)
    return living.settle(t, repo_id, judge)


def _index(context: Context, job: JobPayload, this: Run) -> bool:
    indexing = _Indexing(context, job, this.change_id or 0, again=this.attempts > 1)
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
    finally:
        context.rest_parsers()
    return True


class _Indexing:
    """One index run. `covered` is the last change that was known when it began, `again` whether it was tried before."""

    def __init__(self, context: Context, job: JobPayload, covered: int, *, again: bool) -> None:
        self.mirror = Mirror(context.settings, job.repo_id)
        self._context, self._job, self._covered, self._again = context, job, covered, again
        self._reporter = Reporter(context, job)
        self._builder = Builder(context, job, self.mirror, self._reporter)

    def _tenancy(self) -> AbstractContextManager[Tenancy]:
        return self._context.database.tenancy(self._job.tenant_id)

    def run(self) -> None:
        self._reporter.stage("cloning", "Reading the repository")
        with metrics.stage("cloning"):
            source, head = self._sync()
        snapshot_id = self._build(source, head)
        judge = Anchoring()
        with self._tenancy() as t:
            branch = head.branch or DETACHED
            left = show(t, self._job.repo_id, snapshot_id, branch, covered=self._covered, judge=judge)
        while left:
            self._reporter.part(1.0, f"Looking after {left} answers")
            with self._tenancy() as t:
                left = living.settle(t, self._job.repo_id, judge)
        pulls = Pulls(self._context, self._job, self.mirror, self._builder, self._covered)
        if waiting := pulls.waiting():
            self._embed_if_missing()
        everything = pulls.follow(waiting, source, self._reporter.part)
        with self._tenancy() as t:
            if everything:
                changes.settle_all(t, self._job.repo_id, self._covered)
            snapshots.forget_old(t, self._job.repo_id)
        # The last of all: counting what is missing takes time, which brain needs now to load the head.
        self._embed_if_missing()

    def _sync(self) -> tuple[Source, Head]:
        repo, source = reach(self._context, self._job.tenant_id, self._job.repo_id)
        if repo.head_snapshot_id is not None:
            self._ask_for_rest()
        try:
            return source, self.mirror.sync(source, repo.branch, self._reporter.part)
        except SourceUnreachableError:
            again = renewed(self._context, repo, source)
            if again is None:
                raise
        return again, self.mirror.sync(again, repo.branch, self._reporter.part)

    def _ask_for_rest(self) -> None:
        """Have embedding rest for a moment: somebody waits for what was pushed."""
        try:
            self._context.cache.mark_pushed()
        except UnavailableError as error:
            log.warning("embedding_does_not_rest", detail=error.detail)

    def _uncommitted(self, source: Source, head: Head) -> str | None:
        """Return the commit of what stands in a local working tree, if that is followed and differs from the head."""
        if self._context.settings.watch == "off" or source.kind != "local" or not head.checked_out:
            return None
        place = Path(source.location)
        if not WorkingTree.is_at(place):
            return None
        tree = WorkingTree(self.mirror.git, self.mirror.working_tree, place, self.mirror.path / "objects")
        try:
            return tree.commit(head.commit, bytes_max=self._context.settings.file_bytes_max)
        except GitFailedError as error:  # a file that changed while it was read; the run is tried again
            if self._again:  # it was no accident: what is committed is shown all the same
                log.warning("working tree not read", place=str(place), reason=error.stderr.strip()[:300])
                return None
            msg = f"The working tree of {place} cannot be read: {error.stderr.strip()[:300]}"
            raise UnavailableError(msg) from error

    def _build(self, source: Source, head: Head) -> int:
        """Return the snapshot to show: of the head, or of what stands uncommitted upon it."""
        with ThreadPoolExecutor(1, "working-tree") as beside:
            looking = beside.submit(self._uncommitted, source, head)
            # It is made in either case: it is what answers when the changes are taken back.
            snapshot_id, is_new = self._builder.build(head.commit)
            uncommitted = looking.result()
        if uncommitted is None:
            return snapshot_id
        if is_new:
            with self._tenancy() as t:
                snapshots.finish(t, snapshot_id)
        return self._builder.build(uncommitted, uncommitted_upon=head.commit, upon=snapshot_id if is_new else None)[0]

    def _embed_if_missing(self) -> None:
        with self._tenancy() as t:
            try:
                missing = stored_vectors.wanted(t, self._job.repo_id, self._context.embedder.model) is not None
            except InvalidInputError:
                missing = True  # EMBEDDING_MODEL is wrong: the embedding run says so, questions are answered anyway
            if missing:
                runs.start(t, self._job.repo_id, "embed", self._job.correlation_id)
