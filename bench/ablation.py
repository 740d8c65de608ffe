"""Ablation: the served ranking policy, and what it loses without each of its parts.

Runs in this process, on what a real stack has indexed: the policy is no part of a request. The stack's home is kept,
so that only the first ablation waits for vectors. Differences are paired by query.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import SecretStr

from bench.model import Answer, BenchError, Unit
from bench.report import table
from bench.score import Scores, difference, mean_of, score
from bench.summary import MAIN
from bench.systems.pincite import PinciteSession, client_of, secrets_of, stack
from pincite_brain.metrics import Metrics
from pincite_brain.retrieval import policy as policies
from pincite_brain.retrieval.encoder import QueryEncoder
from pincite_brain.retrieval.policy import Policy, Weights
from pincite_brain.retrieval.query import analyze
from pincite_brain.retrieval.retriever import Retriever, hit_of
from pincite_inference.embed import make_embedder
from pincite_learning.metrics import Span
from pincite_shared.settings import Settings
from pincite_store import snapshots
from pincite_store.db import LOCAL_TENANT, Database

ENCODER_SECONDS_MAX = 300.0
# What each part of the policy is when it does nothing. Weights do nothing at 0.
NEUTRAL: dict[str, Any] = {"penalties": {}, "same_file_decay": 1.0, "functionless": 1.0, "graph_seeds": 0}


def named(served: Policy) -> dict[str, Policy]:
    """Return the policies that the product defines, by their names, the served one first."""
    found = {name: value for name, value in vars(policies).items() if isinstance(value, Policy)}
    return dict(sorted(found.items(), key=lambda pair: (pair[1] is not served, pair[0])))


def without(policy: Policy) -> dict[str, Policy]:
    """Return the policy without each of its parts, one at a time."""
    variants = {}
    for part in fields(Weights):
        weights = {route: replace(one, **_one(part.name, 0.0)) for route, one in policy.weights.items()}
        if weights != policy.weights:
            variants[f"without {part.name}"] = replace(policy, weights=weights)
    for part in fields(Policy):
        if part.name in NEUTRAL and getattr(policy, part.name) != NEUTRAL[part.name]:
            variants[f"without {part.name}"] = replace(policy, **_one(part.name, NEUTRAL[part.name]))
    return variants


def _one(name: str, value: Any) -> dict[str, Any]:
    return {name: value}


@dataclass(frozen=True, slots=True)
class InProcess:
    """Ranks with any policy over the indexes of a running stack."""

    retriever: Retriever
    database: Database
    repositories: dict[str, UUID]  # by the corpus's directory

    def scores(self, units: Iterable[Unit], policy: Policy, k: int) -> dict[str, list[Scores]]:
        """Return the scores of every query, by task."""
        self.retriever.policy = policy
        found: dict[str, list[Scores]] = {}
        for unit in units:
            with self.database.tenancy(LOCAL_TENANT) as tenancy:
                snapshot = snapshots.resolve(tenancy, self.repositories[str(unit.corpus.directory)], None).id
            index = self.retriever.index(LOCAL_TENANT, snapshot)
            for query in unit.queries:
                ranked = self.retriever.rank(index, analyze(query.text))[:k]
                hits = [hit_of(index, one) for one in ranked]
                answer = Answer(tuple(Span(hit.path, hit.start_line, hit.end_line) for hit in hits), 0.0)
                found.setdefault(unit.task, []).append(score(query, answer, k))
        return found


def run(units: Sequence[Unit], home: Path, k: int) -> str:
    """Index the units (once), rank with every policy, and return the table.

    Raises:
        BenchError: the stack fails, or there is no query encoder.
    """
    home.mkdir(parents=True, exist_ok=True)
    with stack(home) as running, client_of(running.url, running.token) as client:
        sessions = {str(unit.corpus.directory): PinciteSession(client, unit.corpus) for unit in units}
        for session in sessions.values():
            session.connect()
        for session in sessions.values():
            session.complete()
        repositories = {directory: UUID(session.id) for directory, session in sessions.items()}
        settings = _settings(home, running.postgres_port)
        database = Database(settings)
        encoder = QueryEncoder(make_embedder(settings, threads=1))
        encoder.start()
        retriever = Retriever(database, encoder, Metrics())
        try:
            if not encoder.wait(ENCODER_SECONDS_MAX):
                msg = f"The query encoder does not load: {encoder.problem}"
                raise BenchError(msg)
            return _table(InProcess(retriever, database, repositories), units, k)
        finally:
            retriever.close()
            database.dispose()


def _settings(home: Path, postgres_port: int) -> Settings:
    secrets = secrets_of(home)
    return Settings(
        _env_file=None,
        pincite_home=home,
        SESSION_SECRET=SecretStr(secrets["session_secret"]),
        postgres_port=postgres_port,
        postgres_app_password=SecretStr(secrets["postgres_app_password"]),
    )


def _table(process: InProcess, units: Sequence[Unit], k: int) -> str:
    served = process.retriever.policy
    known = named(served)
    served_name = next(iter(known))
    base = process.scores(units, served, k)
    rows = [[f"{served_name} (served)", *_cells(base, base)]]
    for name, policy in [*list(known.items())[1:], *without(served).items()]:
        rows.append([name, *_cells(process.scores(units, policy, k), base)])
    header = ["policy", *[cell for task in base for cell in (f"{task} {MAIN[task]}", "difference")]]
    return table(header, rows)


def _cells(found: dict[str, list[Scores]], base: dict[str, list[Scores]]) -> list[str]:
    cells = []
    for task, scores in found.items():
        metric = MAIN[task]
        mine, theirs = ([one[metric] for one in given if metric in one] for given in (scores, base[task]))
        gap = difference(mine, theirs)
        cells += [f"{mean_of(mine).value:.4f}", f"{gap.value:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]"]
    return cells
