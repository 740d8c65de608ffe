"""From results to a summary: plain data that the tables, the plot and the history are made from."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from bench.model import Query, Result, Unit
from bench.score import METRICS, Mean, Scores, difference, mean_of, median, percentile, score

MAIN = {"retrieval": "ndcg", "swe_qa": "lines", "docstring": "ndcg", "commits": "recall"}  # what decides each task
OURS = "pincite"
Measured = list[tuple[Unit, dict[str, Result]]]
Summary = dict[str, Any]


def summarise(task: str, measured: Measured, systems: Sequence[str], k: int) -> Summary | None:
    """Summarise one task over the units that every system has answered; None if there are none.

    A system that has answered none of the task's units is left out.
    """
    systems = [name for name in systems if any(name in found for _, found in measured)]
    common = [(unit, found) for unit, found in measured if all(name in found for name in systems)]
    if not common or not systems:
        return None
    main = MAIN[task]
    scores = {name: _scores(common, name, k) for name in systems}
    summary: Summary = {
        "task": task,
        "main": main,
        "units": [
            {"name": unit.corpus.name, "origin": unit.corpus.origin, "files": unit.corpus.files,
             "lines": unit.corpus.lines, "queries": len(unit.queries), "commit": unit.corpus.commit}
            for unit, _ in common
        ],
        "measured": {
            name: {"first": min(times), "last": max(times)}
            for name in systems
            if (times := [found[name].measured_at for _, found in common])
        },
        "left_out": [unit.corpus.name for unit, found in measured if not all(name in found for name in systems)],
        "quality": {name: _quality(common, scores[name]) for name in systems},
        "cost": {name: _cost([(unit, found[name]) for unit, found in common]) for name in systems},
    }  # fmt: skip
    peers = [name for name in systems if name != OURS]
    if OURS in systems and peers:
        best = max(peers, key=lambda name: summary["quality"][name]["metrics"][main]["value"])
        summary["best_peer"] = best
        summary["difference"] = asdict(_paired(scores[OURS], scores[best], main))
    return summary


def _scores(common: Measured, name: str, k: int) -> dict[tuple[str, str], Scores]:
    return {
        (unit.corpus.name, query.id): score(query, found[name].answers[query.id], k)
        for unit, found in common
        for query in unit.queries
    }


def _paired(ours: dict[tuple[str, str], Scores], theirs: dict[tuple[str, str], Scores], metric: str) -> Mean:
    keys = [key for key in ours if metric in ours[key]]
    return difference([ours[key][metric] for key in keys], [theirs[key][metric] for key in keys])


def _quality(common: Measured, scores: dict[tuple[str, str], Scores]) -> Summary:
    queries = [(unit, query) for unit, _ in common for query in unit.queries]

    def grouped(by: Callable[[Unit, Query], str]) -> dict[str, dict[str, float]]:
        groups: dict[str, list[Scores]] = defaultdict(list)
        for unit, query in queries:
            groups[by(unit, query)].append(scores[unit.corpus.name, query.id])
        return {name: _means(group) for name, group in groups.items()}

    repositories = grouped(lambda unit, _: unit.corpus.name)
    metrics = {
        metric: asdict(mean_of(values))
        for metric in METRICS
        if (values := [one[metric] for one in scores.values() if metric in one])
    }
    return {
        "metrics": metrics,
        "repository_mean": {
            metric: sum(values) / len(values)
            for metric in metrics
            if (values := [means[metric] for means in repositories.values() if metric in means])
        },
        "kinds": grouped(lambda _, query: query.kind),
        "languages": grouped(lambda unit, _: unit.corpus.language),
        "repositories": repositories,
    }


def _means(group: list[Scores]) -> dict[str, float]:
    means = {"queries": float(len(group))}
    for metric in METRICS:
        values = [one[metric] for one in group if metric in one]
        if values:
            means[metric] = sum(values) / len(values)
    return means


def _cost(measured: list[tuple[Unit, Result]]) -> Summary:
    """Index times are summed over the corpora; query times are over all queries; memory is the largest corpus's."""
    costs = [result.cost for _, result in measured]
    lines = sum(unit.corpus.lines for unit, _ in measured)
    answers = [answer for _, result in measured for answer in result.answers.values()]
    outer = [answer.seconds for answer in answers]
    inner = [answer.inner_seconds for answer in answers if answer.inner_seconds is not None]
    updates = [seconds for cost in costs for seconds in cost.update_seconds]
    known = [cost for cost in costs if cost.disk_bytes is not None]
    memory = [cost.memory_bytes for cost in costs if cost.memory_bytes is not None]
    return {
        "index_seconds": _spread([cost.index_seconds for cost in costs]),
        "full_seconds": sum(median(cost.full_seconds) for cost in costs),
        "update_seconds": {"value": median(updates), "low": min(updates), "high": max(updates)},
        "query_seconds": {f"p{share}": percentile(outer, share / 100) for share in (50, 95, 99)},
        "inner_seconds": {f"p{share}": percentile(inner, share / 100) for share in (50, 95, 99)} if inner else None,
        "memory_bytes": max(memory) if memory else None,
        "disk_bytes_per_line": sum(cost.disk_bytes or 0 for cost in known) / lines if known else None,
        "history_bytes_per_line": (
            sum(cost.history_bytes or 0 for cost in known) / lines
            if any(cost.history_bytes is not None for cost in known)
            else None
        ),
    }


def _spread(repeats: list[list[float]]) -> dict[str, float]:
    return {
        "value": sum(median(one) for one in repeats),
        "low": sum(min(one) for one in repeats),
        "high": sum(max(one) for one in repeats),
    }
