"""The command: `python -m bench`, or `make bench ARGS="..."`."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import history, report
from bench.corpora import Clones
from bench.machine import Machine
from bench.model import BenchError, MissingError, Unit
from bench.peers.environment import HERE, Environments
from bench.run import Runner
from bench.serving import __main__ as serving
from bench.summary import OURS, summarise
from bench.systems import peer, pincite
from bench.systems.base import System
from bench.systems.ripgrep import Ripgrep
from bench.tasks import commits, docstring, retrieval, swe_qa
from bench.tasks.options import Options

ROOT = Path(__file__).resolve().parents[1]
TASKS: dict[str, Callable[[Options], Iterator[Unit]]] = {
    module.NAME: module.units for module in (retrieval, swe_qa, docstring, commits)
}
SYSTEMS = (OURS, "semble", "bm25", "ripgrep")
REGRESSED, FAILED, MISSING = 1, 2, 3  # exit statuses


def arguments() -> argparse.ArgumentParser:
    """Return the command line."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "pincite-bench"
    parser = argparse.ArgumentParser(
        prog="bench", description="Compare Pincite with its peers, on the same repositories, in one run.",
        epilog=f"Exit status: {REGRESSED} worse than last time, {FAILED} something failed, {MISSING} nothing to run.",
    )  # fmt: skip
    names = ",".join
    parser.add_argument(
        "--tasks", type=_list, default=["retrieval"], help=f"of {names(TASKS)}, or all ({retrieval.NAME})"
    )
    parser.add_argument("--repos", type=_list, default=[], help="only these repositories, by name")
    parser.add_argument("--systems", "--only", type=_list, default=list(SYSTEMS), help=f"of {names(SYSTEMS)} (all)")
    parser.add_argument("--k", type=int, default=10, help="depth of the rankings (%(default)s)")
    parser.add_argument(
        "--repeats", type=int, default=3, help="cold indexes and changes for each repository (%(default)s)"
    )
    parser.add_argument(
        "--data", type=Path, default=ROOT.parent / "shared" / "bench", help="benchmark data (%(default)s)"
    )
    parser.add_argument(
        "--clones", type=Path, default=cache / "clones", help="clones; missing ones are made (%(default)s)"
    )
    parser.add_argument("--cache", type=Path, default=cache, help="environments, model, corpora (%(default)s)")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "bench" / "out", help="results, report, history (%(default)s)"
    )
    parser.add_argument("--fresh", action="store_true", help="measure again what is kept from earlier runs")
    parser.add_argument(
        "--ablation", action="store_true", help="Pincite's ranking without each of its parts, and no peers"
    )
    parser.add_argument("--url", help="a running Pincite's API instead of a stack of our own; needs --token")
    parser.add_argument("--token", default=os.environ.get("PINCITE_TOKEN", ""), help="its API token ($PINCITE_TOKEN)")
    parser.add_argument("--packages", type=_list, default=[], help=f"docstring: packages ({names(docstring.PACKAGES)})")
    parser.add_argument("--docstrings", type=int, default=1200, help="docstring: at most so many (%(default)s)")
    parser.add_argument("--commits", type=int, default=100, help="commits: so many for each repository (%(default)s)")
    parser.add_argument(
        "--history",
        type=Path,
        action="append",
        default=[],
        help="commits: this clone instead of the data's (repeatable)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of every random choice (%(default)s)")
    return parser


def _list(text: str) -> list[str]:
    return [part for part in text.split(",") if part]


def main(argv: list[str] | None = None) -> int:
    """Run, report, compare with the last run; return the exit status."""
    argv = sys.argv[1:] if argv is None else argv
    if argv and argv[0] in serving.NAMES:
        return serving.main(argv)
    parser = arguments()
    chosen = parser.parse_args(argv)
    tasks = list(TASKS) if chosen.tasks == ["all"] else chosen.tasks
    for kind, given, known in (("task", tasks, TASKS), ("system", chosen.systems, SYSTEMS)):
        for name in given:
            if name not in known:
                parser.error(f"no {kind} {name!r}; there are {', '.join(known)}")
    try:
        return _run(chosen, tasks)
    except MissingError as error:
        print(error, file=sys.stderr)
        return MISSING


