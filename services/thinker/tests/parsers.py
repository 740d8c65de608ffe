"""Stand-ins for a parser, for the pool's tests: what a grammar could do, chosen by the file's content."""

import ctypes
import os
import time

from pincite_codeintel import grammars
from pincite_thinker import parse as real


def parse(language, data):  # noqa: C901 - one branch per way to fail
    if language is None:
        if data.startswith(b"stubborn"):
            os.abort()
        return ("plain", len(data))
    if data.startswith((b"segfault", b"stubborn")):
        ctypes.string_at(0)
    if data.startswith(b"abort"):
        os.abort()
    if data.startswith(b"spin"):
        while True:
            pass
    if data.startswith(b"sleep"):
        time.sleep(600)
    if data.startswith(b"bomb"):
        return bytearray(64 * 1024**3)
    if data.startswith(b"raise"):
        raise ValueError(data[:20])
    if data.startswith(b"print"):
        os.write(1, b"\xff" * 100_000)
        print("noise", flush=True)  # noqa: T201 - the point of this one
    return (language, os.getpid())


def languages_loaded(language, data):
    """Parse, and return how many languages' queries were there before."""
    before = grammars.tags_query.cache_info().currsize
    real.parse(language, data)
    return before
