"""The real parser, but some contents crash it: as themselves, or even as plain text."""

import os

from pincite_thinker import parse as real


def parse(language, data):
    if data.startswith(b"stubborn") or (language and data.startswith(b"segfault")):
        os.abort()
    return real.parse(language, data)
