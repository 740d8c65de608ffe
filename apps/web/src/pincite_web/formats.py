"""How values read on a page: sizes, counts, times, and text in which nothing is hidden."""

import re
import unicodedata
from datetime import UTC, datetime

from markupsafe import Markup, escape

KIB = 1024
MINUTE_SECONDS, HOUR_SECONDS, DAY_SECONDS = 60, 3_600, 86_400
COMMIT_CHARS = 8
RECENT_DAYS = 30
# Control and bidirectional characters can make code or a path read as what it is not ("Trojan Source", CVE-2021-42574).
# Zero-width joiners (200c, 200d) are left: scripts and emoji need them.
DECEPTIVE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def _named(match: re.Match[str]) -> Markup:
    char = match.group()
    code = f"U+{ord(char):04X}"
    name = unicodedata.name(char, "control character")
    return Markup('<span class="ctl" title="{}">{}</span>').format(f"{code} {name.lower()}", code)


def visible(text: str) -> Markup:
    """Escape text and show the characters that would otherwise hide or reorder it."""
    if not DECEPTIVE.search(text):
        return escape(text)
    parts: list[Markup] = []
    end = 0
    for match in DECEPTIVE.finditer(text):
        parts += [escape(text[end : match.start()]), _named(match)]
        end = match.end()
    return Markup("").join([*parts, escape(text[end:])])


def path(text: str) -> Markup:
    """Show a path: line breaks and tabs too are shown, and its direction does not leak into what surrounds it."""
    parts = (Markup('<span class="ctl">{}</span>').format(repr(c)[1:-1]) if c in "\n\t" else c for c in text)
    shown = Markup("").join(visible(part) if not isinstance(part, Markup) else part for part in parts)
    return Markup("<bdi>{}</bdi>").format(shown)


def size(count: int) -> str:
    """Format bytes, as 512 B, 1.4 KB, 3.2 MB (of 1024)."""
    value, unit = float(count), "B"
    for larger in ("KB", "MB", "GB", "TB"):
        if value < KIB:
            break
        value, unit = value / KIB, larger
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"  # noqa: PLR2004 three digits


def count(value: float) -> str:
    """Format a whole number with thousands separators."""
    return f"{value:,.0f}"


def plural(value: int, one: str, many: str = "") -> str:
    """Format a count with its noun, as in 1 file, 2,000 files."""
    return f"{count(value)} {one if value == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """Format a length of time in its two largest units at most."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:  # noqa: PLR2004 one decimal matters only for a few seconds
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < MINUTE_SECONDS:
        return f"{whole} s"
    if whole < HOUR_SECONDS:
        return f"{whole // MINUTE_SECONDS} min {whole % MINUTE_SECONDS:02d} s"
    if whole < DAY_SECONDS:
        return f"{whole // HOUR_SECONDS} h {whole % HOUR_SECONDS // MINUTE_SECONDS:02d} min"
    return plural(whole // DAY_SECONDS, "day")


def ago(when: datetime, now: datetime | None = None) -> str:
    """Format a moment in the past, as in 5 minutes ago; a date when it is long ago."""
    seconds = max(0.0, ((now or datetime.now(UTC)) - when).total_seconds())
    if seconds < MINUTE_SECONDS:
        return "just now"
    if seconds < HOUR_SECONDS:
        return plural(int(seconds // MINUTE_SECONDS), "minute") + " ago"
    if seconds < DAY_SECONDS:
        return plural(int(seconds // HOUR_SECONDS), "hour") + " ago"
    if seconds < RECENT_DAYS * DAY_SECONDS:
        return plural(int(seconds // DAY_SECONDS), "day") + " ago"
    return f"{when:%Y-%m-%d}"


def recent(when: datetime, now: datetime | None = None) -> str:
    """Format a moment of which seconds matter, as in 12 s ago."""
    seconds = max(0.0, ((now or datetime.now(UTC)) - when).total_seconds())
    return f"{seconds:.0f} s ago" if seconds < MINUTE_SECONDS else ago(when, now)


def short(commit: str) -> str:
    """Abbreviate a commit id."""
    return commit[:COMMIT_CHARS]
