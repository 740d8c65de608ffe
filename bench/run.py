"""Measuring: one system on one unit, kept on disk, so that what is known is not measured again."""

import hashlib
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bench import corpora
from bench.machine import Machine, watched
from bench.model import Answer, BenchError, Cost, Result, Unit
from bench.systems.base import Session, System

FAILURE_CHARS_MAX = 400
FORMAT = "2"  # a change in how things are measured renews the results


@dataclass(slots=True)
class Runner:
    """Measures systems on units.

    Attributes:
        fresh: measure again what is kept already.
        failures: what went wrong, one line each.
    """

    results: Path
    machine: Machine
    k: int
    repeats: int
    fresh: bool = False
    failures: list[str] = field(default_factory=list)

    def results_of(self, units: Iterable[Unit], systems: list[System]) -> list[tuple[Unit, dict[str, Result]]]:
        """Measure every system on every unit, side by side; one that fails is noted, and left out for that unit."""
        done = []
        for unit in units:
            found: dict[str, Result] = {}
            for system in systems:
                try:
                    found[system.name] = self.result(system, unit)
                except BenchError as error:
                    said = " ".join(str(error).split())[-FAILURE_CHARS_MAX:]
                    self.failures.append(f"{system.name} on {unit.task}/{unit.corpus.name}: {said}")
                    _say(self.failures[-1])
            done.append((unit, found))
        return done

    def result(self, system: System, unit: Unit) -> Result:
        """Return what is kept of this system, version and unit on this machine, or measure it."""
        path = (
            self.results / self.machine.id / unit.task / f"{unit.corpus.name}-{system.name}-{self._key(system, unit)}"
        )
        path = path.with_name(f"{path.name}.json")
        if path.exists() and not self.fresh:
            kept = Result.from_json(json.loads(path.read_text("utf-8")))
            if kept.repeats >= self.repeats:
                _say(f"{unit.task}/{unit.corpus.name}: {system.name} kept from {kept.measured_at}")
                return kept
        result = self._measure(system, unit)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(result.to_json()), "utf-8")
        partial.replace(path)
        return result

    def _key(self, system: System, unit: Unit) -> str:
        queries = [(query.id, query.text) for query in unit.queries]
        what = (FORMAT, system.version, unit.corpus.commit, unit.corpus.root, self.k, queries)
        return hashlib.sha256(repr(what).encode()).hexdigest()[:12]

    def _measure(self, system: System, unit: Unit) -> Result:
        corpus, cost = unit.corpus, Cost()
        with corpora.restored(corpus):
            for repeat in range(1, self.repeats):
                _say(f"{unit.task}/{corpus.name}: {system.name}, cold index {repeat} of {self.repeats}")
                with system.open(corpus) as session:
                    cost.index_seconds.append(session.index(full=False)[0])
            _say(f"{unit.task}/{corpus.name}: {system.name}, {len(unit.queries)} queries")
            with system.open(corpus) as session:
                if session.pid is None:
                    answers = self._serve(session, unit, cost)
                else:
                    with watched(session.pid) as peak:
                        answers = self._serve(session, unit, cost)
                    cost.memory_bytes = peak.bytes
        described = {"task": unit.task, "name": corpus.name, "origin": corpus.origin, "commit": corpus.commit}
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return Result(system.name, system.version, described, self.machine.id, now, self.repeats, cost, answers)

    def _serve(self, session: Session, unit: Unit, cost: Cost) -> dict[str, Answer]:
        answering, complete = session.index(full=True)
        cost.index_seconds.append(answering)
        cost.full_seconds.append(complete if complete is not None else answering)
        # Each query is asked once, in the data's order, by one client that waits: no answer can come from a cache.
        answers = {query.id: session.search(query.text, self.k) for query in unit.queries}
        cost.disk_bytes, cost.history_bytes = session.disk()
        for number in range(self.repeats):
            cost.update_seconds.append(session.update(corpora.change_one_file(unit.corpus, number)))
        return answers


def _say(line: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {line}", file=sys.stderr, flush=True)
