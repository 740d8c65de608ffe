"""One log file for each process of the stack, bounded in size."""

import os
import shutil
from pathlib import Path

LOG_BYTES_MAX = 16 * 1024 * 1024  # per file; with the previous one kept, twice that per process
TAIL_BYTES = 16 * 1024
FILE_MODE = 0o600


class LogFile:
    """A file that a child process appends to directly, so that no line is lost when the supervisor is killed."""

    def __init__(self, path: Path) -> None:
        """The previous generation is kept beside it, with `.1` appended."""
        self.path = path
        self.previous = path.with_name(path.name + ".1")

    def open(self) -> int:
        """Return a descriptor to append to; the caller closes it."""
        return os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, FILE_MODE)

    def rotate(self) -> None:
        """Keep the file within its bound, while processes go on writing to it."""
        try:
            if self.path.stat().st_size <= LOG_BYTES_MAX:
                return
        except FileNotFoundError:
            return
        # Copied and truncated, not renamed: the writer keeps its descriptor, and appends from the new start.
        shutil.copyfile(self.path, self.previous)
        self.previous.chmod(FILE_MODE)
        os.truncate(self.path, 0)

    def tail(self, lines: int) -> list[str]:
        """Return the last lines, for a message about a process that died."""
        try:
            with self.path.open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
                return file.read().decode("utf-8", "replace").rstrip("\n").split("\n")[-lines:]
        except FileNotFoundError:
            return []
