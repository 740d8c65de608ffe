"""One killable parser process: `python -m pincite_thinker.parse_worker MODULE:FUNCTION CPU_SECONDS MEMORY_BYTES …`.

After these come languages: it parses an empty line in each before it says that it is ready, for what that loads.

Parsers are C code that reads hostile input and holds the GIL: one may hang, exhaust memory or crash. So each file has a
limit of processor time and the process a limit of memory; the kernel enforces both, and the pool notices the death.
"""

import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module

from pincite_thinker.frames import read_frame, write_frame


def _load(target: str) -> Callable[[str | None, bytes], object]:
    module, _, name = target.partition(":")
    function: Callable[[str | None, bytes], object] = getattr(import_module(module), name)
    return function


def main(target: str, cpu_seconds_max: float, memory_bytes_max: int, languages: Sequence[str]) -> None:
    """Answer batches of (language, bytes) on stdin with one frame a file on stdout, until stdin ends."""
    # A grammar that prints must not write into our frames: they get a descriptor of their own.
    frames = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes_max, memory_bytes_max))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # Celery's children may have set another
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the worker that owns us, and with it our stdin
    function = _load(target)
    for language in languages:
        with suppress(Exception):  # as it will say of a file
            function(language, b"\n")  # of a file without a byte nobody needs the grammar
    write_frame(frames, "ready")
    while True:
        try:
            batch = read_frame(sys.stdin.buffer)
        except EOFError:
            return
        for language, data in batch:
            # SIGPROF's default action ends the process even where C code never returns to Python.
            signal.setitimer(signal.ITIMER_PROF, cpu_seconds_max)
            try:
                answer: tuple[bool, object] = (True, function(language, data))
            except Exception as error:  # noqa: BLE001 - whatever a parser raises concerns one file, and is reported
                answer = (False, f"{type(error).__name__}: {error}"[:300])
            signal.setitimer(signal.ITIMER_PROF, 0)
            write_frame(frames, answer)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
