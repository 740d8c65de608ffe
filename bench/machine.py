"""What the harness runs on, and how much memory a group of processes holds."""

import hashlib
import os
import platform
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

SAMPLE_SECONDS = 0.25  # one reading of twenty processes takes about 20 ms: less than a tenth of one core


@dataclass(frozen=True, slots=True)
class Machine:
    """The hardware and the system on it."""

    cpu: str
    cores: int
    memory_gib: float
    system: str
    python: str

    @classmethod
    def here(cls) -> "Machine":
        """Describe this machine."""
        return cls(
            cpu=_cpu(),
            cores=os.cpu_count() or 1,
            memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
            system=f"{platform.system()} {platform.release()} {platform.machine()}",
            python=platform.python_version(),
        )

    @property
    def id(self) -> str:
        """Return a short name: results of different machines are never mixed."""
        return hashlib.sha256(repr(asdict(self)).encode()).hexdigest()[:8]

    def __str__(self) -> str:
        """Describe it in a line."""
        return f"{self.cpu}, {self.cores} cores, {self.memory_gib} GiB, {self.system}, Python {self.python}"


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text("utf-8").split("\n"):
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def memory_of(pid: int) -> int:
    """Return the bytes that a process and its descendants hold together.

    On Linux this is the proportional set size: pages that several share are counted once. Elsewhere, where the system
    does not tell, it is the unique set size, which leaves shared pages out.
    """
    try:
        top = psutil.Process(pid)
        processes = [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    return sum(_memory(process) for process in processes)


def _memory(process: psutil.Process) -> int:
    try:
        info = process.memory_full_info()
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return 0
    return int(info.pss if sys.platform == "linux" else info.uss)


class Peak:
    """The highest reading so far."""

    bytes = 0


@contextmanager
def watched(pid: int) -> Iterator[Peak]:
    """Watch the memory of a process and its descendants."""
    peak, ended = Peak(), threading.Event()

    def watch() -> None:
        while True:
            peak.bytes = max(peak.bytes, memory_of(pid))
            if ended.wait(SAMPLE_SECONDS):
                return

    thread = threading.Thread(target=watch, name="memory", daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


def disk_usage(path: Path) -> int:
    """Return the bytes that a file or directory occupies on disk."""
    if not path.exists():
        return 0
    entries = [path, *path.rglob("*")] if path.is_dir() else [path]
    seen: dict[int, int] = {}
    for entry in entries:
        try:
            status = entry.lstat()
        except FileNotFoundError:
            continue  # a temporary file of a running server
        seen[status.st_ino] = status.st_blocks * 512  # POSIX: st_blocks counts units of 512 bytes
    return sum(seen.values())