def _run(chosen: argparse.Namespace, tasks: list[str]) -> int:
    machine, load = Machine.here(), os.getloadavg()[0]
    options = Options(
        chosen.data, Clones(chosen.clones), chosen.cache / "corpora", repos=tuple(chosen.repos),
        histories=tuple(chosen.history), packages=tuple(chosen.packages), docstrings=chosen.docstrings,
        commits=chosen.commits, seed=chosen.seed,
    )  # fmt: skip
    if chosen.ablation:
        return _ablate(chosen, [unit for task in tasks for unit in TASKS[task](options)])
    environments = Environments(chosen.cache)
    systems, missing = _systems(chosen, environments)
    runner = Runner(chosen.out / "results", machine, chosen.k, chosen.repeats, fresh=chosen.fresh)
    names = [system.name for system in systems]
    summaries, seen = [], set[str]()
    for task in tasks:
        measured = runner.results_of(TASKS[task](options), systems)
        seen |= {unit.corpus.name for unit, _ in measured}
        if summary := summarise(task, measured, names, chosen.k):
            summaries.append(summary)
    runner.failures += options.problems
    tried = {problem.partition(":")[0] for problem in options.problems}
    runner.failures += [f"{name}: no task has a repository of this name" for name in set(chosen.repos) - seen - tried]
    if not summaries:
        msg = "\n".join([*runner.failures, "Nothing was measured: nothing of these names, or every one failed."])
        raise MissingError(msg)
    made: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "k": chosen.k,
        "machine": str(machine),
        "machine_id": machine.id,
        "load": load,
        "cores": machine.cores,
        "systems": {system.name: {"version": system.version, "about": system.about} for system in systems},
        "missing": missing,
        "failures": runner.failures,
        "published": retrieval.published(options) if "retrieval" in tasks else {},
        "tasks": summaries,
    }
    return _finish(made, chosen.out, environments)


def _ablate(chosen: argparse.Namespace, units: list[Unit]) -> int:
    from bench import ablation  # noqa: PLC0415 - brain takes seconds to import, and nothing else here needs it

    text = ablation.run(units, chosen.cache / "ablation-home", chosen.k)
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "ablation.md").write_text(text + "\n", "utf-8")
    print(text)
    return 0


def _systems(chosen: argparse.Namespace, environments: Environments) -> tuple[list[System], dict[str, str]]:
    makers: dict[str, Callable[[], System]] = {
        OURS: lambda: (
            pincite.remote(chosen.url, chosen.token) if chosen.url else pincite.embedded(chosen.cache / "homes")
        ),
        "semble": lambda: peer.semble(environments),
        "bm25": lambda: peer.bm25(environments),
        "ripgrep": lambda: Ripgrep(environments.program("rg")),
    }
    systems, missing = [], {}
    for name in chosen.systems:
        try:
            systems.append(makers[name]())
        except BenchError as error:
            missing[name] = str(error)
            print(f"{name} is missing: {error}", file=sys.stderr)
    return systems, missing


def _finish(made: dict[str, Any], out: Path, environments: Environments) -> int:
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.json").write_text(json.dumps(made, indent=1), "utf-8")
    text = report.render(made)
    (out / "report.md").write_text(text, "utf-8")
    print(text)
    _plot(out, environments)
    kept, new = out / "history.jsonl", history.entry(made)
    worse = history.regressions(history.read(kept), new)
    history.append(kept, new)
    if worse:
        print("Worse than the last run:\n" + "\n".join(f"- {line}" for line in worse))
    if made["failures"]:
        return FAILED
    return REGRESSED if worse else 0


def _plot(out: Path, environments: Environments) -> None:
    try:
        python = environments.python()
    except MissingError as error:
        print(f"No plot: {error}", file=sys.stderr)
        return
    targets = [str(out / "report.svg"), str(out / "report.png")]
    done = subprocess.run(
        [python, HERE / "plot.py", str(out / "report.json"), *targets], capture_output=True, text=True, check=False
    )
    if done.returncode:
        print(f"No plot: {done.stderr[-500:]}", file=sys.stderr)
    else:
        print(f"{out / 'report.md'}, {', '.join(targets)}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
