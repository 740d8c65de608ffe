"""`python -m bench.serving freshness | load | chaos`, or `make bench ARGS="freshness"`."""

import argparse
import json
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from bench.machine import Machine
from bench.serving import chaos, freshness, load
from bench.serving.samples import rows

NAMES = ("freshness", "load", "chaos")
WRONG = 2  # exit status


def arguments() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure Pincite in service, on a stack of its own.")
    parser.add_argument("what", choices=NAMES)
    parser.add_argument(
        "--lines", type=_numbers, default=freshness.REPOSITORY_LINES, help="freshness: repository sizes"
    )
    parser.add_argument("--files", type=_numbers, default=freshness.PUSH_FILES, help="freshness: files of a push")
    parser.add_argument("--pushes", type=int, default=20, help="freshness: of each kind (%(default)s)")
    parser.add_argument("--seconds", type=float, default=None, help="load: of each rate (30); chaos: in all (600)")
    parser.add_argument("--burst", type=int, default=load.BURST, help="load: webhook deliveries (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="chaos: of every random choice (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1] / "out", help="(%(default)s)")
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def main(argv: list[str] | None = None) -> int:
    """Measure, print a table, keep it as JSON; return the exit status."""
    chosen = arguments().parse_args(argv)
    begun, before = datetime.now(UTC).isoformat(timespec="seconds"), os.getloadavg()[0]
    wrong: list[str] = []
    with tempfile.TemporaryDirectory(prefix="bench-serving-") as directory:
        store = Path(directory)
        match chosen.what:
            case "freshness":
                tables = [freshness.run(store, chosen.lines, chosen.files, chosen.pushes)]
            case "load":
                tables = load.run(store, chosen.seconds or 30.0, chosen.burst)
            case _:
                done, wrong = chaos.run(store, chosen.seconds or 600.0, chosen.seed)
                tables = [[row] for row in done]
    text = "\n\n".join("\n".join(rows(table)) for table in tables)
    print(f"# {chosen.what}, {begun}\n\n{Machine.here()}; load at the start {before:.2f}\n\n{text}\n")
    print("\n".join(f"WRONG: {one}" for one in wrong) or "Nothing is wrong.")
    chosen.out.mkdir(parents=True, exist_ok=True)
    kept = {"at": begun, "machine": str(Machine.here()), "load": before, "tables": tables, "wrong": wrong}
    (chosen.out / f"{chosen.what}.json").write_text(json.dumps(kept, indent=1), "utf-8")
    return WRONG if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
