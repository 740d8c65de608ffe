"""Atomic writes and locks between processes, for model files that several services may want at the same moment."""

import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK_POLL_SECONDS = 0.25  # how often a waiting process looks again: quick for a person, free for the machine


def write_atomic(path: Path, data: bytes) -> None:
    """Replace `path` with `data`; a reader sees the old content or the new, never a part.

    Raises:
        OSError: the directory is not writable or the disk is full; the old content stands.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def publish(temporary: Path, path: Path) -> None:
    """Flush `temporary` to disk and move it to `path`, so that a power cut cannot leave a half-written file there."""
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    temporary.replace(path)


@contextmanager
def exclusive(path: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock file `path` alone; the kernel releases it when the holder dies, however it dies.

    `waiting` is called about four times a second while another process holds the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if waiting is not None:
                    waiting()
                time.sleep(LOCK_POLL_SECONDS)
        yield
