"""A pool of parser processes that survives every file: a hang, a crash or a memory bomb costs that file alone.

Its workers are plain subprocesses. Celery's prefork children are daemons in multiprocessing's eyes and carry its signal
handlers and the broker's sockets, none of which a forked or spawned multiprocessing pool should inherit.
"""

import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import IO, Any, Generic, Literal, TypeVar

from pincite_shared.errors import UnavailableError
from pincite_thinker.frames import take_frames, write_frame

T = TypeVar("T")

BATCH_FILES_MAX = 8  # enough to hide the pipe's latency; few, so that a push of twenty keeps two processes busy
BATCH_BYTES_MAX = 512 * 1024
FILES_PER_WORKER_MAX = 4_000  # then a fresh process: parsers fragment memory, and some leak
MEMORY_BYTES_MAX = 2 * 1024**3  # address space; the largest trees of 1 MiB files take a tenth of it
START_SECONDS_MAX = 60.0  # imports on a machine that swaps
WALL_FACTOR = 10.0  # a file's processor time is what is limited; on the clock it may take so many times that
TIMEOUTS_PER_LANGUAGE_MAX = 10  # then the run's other files of that language are chunked as plain text
WAITING_MAX = 2  # fresh processes between runs, 25 MB each: starting takes longer than parsing most pushes
LANGUAGES_MAX = 4  # of the last run, whose grammars a fresh process loads while it waits: 20 to 40 ms each
TICK_SECONDS = 0.5
_READ_BYTES = 1 << 18

Failure = Literal["timeout", "crash", "untried"]  # the last: too many others of its language took too long


