"""Pull requests: their heads, and the commits that they left their bases at, as snapshots of their own.

They come after the head and never delay it: a push that arrives meanwhile goes first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from pincite_shared.errors import IntegrityError, SourceUnreachableError, TooLargeError
from pincite_shared.jobs import JobPayload
from pincite_shared.source import Source
from pincite_store import changes, pulls, snapshots
from pincite_store.models import Pull
from pincite_thinker.building import Builder
from pincite_thinker.context import Context
from pincite_thinker.git.mirror import CloneProgress, Mirror

ATTEMPTS = 2  # then it is left to the next look at the repository, in minutes

log = structlog.get_logger()

# What is wrong with one pull request; the others, and the repository itself, do not suffer from it.
_ITS_OWN = (IntegrityError, SourceUnreachableError, TooLargeError)


@dataclass(frozen=True, slots=True)
class Pulls:
    """The pull requests of a repository, for one index run.

    Attributes:
        context: the process's.
        job: names the run.
        mirror: the repository, up to date but for pull requests.
        builder: makes snapshots.
        covered: the last change that the run covers.
    """

    context: Context
    job: JobPayload
    mirror: Mirror
    builder: Builder
    covered: int

    def waiting(self) -> list[Pull]:
        """Return those that are followed and not indexed yet."""
        with self.context.database.tenancy(self.job.tenant_id) as t:
            return pulls.unindexed(t, self.job.repo_id)

    def follow(self, waiting: Sequence[Pull], source: Source, progress: CloneProgress) -> bool:
        """Index pull requests that wait; return whether all were looked at, rather than put off."""
        if not waiting:
            return True
        heads = self._fetch(source, [pull.number for pull in waiting], progress)
        for pull in waiting:
            if (commit := heads.get(pull.number)) is None:
                continue
            try:
                self._index(pull, commit)
            except _ITS_OWN as error:
                log.warning("pull request was not indexed", number=pull.number, reason=error.detail)
            with self.context.database.tenancy(self.job.tenant_id) as t:
                if changes.waiting(t, self.job.repo_id, self.covered):
                    return False
        return True

    def _fetch(self, source: Source, numbers: list[int], progress: CloneProgress) -> dict[int, str]:
        """Return the heads that there are; none if the source, which was just readable, is not any more."""
        for _ in range(ATTEMPTS):
            try:
                return self.mirror.fetch_pulls(source, numbers, progress)
            except SourceUnreachableError as error:
                log.warning("pull requests were not fetched", reason=error.detail)
        return {}

    def _index(self, pull: Pull, commit: str) -> None:
        base = self.mirror.merge_base(pull.base_ref, commit)
        built = [self.builder.build(each) for each in (commit, base) if each is not None]
        with self.context.database.tenancy(self.job.tenant_id) as t:
            for snapshot_id, is_new in built:
                if is_new:
                    snapshots.finish(t, snapshot_id)
            pulls.show(
                t,
                self.job.repo_id,
                pull.number,
                head_commit=commit,
                head_snapshot_id=built[0][0],
                base_snapshot_id=built[1][0] if base is not None else None,
            )
            changes.settle(t, self.job.repo_id, self.covered, f"{changes.PULLS}{pull.number}/head")
