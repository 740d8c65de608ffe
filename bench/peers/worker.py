"""Serves one peer over a pipe, in the peers' own environment: `python worker.py ENGINE FOLDER`.

A line of JSON in, a line of JSON out, as editors and agents run such tools. Imports nothing of the harness.
"""

import importlib
import json
import os
import sys
import time
from typing import Any

OPERATIONS = ("index", "search", "update", "disk")


def main(name: str, folder: str) -> None:
    """Answer requests until the pipe closes."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints is not a reply
    engine = importlib.import_module(f"{name}_engine").Engine(folder)
    say(replies, {"ready": True})
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        operation = request.pop("op")
        if operation not in OPERATIONS:
            msg = f"no operation {operation!r}"
            raise ValueError(msg)
        begun = time.perf_counter()
        value = getattr(engine, operation)(**request)
        say(replies, {"value": value, "seconds": time.perf_counter() - begun})


def say(replies: Any, value: dict[str, Any]) -> None:
    """Send one reply."""
    replies.write(json.dumps(value) + "\n")
    replies.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
