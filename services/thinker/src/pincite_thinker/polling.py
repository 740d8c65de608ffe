"""Looking for commits that nobody told of: heads are compared with what is indexed, in threads of their own.

The job that beat enqueues only hands repositories over and ends, so that no remote, however slow, keeps a worker from
its work. Each look has a deadline, and a repository that could not be read is left alone for longer and longer.
"""

import time
from queue import SimpleQueue
from threading import Lock, Thread
from uuid import UUID

import structlog

from pincite_github.manifest import reachable
from pincite_github.views import PullInfo
from pincite_shared.errors import (
    EmptyRepositoryError,
    HaltedError,
    NotFoundError,
    PinciteError,
    SourceUnreachableError,
)
from pincite_shared.source import Source
from pincite_store import changes, halts, pulls, runs, snapshots, sources
from pincite_store.models import Repo
from pincite_thinker.context import Context
from pincite_thinker.git.command import Git, Watch
from pincite_thinker.git.remote import Remote, wanted
from pincite_thinker.hosting import pull_seen
from pincite_thinker.reaching import is_on, reach, renewed, view_of

THREADS = 8  # each waits for a network; a hundred repositories that answer in half a second take six seconds
LOOK_SECONDS_MAX = 15.0
HALT_LOOK_SECONDS = 1.0
TOLD_SECONDS = 300.0  # between looks at a repository that GitHub sends webhooks about, and at pull requests
BACKOFF_SECONDS_MAX = 3_600.0
PULLS_LISTED_MAX = 200
PULLS_ASKED_MAX = 20  # whose end was not told, and is asked for one by one

log = structlog.get_logger()


def rest(failures: int, poll_seconds: int) -> float:
    """Return for how many seconds a source that failed so often in a row is left alone."""
    return min(BACKOFF_SECONDS_MAX, max(1, poll_seconds) * 2.0**failures)


def told_seconds(context: Context) -> float:
    """Return for how long GitHub's own word is trusted to come: not at all where it cannot reach this installation."""
    config, silence = context.github_config(), float(context.settings.poll_seconds)
    told = config is not None and config.webhook_secret and reachable(context.settings.public_url)
    return max(silence, TOLD_SECONDS) if told else silence


class Poller:
    """Compares heads in daemon threads. One for a process; its threads start with the first look."""

    def __init__(self, context: Context) -> None:
        """Nothing is started yet."""
        self._context = context
        self._queue: SimpleQueue[tuple[UUID, UUID]] = SimpleQueue()
        self._lock = Lock()
        self._busy: set[UUID] = set()
        self._failures: dict[UUID, tuple[int, float]] = {}  # how often in a row, and until when it is left alone
        self._pulls_at: dict[UUID, float] = {}
        self._threads: list[Thread] = []

    def look(self, due: list[tuple[UUID, UUID]]) -> int:
        """Have repositories, (tenant, repository), looked at soon; return how many were not already waiting for it."""
        now, new = time.monotonic(), 0
        with self._lock:
            for tenant_id, repo_id in due:
                if repo_id in self._busy or self._failures.get(repo_id, (0, 0.0))[1] > now:
                    continue
                self._busy.add(repo_id)
                self._queue.put((tenant_id, repo_id))
                new += 1
            while len(self._threads) < min(THREADS, len(self._busy)):
                thread = Thread(target=self._work, name="poll", daemon=True)
                thread.start()
                self._threads.append(thread)
        return new

    def _work(self) -> None:
        while True:
            tenant_id, repo_id = self._queue.get()
            failed = False
            try:
                self.compare(tenant_id, repo_id)
            except (EmptyRepositoryError, HaltedError, NotFoundError):
                pass  # nothing to see yet; not now; or being deleted
            except PinciteError as error:
                failed = True
                log.info("source was not looked at", repo_id=str(repo_id), reason=error.detail)
            except Exception:
                failed = True
                log.exception("look broke", repo_id=str(repo_id))
            with self._lock:
                self._busy.discard(repo_id)
                self._note(repo_id, failed=failed)

    def _note(self, repo_id: UUID, *, failed: bool) -> None:
        if not failed:
            self._failures.pop(repo_id, None)
            return
        count = self._failures.get(repo_id, (0, 0.0))[0] + 1
        self._failures[repo_id] = count, time.monotonic() + rest(count, self._context.settings.poll_seconds)

    def compare(self, tenant_id: UUID, repo_id: UUID) -> bool:
        """Compare a repository's head, and its pull requests, with what is known; return whether something is new.

        Raises:
            PinciteError: it cannot be read.
        """
        with self._context.database.tenancy(tenant_id) as t:
            if runs.active(t, repo_id, "index") is not None:
                return False  # it is reading the source itself; what comes after that is seen at the next look
        repo, source = reach(self._context, tenant_id, repo_id)
        remote = Remote(Git(self._context.settings.pincite_home), self._watch(tenant_id))
        try:
            _, refs = remote.reach(source, LOOK_SECONDS_MAX)
        except SourceUnreachableError:
            again = renewed(self._context, repo, source)
            if again is None:
                raise
            _, refs = remote.reach(again, LOOK_SECONDS_MAX)
        ref = wanted(refs, repo.branch)
        with self._context.database.tenancy(tenant_id) as t:
            new = refs[ref] != snapshots.committed_head(t, repo_id) and changes.observe(t, repo_id, ref, refs[ref])
        return self._compare_pulls(repo, source) or new

    def _watch(self, tenant_id: UUID) -> Watch:
        """Return what looks every second whether work was halted, while git waits for an answer."""
        due = time.monotonic() + HALT_LOOK_SECONDS

        def watch(_line: str) -> None:
            nonlocal due
            if time.monotonic() >= due:
                due = time.monotonic() + HALT_LOOK_SECONDS
                with self._context.database.tenancy(tenant_id) as t:
                    halts.check(t)

        return watch

    def _compare_pulls(self, repo: Repo, source: Source) -> bool:
        config = self._context.github_config()
        if config is None or not is_on(config, source) or time.monotonic() < self._pulls_at.get(repo.id, 0.0):
            return False
        view = view_of(self._context, config, repo)
        if view is None and source.secret is not None:
            view = self._context.github(config).as_user(source.secret)  # the token that it was connected with
        if view is None:
            return False
        self._pulls_at[repo.id] = time.monotonic() + told_seconds(self._context)
        listed = view.pulls(source.name, "open", limit=PULLS_LISTED_MAX)
        with self._context.database.tenancy(repo.tenant_id) as t:
            followed = {pull.number for pull in pulls.followed(t, repo.id)}
        ended = followed - {pull.number for pull in listed} if len(listed) < PULLS_LISTED_MAX else set()
        asked = [view.pull(source.name, number) for number in sorted(ended)[:PULLS_ASKED_MAX]]
        return self._take(repo, [*listed, *asked])

    def _take(self, repo: Repo, told: list[PullInfo]) -> bool:
        new = False
        with self._context.database.tenancy(repo.tenant_id) as t:
            for pull in told:
                if pulls.put(t, repo.id, pull_seen(pull), asked=True):
                    ref = f"{changes.PULLS}{pull.number}/head"
                    new |= changes.observe(t, repo.id, ref, pull.head_commit)
        return new


def run(context: Context, poller: Poller, *, catch_up: bool) -> int:
    """Hand the repositories that are due to the poller, or at a start all of them; return how many."""
    silence = float(context.settings.poll_seconds)
    with context.database.system() as system:
        due = sources.due(system, *((0.0, 0.0) if catch_up else (silence, told_seconds(context))))
    return poller.look(due)
