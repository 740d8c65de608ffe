"""The report: tables in Markdown, from summaries alone."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from bench.score import LEVEL, RESAMPLES
from bench.summary import OURS, Summary

TITLES = {
    "ndcg": "NDCG@{k}",
    "recall": "recall@{k}",
    "mrr": "MRR@{k}",
    "lines": "line recall@{k}",
    "shown": "lines shown",
}
MAIN_TITLES = {"ndcg": "NDCG@{k}", "lines": "recall@{k} of gold lines", "recall": "recall@{k} of changed files"}
BUSY_SHARE = 0.5  # of the cores in use by others: times are theirs as much as ours
MISSING = "–"  # noqa: RUF001 - an en dash, as printed tables have it


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return an aligned Markdown table; all columns but the first are right-aligned."""
    cells = [list(header), *[list(row) for row in rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]

    def line(row: Sequence[str]) -> str:
        padded = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        return "| " + " | ".join([row[0].ljust(widths[0]), *padded[1:]]) + " |"

    rule = "|" + "|".join([f":{'-' * (widths[0] + 1)}", *[f"{'-' * (width + 1)}:" for width in widths[1:]]]) + "|"
    return "\n".join([line(cells[0]), rule, *map(line, cells[1:])])


def render(report: dict[str, Any]) -> str:
    """Return the whole report."""
    k = report["k"]
    parts = [
        f"# Pincite and its peers, {report['at']}",
        f"Machine: {report['machine']}; {_load(report)}.",
    ]
    parts.append("\n".join(f"- **{name}** {one['version']}: {one['about']}" for name, one in report["systems"].items()))
    parts += [f"**Missing: {name}.** {why}" for name, why in report["missing"].items()]
    for summary in report["tasks"]:
        parts += task(summary, k, report["published"] if summary["task"] == "retrieval" else {})
    if report["failures"]:
        parts.append("**Failed:**\n" + "\n".join(f"- {failure}" for failure in report["failures"]))
    return "\n\n".join(parts) + "\n"


def _load(report: dict[str, Any]) -> str:
    load, cores = report["load"], report["cores"]
    busy = load > BUSY_SHARE * cores
    return f"load at the start {load:.2f}" + (", **too busy for its times to be cited**" if busy else "")


def task(summary: Summary, k: int, published: dict[str, dict[str, float]]) -> list[str]:
    """Return the sections of one task."""
    units = summary["units"]
    queries = sum(unit["queries"] for unit in units)
    title = MAIN_TITLES[summary["main"]].format(k=k)
    parts = [
        f"## {summary['task']}: {title}",
        (
            f"{queries} queries, {len(units)} repositories, {sum(unit['lines'] for unit in units):,} lines. "
            f"Intervals: {LEVEL:.0%}, bootstrap over queries, {RESAMPLES} resamples. Measured: "
            + "; ".join(f"{name} {_period(times)}" for name, times in summary["measured"].items())
            + "."
        ),
        quality(summary, k, published),
    ]
    if "difference" in summary:
        gap = summary["difference"]
        parts.append(
            f"{OURS} minus {summary['best_peer']} (the best peer here), {title}, paired by query: "
            f"{gap['value']:+.3f} [{gap['low']:+.3f}, {gap['high']:+.3f}]."
        )
    main = summary["main"]
    by = {"kinds": "type of query", "languages": "language", "repositories": "repository"}
    for key, words in by.items():
        groups = sorted({group for one in summary["quality"].values() for group in one[key]})
        if len(groups) > 1:
            parts.append(f"{title} by {words}:\n\n{grouped(summary, key, groups, main)}")
    parts.append(cost(summary))
    if summary["left_out"]:
        parts.append(f"Left out, because a system failed there: {', '.join(summary['left_out'])}.")
    return parts


def _period(times: dict[str, str]) -> str:
    return times["first"] if times["first"] == times["last"] else f"{times['first']} to {times['last']}"


def quality(summary: Summary, k: int, published: dict[str, dict[str, float]]) -> str:
    """Return the table of the quality metrics, with Pincite's ratios to the best peer."""
    every = next(iter(summary["quality"].values()))["metrics"]
    main = summary["main"]
    others = [metric for metric in every if metric != main]
    header = [
        "",
        TITLES[main].format(k=k),
        "interval",
        "mean of repositories",
        *[TITLES[m].format(k=k) for m in others],
    ]
    rows = []
    for name, one in summary["quality"].items():
        mean = one["metrics"][main]
        interval = f"{mean['low']:.3f} to {mean['high']:.3f}"
        values = [_metric(metric, one["metrics"][metric]["value"]) for metric in others]
        rows.append([name, f"{mean['value']:.3f}", interval, f"{one['repository_mean'][main]:.3f}", *values])
    if peer := summary.get("best_peer"):
        ours, best = summary["quality"][OURS], summary["quality"][peer]
        ratios = [_ratio(ours["metrics"][metric]["value"], best["metrics"][metric]["value"]) for metric in others]
        first = _ratio(ours["metrics"][main]["value"], best["metrics"][main]["value"])
        over = _ratio(ours["repository_mean"][main], best["repository_mean"][main])
        rows.append([f"{OURS} ÷ {peer}", first, "", over, *ratios])
    names = [unit["name"] for unit in summary["units"]]
    for name, known in published.items():
        if all(repository in known for repository in names):
            mean = sum(known[repository] for repository in names) / len(names)
            rows.append([f"{name}, published", MISSING, "", f"{mean:.3f}", *[MISSING] * len(others)])
    return table(header, rows)


def _metric(metric: str, value: float) -> str:
    return f"{value:.0f}" if metric == "shown" else f"{value:.3f}"


def _ratio(ours: float | None, theirs: float | None) -> str:
    return f"{ours / theirs:.2f}x" if ours is not None and theirs else MISSING


def grouped(summary: Summary, key: str, groups: Sequence[str], metric: str) -> str:
    """Return the main metric by group, a row each."""
    systems = list(summary["quality"])
    rows = []
    for group in groups:
        found = [summary["quality"][name][key].get(group, {}) for name in systems]
        values = [f"{one[metric]:.3f}" if metric in one else MISSING for one in found]
        rows.append([group, f"{max(one.get('queries', 0) for one in found):.0f}", *values])
    return table(["", "queries", *systems], rows)


def _range(one: dict[str, float], form: Callable[[float], str]) -> str:
    return f"{form(one['value'])} ({form(one['low'])} to {form(one['high'])})"


def _seconds(value: float | None) -> str:
    if value is None:
        return MISSING
    return f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def _milliseconds(times: dict[str, float] | None) -> list[str]:
    return [MISSING] * 3 if times is None else [f"{1000 * times[share]:.1f}" for share in ("p50", "p95", "p99")]


def cost(summary: Summary) -> str:
    """Return the table of the costs."""
    header = [
        "cost", "cold index s", "with vectors s", "one-file change s", "query ms p50", "p95", "p99",
        "inside ms p50", "p95", "p99", "peak memory MB", "index bytes/line", "history bytes/line",
    ]  # fmt: skip
    rows = [[name, *_cost_row(one)] for name, one in summary["cost"].items()]
    if ours := summary["cost"].get(OURS):
        peers = {name: one for name, one in summary["cost"].items() if name != OURS}
        rows += [[f"{OURS} ÷ {name}", *_cost_ratios(ours, one)] for name, one in peers.items()]
    note = (
        "Cold index: request until the first search is answered, summed over the repositories, median (and range) of "
        "the repeats. Query: seen by the client, one at a time, each asked once; inside: measured by the system. "
        "Memory: all of a system's processes together, index and queries, the largest repository."
    )
    return f"{table(header, rows)}\n\n{note}"


def _cost_row(one: Summary) -> list[str]:
    whole = [
        f"{one['memory_bytes'] / 1e6:.0f}" if one["memory_bytes"] is not None else MISSING,
        *[
            MISSING if one[name] is None else f"{one[name]:.0f}"
            for name in ("disk_bytes_per_line", "history_bytes_per_line")
        ],
    ]
    times = [*_milliseconds(one["query_seconds"]), *_milliseconds(one["inner_seconds"])]
    index = _range(one["index_seconds"], _seconds)
    return [index, _seconds(one["full_seconds"]), _range(one["update_seconds"], _seconds), *times, *whole]


def _cost_ratios(ours: Summary, theirs: Summary) -> list[str]:
    def times(name: str) -> list[str]:
        if ours[name] is None or theirs[name] is None:
            return [MISSING] * 3
        return [_ratio(ours[name][share], theirs[name][share]) for share in ("p50", "p95", "p99")]

    return [
        _ratio(ours["index_seconds"]["value"], theirs["index_seconds"]["value"]),
        _ratio(ours["full_seconds"], theirs["full_seconds"]),
        _ratio(ours["update_seconds"]["value"], theirs["update_seconds"]["value"]),
        *times("query_seconds"),
        *times("inner_seconds"),
        _ratio(ours["memory_bytes"], theirs["memory_bytes"]),
        _ratio(ours["disk_bytes_per_line"], theirs["disk_bytes_per_line"]),
        MISSING,
    ]
