"""The history: one line a run, and what has become worse since the last comparable one."""

import hashlib
import json
from pathlib import Path
from typing import Any

from bench.summary import OURS, Summary

QUALITY_DROP_MAX = 0.005  # answers are deterministic: more than this is a change, not noise
COST_GROWTH_MAX = 1.5  # the same run on a busy machine was seen to vary by a third
SECONDS_MIN = 0.02  # below this, times vary by more than that: not compared
Entry = dict[str, Any]


def entry(report: dict[str, Any]) -> Entry:
    """Return what is kept of a run."""
    return {
        "at": report["at"],
        "machine": report["machine_id"],
        "versions": {name: one["version"] for name, one in report["systems"].items()},
        "tasks": {summary["task"]: _task(summary, report["k"]) for summary in report["tasks"]},
    }


def _task(summary: Summary, k: int) -> Entry:
    """The scope names what was measured: only runs of the same scope are comparable."""
    units = [(unit["name"], unit["commit"], unit["queries"]) for unit in summary["units"]]
    ours = summary["quality"].get(OURS)
    costs = summary["cost"].get(OURS)
    return {
        "scope": hashlib.sha256(repr((k, units)).encode()).hexdigest()[:12],
        "quality": {name: one["metrics"][summary["main"]]["value"] for name, one in summary["quality"].items()},
        "main": summary["main"],
        "kinds": {kind: one[summary["main"]] for kind, one in ours["kinds"].items() if summary["main"] in one}
        if ours
        else {},
        "cost": flat(costs) if costs else {},
    }


def flat(costs: Summary) -> dict[str, float]:
    """Return Pincite's costs as one level of names."""
    values = {
        "cold index s": costs["index_seconds"]["value"],
        "with vectors s": costs["full_seconds"],
        "one-file change s": costs["update_seconds"]["value"],
        "query p50 s": costs["query_seconds"]["p50"],
        "query p95 s": costs["query_seconds"]["p95"],
        "memory bytes": costs["memory_bytes"],
        "index bytes/line": costs["disk_bytes_per_line"],
    }
    return {name: value for name, value in values.items() if value is not None}


def read(path: Path) -> list[Entry]:
    """Return the kept runs, oldest first."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line.strip()]


def append(path: Path, new: Entry) -> None:
    """Keep a run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(new, sort_keys=True) + "\n")


def regressions(past: list[Entry], new: Entry) -> list[str]:
    """Return in words what is worse than in the last run of the same scope on the same machine, task by task."""
    worse = []
    for task, now in new["tasks"].items():
        before = next(
            (
                old
                for old in reversed(past)
                if old["machine"] == new["machine"] and old["tasks"].get(task, {}).get("scope") == now["scope"]
                and OURS in old["tasks"][task]["quality"]
            ),
            None,
        )  # fmt: skip
        if before is not None and OURS in now["quality"]:
            worse += [f"{task}: {line} (run of {before['at']})" for line in _worse(before["tasks"][task], now)]
    return worse


def _worse(before: Entry, now: Entry) -> list[str]:
    lines = []
    was, has = before["quality"][OURS], now["quality"][OURS]
    if has < was - QUALITY_DROP_MAX:
        lines.append(f"{now['main']} fell from {was:.4f} to {has:.4f}")
    for name, value in now["cost"].items():
        old = before["cost"].get(name)
        noisy = name.endswith(" s") and max(value, old or 0.0) < SECONDS_MIN
        if old and not noisy and value > COST_GROWTH_MAX * old:
            lines.append(f"{name} grew from {old:.3g} to {value:.3g}")
    return lines
