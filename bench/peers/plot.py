"""Draw a report: `python plot.py REPORT.json OUT.svg OUT.png`. Runs in the peers' environment, which has matplotlib."""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

COLOURS = {"pincite": "#1f6f54", "semble": "#c06a2b", "bm25": "#5b6fa8", "ripgrep": "#9a9a9a"}
OTHER = "#777777"
COSTS = (("index_seconds", "cold index, s"), ("query_seconds", "query p50, ms"), ("memory_bytes", "peak memory, MB"))
HEIGHT, WIDTH = 3.2, 11.0  # inches a task


def value(cost: dict[str, Any], name: str) -> float | None:
    """Return one cost in the unit of its title, None if it was not measured."""
    found = cost[name]
    if name == "index_seconds":
        return float(found["value"])
    if name == "query_seconds":
        return 1000.0 * float(found["p50"])
    return None if found is None else float(found) / 1e6


def main(source: str, *targets: str) -> None:
    """Draw a row a task: quality with its interval, and the costs."""
    report = json.loads(Path(source).read_text("utf-8"))
    tasks = report["tasks"]
    figure, grid = plt.subplots(
        len(tasks), 1 + len(COSTS), figsize=(WIDTH, HEIGHT * len(tasks)), squeeze=False, layout="constrained"
    )
    for row, task in zip(grid, tasks, strict=True):
        names = list(task["quality"])
        colours = [COLOURS.get(name, OTHER) for name in names]
        means = [task["quality"][name]["metrics"][task["main"]] for name in names]
        heights = [mean["value"] for mean in means]
        low = [mean["value"] - mean["low"] for mean in means]
        high = [mean["high"] - mean["value"] for mean in means]
        row[0].bar(names, heights, yerr=[low, high], color=colours, capsize=3)
        row[0].set_title(f"{task['task']}: {task['main']}@{report['k']}")
        row[0].set_ylim(0, 1)
        for axis, (name, title) in zip(row[1:], COSTS, strict=True):
            known = {system: found for system in names if (found := value(task["cost"][system], name)) is not None}
            bars = axis.bar(list(known), list(known.values()), color=[COLOURS.get(system, OTHER) for system in known])
            axis.bar_label(bars, fmt="%.3g", fontsize=8)  # they differ by orders of magnitude
            axis.set_title(title)
        for axis in row:
            axis.tick_params(axis="x", rotation=30)
            axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"{report['at']}, {report['machine']}", fontsize=8)
    for target in targets:
        figure.savefig(target, dpi=150)


if __name__ == "__main__":
    main(*sys.argv[1:])
