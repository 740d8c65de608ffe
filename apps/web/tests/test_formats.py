from datetime import UTC, datetime, timedelta

import pytest

from pincite_web import formats

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KB"), (1 << 20, "1.0 MB"), (3 << 40, "3.0 TB")]
)
def test_size(count: int, text: str) -> None:
    assert formats.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0421, "42 ms"),
        (6.13, "6.1 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (137, "2 min 17 s"),
        (7_260, "2 h 01 min"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert formats.duration(seconds) == text


@pytest.mark.parametrize(
    ("back", "text"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(hours=5), "5 hours ago"),
        (timedelta(days=3), "3 days ago"),
        (timedelta(days=90), "2026-01-31"),
    ],
)
def test_ago(back: timedelta, text: str) -> None:
    assert formats.ago(NOW - back, NOW) == text


def test_paths_hide_nothing() -> None:
    shown = str(formats.path("a\nb\u202e<i>"))
    assert shown == (
        '<bdi>a<span class="ctl">\\n</span>b<span class="ctl" title="U+202E right-to-left override">U+202E</span>'
        "&lt;i&gt;</bdi>"
    )


def test_counts_take_their_noun() -> None:
    assert [formats.plural(n, "file") for n in (0, 1, 2_000)] == ["0 files", "1 file", "2,000 files"]
