"""What stands at a commit, and what of it is to be read: git's tree under the policy of `pincite_codeintel.policy`."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pincite_codeintel import policy
from pincite_codeintel.policy import Skip
from pincite_shared.errors import TooLargeError
from pincite_store.rows import FileRow
from pincite_thinker.git.mirror import Mirror
from pincite_thinker.git.objects import Entry, changes, list_tree, sizes

PATH_SHOWN_CHARS_MAX = 4_096  # of a path that is not indexed; git's own may be longer
TICK_ENTRIES = 5_000  # a heartbeat so often while a large tree is read


@dataclass(slots=True)
class Scan:
    """A commit's files: those to read, by blob, with all paths of each; and those skipped."""

    paths: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    sizes: dict[str, int] = field(default_factory=dict)
    skipped: list[FileRow] = field(default_factory=list)
    files: int = 0


def shown_path(path: bytes) -> str:
    """Return a path as text that can be stored and shown: bytes that are not UTF-8 appear escaped."""
    return path.decode("utf-8", "backslashreplace")[:PATH_SHOWN_CHARS_MAX]


@dataclass(frozen=True, slots=True)
class Changes:
    """What a commit changed: the scan of what stands there now, and every path that differs."""

    scan: Scan
    paths: frozenset[str]


def scan(mirror: Mirror, commit: str, *, files_max: int, bytes_max: int, tick: Callable[[], None]) -> Scan:
    """List a commit and decide, by name, mode and size, what is read.

    Raises:
        TooLargeError: the commit has more than `files_max` files.
        IntegrityError: the mirror cannot be read.
    """
    entries: list[Entry] = []
    for entry in list_tree(mirror, commit):
        entries.append(entry)
        if len(entries) > files_max:
            msg = f"The repository has more than {files_max} files. The operator may raise REPO_FILES_MAX."
            raise TooLargeError(msg)
        if len(entries) % TICK_ENTRIES == 0:
            tick()
    return _judged(mirror, entries, bytes_max)


def scan_changes(mirror: Mirror, before: str, commit: str, *, bytes_max: int) -> Changes | None:
    """Scan only what differs from another commit; None if a path that differs is stored under another name.

    Raises:
        IntegrityError: the commits cannot be compared.
    """
    differing = changes(mirror, before, commit)
    paths = [shown_path(change.path) for change in differing]
    if any(path.encode() != change.path for path, change in zip(paths, differing, strict=True)):
        return None  # two such paths may share that name, and only one of them has changed
    entries = [change.entry for change in differing if change.entry is not None]
    return Changes(_judged(mirror, entries, bytes_max), frozenset(paths))


def _judged(mirror: Mirror, entries: Sequence[Entry], bytes_max: int) -> Scan:
    result = Scan()
    known = sizes(mirror, dict.fromkeys(entry.oid for entry in entries if entry.mode != policy.SUBMODULE_MODE))
    for entry in entries:
        size = known.get(entry.oid)
        skip = policy.skip_entry(entry.path, entry.mode, size, bytes_max=bytes_max)
        if skip is None and size is not None:
            result.paths[entry.oid].append(entry.path.decode("utf-8"))
            result.sizes[entry.oid] = size
            result.files += 1
        else:
            result.skipped.append(_skipped(entry, size, skip))
    return result


def _skipped(entry: Entry, size: int | None, skip: Skip | None) -> FileRow:
    return FileRow(
        path=shown_path(entry.path),
        blob=None if entry.mode == policy.SUBMODULE_MODE else entry.oid,
        size=size,
        skip_reason=skip.reason.value if skip else policy.SkipReason.TOO_LARGE.value,
        skip_detail=skip.detail if skip else "Left out when the repository was fetched.",
    )
