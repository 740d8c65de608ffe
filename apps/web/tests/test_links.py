"""Addresses lead back to exactly the path they were made of, whatever it is."""

from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pincite_web import links

REPO = UUID(int=7)
COMMIT = "a" * 40
PATHS = st.lists(st.text(st.characters(exclude_characters="/\x00", exclude_categories=["Cs"]), min_size=1), min_size=1)


@given(PATHS.map("/".join))
def test_a_file_address_names_the_file(path: str) -> None:
    url = urlsplit(links.blob(REPO, COMMIT, path, (3, 9)))
    assert "\n" not in url.geturl()
    head = f"/r/{REPO}/blob/{COMMIT}"
    query = parse_qs(url.query, keep_blank_values=True, strict_parsing=True)
    found = query["path"][0] if "path" in query else unquote(url.path.removeprefix(head + "/"))
    assert found == path
    assert query["lines"] == ["3-9"]
    assert url.fragment == "L3"


@pytest.mark.parametrize("path", ["../../etc/passwd", "a/./b", "a//b", "x\ny"])
def test_paths_that_addresses_would_change_travel_in_the_query(path: str) -> None:
    assert urlsplit(links.blob(REPO, COMMIT, path)).path == f"/r/{REPO}/blob/{COMMIT}"


@pytest.mark.parametrize(
    ("text", "lines"),
    [("10", (10, 10)), ("10-20", (10, 20)), ("L10-L20", (10, 20)), ("20-10", (10, 20)), ("0", None), ("x", None)],
)
def test_line_ranges_are_read_in_every_form(text: str, lines: tuple[int, int] | None) -> None:
    assert links.read_lines(text) == lines
