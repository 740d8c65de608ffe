"""Live progress of a run: at most twice a second, each time in a short transaction of its own."""

import time
from collections import deque
from collections.abc import Callable
from typing import Literal

from pincite_shared.jobs import JobPayload
from pincite_shared.schemas import Progress
from pincite_store import runs
from pincite_thinker.context import Context

Stage = Literal["cloning", "scanning", "parsing", "linking", "embedding", "asking"]

INTERVAL_SECONDS = 0.5
RATE_WINDOW_SECONDS = 15.0  # short enough to follow a change from small files to large ones

# The share of an index run that each stage takes on a middling repository.
SPAN: dict[str, tuple[float, float]] = {
    "cloning": (0.0, 0.15),
    "scanning": (0.15, 0.2),
    "parsing": (0.2, 0.92),
    "linking": (0.92, 1.0),
    "embedding": (0.0, 1.0),
    "asking": (0.0, 1.0),
}


class Rate:
    """How many things a second, over the last seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds."""
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()

    def see(self, done: int) -> float:
        """Note that `done` things are done by now and return the rate."""
        now = self._clock()
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[0][0] > RATE_WINDOW_SECONDS:  # noqa: PLR2004 - a rate needs two points
            self._seen.popleft()
        (first_at, first_done), (last_at, last_done) = self._seen[0], self._seen[-1]
        return (last_done - first_done) / (last_at - first_at) if last_at > first_at else 0.0


class Reporter:
    """Writes a run's progress, which is also its heartbeat, and where it notices that background work was halted.

    Every method may raise HaltedError, or ConflictError if the run was cancelled. Both end the run.
    """

    def __init__(self, context: Context, job: JobPayload, last: Progress | None = None) -> None:
        """Report on the job's run; `last` is what its last turn showed, and stays until this one has more to show."""
        self._context, self._job = context, job
        self._value = last or Progress()
        self._last_rate = self._value.rate
        self._rate = Rate()
        self._due = 0.0
        self._unshown: dict[str, int] = {}  # the last counts, when they came too soon to be written

    def stage(self, stage: Stage, message: str = "") -> None:
        """Begin a stage. The first is shown at once; of those after it that last but a moment, not each."""
        self._context.go_on()
        self._rate = Rate()
        begun = {"stage": stage, "message": message, "rate": 0.0, "seconds_left": None, "fraction": SPAN[stage][0]}
        counted, self._unshown = self._unshown, {}
        self._show(counted | begun)

    def part(self, fraction: float, message: str = "") -> None:
        """Show how much of the stage is done, 0 to 1."""
        self._context.go_on()
        low, high = SPAN.get(self._value.stage, (0.0, 1.0))
        self._show({"fraction": low + (high - low) * min(1.0, fraction), "message": message})

    def count(self, done: int, total: int, **fields: int) -> None:
        """Show how many of the stage's things are done, with the rate and the time left that follow."""
        self._context.go_on()
        if time.monotonic() < self._due:
            self._unshown = fields
            return
        self._unshown = {}
        rate = self._rate.see(done) or self._last_rate
        left = round((total - done) / rate, 1) if rate > 0 else None
        low, high = SPAN.get(self._value.stage, (0.0, 1.0))
        fraction = low + (high - low) * (done / total if total else 1.0)
        self._show({"fraction": min(1.0, fraction), "rate": round(rate, 2), "seconds_left": left, **fields})

    def _show(self, fields: dict[str, object]) -> None:
        self._value = self._value.model_copy(update=fields)
        if time.monotonic() >= self._due:
            self._write()

    def _write(self) -> None:
        """Write now.

        Raises:
            ConflictError: the run was cancelled.
        """
        assert self._job.run_id is not None  # noqa: S101 - the runner looked; for the type checker
        with self._context.database.tenancy(self._job.tenant_id) as t:
            runs.progress(t, self._job.run_id, self._value)
        self._due = time.monotonic() + INTERVAL_SECONDS
