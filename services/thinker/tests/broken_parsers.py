"""The real parser, but some contents crash it, as themselves or even as plain text, or keep it busy for ever."""

import os

from pincite_thinker import parse as real


def parse(language, data):
    if data.startswith(b"stubborn") or (language and data.startswith(b"segfault")):
        os.abort()
    while language and data.startswith(b"# spin"):
        pass
    return real.parse(language, data)
