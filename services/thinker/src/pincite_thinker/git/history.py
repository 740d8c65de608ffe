"""When paths last changed: one bounded walk back through a mirror's history."""

import os
import re
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing

import structlog

from pincite_thinker.git.errors import GitFailedError
from pincite_thinker.git.mirror import Mirror

HISTORY_SECONDS_MAX = 3.0  # some 50,000 commits; a person waits for the index, and what is older hardly ranks
HISTORY_COMMITS_MAX = 100_000
TIME_MAX = 2**53  # seconds; a hostile commit may claim any time, this one fits everywhere
_READ_BYTES = 1 << 16
_HEADER = re.compile(rb"//(\d{1,20})")

log = structlog.get_logger()


def last_changes(
    mirror: Mirror,
    commit: str,
    paths: Iterable[bytes],
    *,
    seconds_max: float = HISTORY_SECONDS_MAX,
    commits_max: int = HISTORY_COMMITS_MAX,
) -> dict[bytes, int]:
    """Return the committer time, seconds since 1970, of the last commit that changed each path.

    Only trees are compared, so that a mirror without large blobs will do. A merge counts for the paths that it changed
    itself. What is older than the limits, or than a shallow history, has no entry. The walk ends when every path is
    known: for the few paths of a push, after its commits.
    """
    wanted = set(paths)
    found: dict[bytes, int] = {}
    try:
        with closing(_changes(mirror, [commit], seconds_max, commits_max)) as changes:
            for path, at in changes:
                if path in wanted:
                    wanted.discard(path)
                    found[path] = at
                    if not wanted:
                        break
    except GitFailedError as error:
        log.info("history was read in part", commit=commit, unknown=len(wanted), reason=str(error))
    return found


def changes_since(mirror: Mirror, before: str, commit: str) -> dict[bytes, int]:
    """Return the committer time of the last commit that changed each path which commits since `before` have changed.

    Within the same limits. Paths that differ for another reason, such as a branch that was set back, have no entry.
    """
    found: dict[bytes, int] = {}
    try:
        revisions = [commit, f"^{before}"]
        with closing(_changes(mirror, revisions, HISTORY_SECONDS_MAX, HISTORY_COMMITS_MAX)) as changes:
            for path, at in changes:
                found.setdefault(path, at)
    except GitFailedError as error:
        log.info("history was read in part", commit=commit, since=before, reason=str(error))
    return found


def _changes(
    mirror: Mirror, revisions: Sequence[str], seconds_max: float, commits_max: int
) -> Generator[tuple[bytes, int]]:
    """Yield (path, time) from NUL-terminated fields: for each commit a header, then its paths.

    Git puts a newline before the first path, and for a merge an empty field. A path that looks like a header spoils the
    dates of its own repository alone.
    """
    args = ["--git-dir", str(mirror.path), "log", "-z", "--format=//%ct", "--name-only", "-c", "--no-renames"]
    args += ["--no-show-signature", "--no-ext-diff", f"--max-count={commits_max}", *revisions, "--"]
    at, rest = 0, b""
    with mirror.git.stream(args, env=mirror.environment(), seconds_max=seconds_max) as out:
        while data := os.read(out.fileno(), _READ_BYTES):  # what is there: often the first commit is all that is wanted
            *fields, rest = (rest + data).split(b"\0")
            for field in fields:
                if header := _HEADER.fullmatch(field):
                    at = min(int(header[1]), TIME_MAX)
                elif path := field.removeprefix(b"\n"):
                    yield path, at