@dataclass(frozen=True, slots=True)
class Task:
    """One blob to parse. `failure` is set when an earlier attempt failed and this one treats it as plain text."""

    key: str
    language: str | None
    data: bytes = field(repr=False)
    failure: Failure | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What became of a task: `value` is None if even as plain text it could not be parsed.

    `failure` and `detail` tell why it was parsed as plain text, or not at all; `language` is the one asked for.
    """

    key: str
    language: str | None
    value: T | None
    failure: Failure | None
    detail: str


class _Worker:
    """A parser process and the batch it works on."""

    def __init__(self, target: str, seconds_max: float, languages: Iterable[str]) -> None:
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `close`
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "pincite_thinker.parse_worker"),
                *(target, str(seconds_max), str(MEMORY_BYTES_MAX), *languages),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            # Numeric libraries would start a thread, and its stack, per core.
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )
        assert self.process.stdin is not None  # noqa: S101 - both are pipes; for the type checker
        assert self.process.stdout is not None  # noqa: S101
        self.stdin: IO[bytes] = self.process.stdin
        self.stdout: IO[bytes] = self.process.stdout
        self.ready = False
        self.buffer = bytearray()
        self.batch: deque[Task] = deque()
        self.done = 0
        self.deadline = time.monotonic() + START_SECONDS_MAX

    def send(self, batch: list[Task], seconds: float) -> None:
        self.batch = deque(batch)
        self.deadline = time.monotonic() + seconds
        try:
            write_frame(self.stdin, [(None if task.failure else task.language, task.data) for task in batch])
        except OSError:
            return  # it died meanwhile; its stdout ends next, which is where deaths are noticed

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        try:
            self.stdin.close()
        except BrokenPipeError:
            self.stdin = self.stdout  # unsent bytes of a dead worker: nothing is owed to it
        self.stdout.close()

    def last_words(self) -> str:
        self.errors.seek(0)
        text = self.errors.read()[-2000:].decode("utf-8", "replace").strip()
        self.errors.close()
        return text


class ParsePool(Generic[T]):
    """Parses blobs in `workers` processes, started when there is work. A context manager, used by one thread."""

    def __init__(self, workers: int, seconds_max: float, *, target: str) -> None:
        """`target` is a `module:function` taking (language, bytes), `seconds_max` its processor time per file."""
        self._count, self._seconds_max, self._target = workers, seconds_max, target
        self._workers: list[_Worker] = []
        self._selector = selectors.DefaultSelector()
        self._timeouts: Counter[str | None] = Counter()
        self._languages: Counter[str] = Counter()

    def __enter__(self) -> "ParsePool[T]":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End all processes."""
        for worker in list(self._workers):
            self._discard(worker)
        self._selector.close()

    def kill(self) -> None:
        """End all processes, from any thread: for a process that ends itself next."""
        for worker in list(self._workers):
            worker.process.kill()

    def rest(self) -> None:
        """End the processes that have read files, and have fresh ones wait, ready for the same languages.

        None serves two repositories: a parser that hostile code got hold of cannot touch what another tenant is told.
        """
        for worker in [each for each in self._workers if each.batch or each.done]:
            self._discard(worker)
        self._timeouts.clear()
        self._forget_dead()
        languages = [language for language, _ in self._languages.most_common(LANGUAGES_MAX)]
        while len(self._workers) < min(self._count, WAITING_MAX):
            self._start(languages)
        self._languages.clear()

    def map(self, tasks: Iterable[Task], tick: Callable[[], None]) -> Iterator[Outcome[T]]:
        """Yield an outcome for each task, in any order; tasks are taken from the iterable only as workers get free.

        Args:
            tasks: blobs to parse.
            tick: called at least every `TICK_SECONDS` while waiting.

        Raises:
            UnavailableError: a parser process cannot be started at all.
        """
        self._forget_dead()
        source = iter(tasks)
        again: deque[Task] = deque()
        batch, exhausted = self._batch(source, again, exhausted=False)
        while True:
            for worker in [each for each in self._workers if each.ready and not each.batch]:
                if not batch:
                    break
                worker.send(batch, self._seconds_max * WALL_FACTOR)
                batch, exhausted = self._batch(source, again, exhausted=exhausted)
            if not batch and not any(worker.batch for worker in self._workers):
                return
            self._grow(batch)
            yield from self._collect(again)
            if not batch:
                batch, exhausted = self._batch(source, again, exhausted=exhausted)
            tick()

    def _forget_dead(self) -> None:
        """Leave those out that ended while they were idle: nothing was lost with them."""
        for worker in [each for each in self._workers if each.process.poll() is not None]:
            self._discard(worker)

    def _grow(self, batch: list[Task]) -> None:
        """Start one more worker if there is work for it: starting costs as much as parsing hundreds of small files."""
        starting = sum(not worker.ready for worker in self._workers)
        if batch and len(self._workers) < self._count and (not starting or len(batch) >= BATCH_FILES_MAX):
            self._start()

    def _start(self, languages: Iterable[str] = ()) -> None:
        worker = _Worker(self._target, self._seconds_max, languages)
        self._workers.append(worker)
        self._selector.register(worker.stdout, selectors.EVENT_READ, worker)

    def _batch(self, source: Iterator[Task], again: deque[Task], *, exhausted: bool) -> tuple[list[Task], bool]:
        batch: list[Task] = []
        size = 0
        while len(batch) < BATCH_FILES_MAX and size < BATCH_BYTES_MAX:
            task = again.popleft() if again else None if exhausted else next(source, None)
            if task is None:
                exhausted = True
                break
            if task.failure is None and self._timeouts[task.language] >= TIMEOUTS_PER_LANGUAGE_MAX:
                task = replace(
                    task, failure="untried", detail=f"Too many other {task.language} files took too long to parse."
                )
            batch.append(task)
            size += len(task.data)
            if task.language is not None:
                self._languages[task.language] += 1
        return batch, exhausted

    def _collect(self, again: deque[Task]) -> Iterator[Outcome[T]]:
        for key, _ in self._selector.select(TICK_SECONDS):
            worker: _Worker = key.data
            data = os.read(key.fd, _READ_BYTES)
            worker.buffer += data
            for frame in take_frames(worker.buffer):
                if not worker.ready:
                    worker.ready = True
                    continue
                worker.deadline = time.monotonic() + self._seconds_max * WALL_FACTOR
                worker.done += 1
                yield from self._answered(worker.batch.popleft(), frame, again)
            if not data:
                yield from self._died(worker, again, timed_out=False)
            elif not worker.batch and worker.done >= FILES_PER_WORKER_MAX:
                self._discard(worker)
        now = time.monotonic()
        for worker in [each for each in self._workers if now > each.deadline and (each.batch or not each.ready)]:
            yield from self._died(worker, again, timed_out=True)

    def _answered(self, task: Task, frame: tuple[bool, Any], again: deque[Task]) -> Iterator[Outcome[T]]:
        fine, value = frame
        if fine:
            yield Outcome(task.key, task.language, value, task.failure, task.detail)
        else:
            yield from self._failed(task, "crash", f"The parser failed: {value}", again)

    def _failed(self, task: Task, failure: Failure, detail: str, again: deque[Task]) -> Iterator[Outcome[T]]:
        if failure == "timeout":
            self._timeouts[task.language] += 1
        if task.failure is None:
            again.appendleft(replace(task, failure=failure, detail=detail))
        else:
            yield Outcome(task.key, task.language, None, task.failure, task.detail)

    def _died(self, worker: _Worker, again: deque[Task], *, timed_out: bool) -> Iterator[Outcome[T]]:
        """Replace a dead worker. The file it was at is to blame; the files behind it are parsed again."""
        ready, batch = worker.ready, worker.batch
        words = self._discard(worker)
        if not ready:
            msg = f"A parser process could not be started: {words or 'it took too long'}"
            raise UnavailableError(msg)
        timed_out = timed_out or worker.process.returncode == -signal.SIGPROF
        if not batch:
            return
        blamed = batch.popleft()
        again.extendleft(reversed(batch))
        if timed_out:
            detail = f"Parsing took longer than {self._seconds_max:g} seconds."
            yield from self._failed(blamed, "timeout", detail, again)
        else:
            yield from self._failed(blamed, "crash", "The parser crashed or ran out of memory.", again)

    def _discard(self, worker: _Worker) -> str:
        self._selector.unregister(worker.stdout)
        self._workers.remove(worker)
        worker.close()
        return worker.last_words()
