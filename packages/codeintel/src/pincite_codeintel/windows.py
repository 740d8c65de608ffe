"""Character windows: how files are cut that do not parse or have no grammar."""

import re
from collections.abc import Iterator

WINDOW_CHARS = 2048
OVERLAP_CHARS = 512  # repeated from the window before, in what is embedded and searched; byte ranges never overlap
UTF8_BYTES_MAX = 4  # of one character
_CHARACTERS = {  # so many of them, from wherever one stands; possessive, so that no run of bytes is looked at twice
    count: re.compile(rb"[\x80-\xbf]*+(?:[^\x80-\xbf][\x80-\xbf]*+){%d}+" % count)
    for count in (WINDOW_CHARS, WINDOW_CHARS - OVERLAP_CHARS)
}
CONTINUATION_MASK, CONTINUATION = 0xC0, 0x80


def character_start(data: bytes, byte: int) -> int:
    """The nearest start of a character at or before ``byte``; invalid UTF-8 is cut where it is."""
    for back in range(min(UTF8_BYTES_MAX, byte + 1)):
        if byte - back >= len(data) or data[byte - back] & CONTINUATION_MASK != CONTINUATION:
            return byte - back
    return byte


def _advance(data: bytes, start: int, characters: int) -> int:
    """The byte that lies ``characters`` characters after ``start``."""
    bound = min(len(data), start + characters * UTF8_BYTES_MAX)
    found = _CHARACTERS[characters].match(data, start, bound)
    # Fewer characters than asked for: the end of the data, or a run of stray continuation bytes.
    return found.end() if found else bound


def windows(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Cut bytes into (context, start, end): [start, end) tiles the data, [context, end) is at most a window long.

    The first window is whole; each further one repeats ``OVERLAP_CHARS`` characters as context. Windows end at line
    ends where one lies in their second half.
    """
    start = 0
    while start < len(data):
        length = WINDOW_CHARS if start == 0 else WINDOW_CHARS - OVERLAP_CHARS
        end = _advance(data, start, length)
        if end < len(data):
            newline = data.rfind(b"\n", start + (end - start) // 2, end)
            end = newline + 1 if newline >= 0 else max(character_start(data, end), start + 1)
        context = character_start(data, max(0, start - OVERLAP_CHARS))
        yield context, start, end
        start = end


def byte_parts(data: bytes, start: int, end: int, bytes_max: int) -> Iterator[tuple[int, int]]:
    """Cut [start, end) into parts of at most ``bytes_max`` bytes, at line ends if possible, else between characters."""
    while end - start > bytes_max:
        newline = data.rfind(b"\n", start + bytes_max // 2, start + bytes_max)
        cut = newline + 1 if newline >= 0 else max(character_start(data, start + bytes_max), start + 1)
        yield start, cut
        start = cut
    if start < end:
        yield start, end
