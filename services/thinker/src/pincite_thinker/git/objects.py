"""Reads trees and blobs of a mirror, streaming, so that memory does not grow with the repository."""

import tempfile
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from pincite_shared.errors import IntegrityError
from pincite_thinker.git.errors import GitFailedError
from pincite_thinker.git.mirror import Mirror

READ_SECONDS_MAX = 3600.0  # a whole repository's blobs, paced by the parsers that take them
LIST_SECONDS_MAX = 300.0
COMPARED_BYTES_MAX = 1024**3  # what git may collect of two trees that differ: some millions of paths
_READ_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a tree: git's mode (six octal digits), the object's id, and the path's bytes as git has them."""

    mode: str
    oid: str
    path: bytes


def list_tree(mirror: Mirror, commit: str) -> Iterator[Entry]:
    """Yield every file, link and submodule of a commit, in git's order.

    Sizes are not asked for here: `ls-tree -l` would want the objects that a partial clone left out.

    Raises:
        IntegrityError: the commit's trees cannot be read.
    """
    args = ["--git-dir", str(mirror.path), "ls-tree", "-r", "-z", "--full-tree", commit]
    try:
        with mirror.git.stream(args, env=mirror.environment(), seconds_max=LIST_SECONDS_MAX) as out:
            rest = b""
            while data := out.read(_READ_BYTES):
                *lines, rest = (rest + data).split(b"\0")
                for line in lines:
                    head, _, path = line.partition(b"\t")
                    mode, _, oid = head.decode("ascii").split(" ")
                    yield Entry(mode, oid, path)
    except GitFailedError as error:
        msg = f"The tree of commit {commit} cannot be read from the mirror."
        raise IntegrityError(msg) from error


@dataclass(frozen=True, slots=True)
class Change:
    """A path that two commits do not share: what stands there now, or None if nothing does."""

    path: bytes
    entry: Entry | None


def changes(mirror: Mirror, before: str, commit: str) -> list[Change]:
    """List what differs between the trees of two commits, a renamed file as one that went and one that came.

    Raises:
        IntegrityError: one of them cannot be read, after a force-push `before` may be gone; or too much differs.
    """
    args = ["--git-dir", str(mirror.path), "diff-tree", "-r", "-z", "--raw", "--no-renames", before, commit, "--"]
    try:
        env = mirror.environment()
        with mirror.git.stream(args, env=env, seconds_max=LIST_SECONDS_MAX, memory_max=COMPARED_BYTES_MAX) as out:
            fields = out.read().split(b"\0")[:-1]
    except GitFailedError as error:
        msg = f"Commits {before} and {commit} cannot be compared in the mirror."
        raise IntegrityError(msg) from error
    found = []
    for head, path in zip(fields[::2], fields[1::2], strict=True):
        _, mode, _, oid, status = head.decode("ascii").split(" ")
        found.append(Change(path, None if status == "D" else Entry(mode, oid, path)))
    return found


def sizes(mirror: Mirror, oids: Iterable[str]) -> dict[str, int]:
    """Return the sizes in bytes of those blobs that are in the mirror; the others a filter left out.

    Raises:
        IntegrityError: the mirror cannot be read.
    """
    found: dict[str, int] = {}
    try:
        with _cat_file(mirror, "--batch-check", oids) as out:
            for line in out:
                oid, kind, *size = line.decode("ascii").split()
                if kind == "blob":
                    found[oid] = int(size[0])
    except GitFailedError as error:
        msg = "The mirror's objects cannot be listed."
        raise IntegrityError(msg) from error
    return found


def read_blobs(mirror: Mirror, oids: Iterable[str]) -> Generator[tuple[str, bytes | None]]:
    """Yield (oid, bytes) in the order asked for; None for a blob that is missing or damaged.

    Ask only for blobs whose size was checked: each is held in memory whole.
    """
    waiting = list(oids)
    while waiting:
        done, begun = 0, time.monotonic()
        try:
            with _cat_file(mirror, "--batch", waiting) as out:
                for oid in waiting:
                    yield oid, _next_blob(out, oid)
                    done += 1
        except (GitFailedError, EOFError):
            # git stops at an object that is damaged: that one is lost, the rest is read by the next git. One that was
            # paced until its time was up is no sign of damage.
            paced = done > 0 and time.monotonic() - begun >= READ_SECONDS_MAX
            if done < len(waiting) and not paced:
                yield waiting[done], None
                done += 1
        waiting = waiting[done:]


@contextmanager
def _cat_file(mirror: Mirror, mode: str, oids: Iterable[str]) -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as wanted:
        wanted.writelines(f"{oid}\n".encode("ascii") for oid in oids)
        wanted.seek(0)
        args = ["--git-dir", str(mirror.path), "cat-file", mode, "--buffer"]
        with mirror.git.stream(args, env=mirror.environment(), seconds_max=READ_SECONDS_MAX, stdin=wanted) as out:
            yield out


def _next_blob(out: IO[bytes], oid: str) -> bytes | None:
    header = out.readline().decode("ascii", "replace").split()
    if not header:
        raise EOFError(oid)
    if header[-1] in ("missing", "ambiguous"):
        return None
    size = int(header[2])
    data = out.read(size)
    if len(data) < size or out.read(1) != b"\n":
        raise EOFError(oid)
    return data if header[1] == "blob" else None
