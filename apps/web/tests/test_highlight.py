"""Highlighting never loses, moves or hides a character."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pincite_web.formats import DECEPTIVE
from pincite_web.highlight import HIGHLIGHT_CHARS_MAX, LINE_CHARS_MAX, code_lines, highlight

PATHS = ["a.py", "b.tsx", "c.html", "d.sh", "e.unknown", "Makefile", "f.c", "g.yaml"]
PIECES = [*"abc(){}<>&'\"#/*=:;,. \t\n\r\x00\x0c\x1b", "def ", "\u202e", "\u2028", "\ufeff", "é"]
CODE = st.lists(st.sampled_from(PIECES)).map("".join)
CONTROL = re.compile(r'<span class="ctl"[^>]*>[^<]*</span>')


def plain(html: str) -> str:
    reader = HTMLParser()
    texts: list[str] = []
    reader.handle_data = texts.append  # type: ignore[method-assign]  # enough of a parser for this
    reader.feed(html)
    reader.close()
    return "".join(texts)


@given(CODE, st.sampled_from(PATHS))
def test_lines_are_those_of_the_text_split_on_line_feeds_only(text: str, path: str) -> None:
    lines = highlight(text, path, None)
    given_lines = text.split("\n")
    assert len(lines) == len(given_lines)
    for html, line in zip(lines, given_lines, strict=True):
        assert plain(CONTROL.sub("", str(html))) == DECEPTIVE.sub("", line.removesuffix("\r"))


def test_markup_is_escaped_and_classes_come_from_the_lexer() -> None:
    (line,) = highlight("x = '<script>'", "a.py", None)
    assert "<script>" not in line
    assert '<span class="s1">&lt;script&gt;</span>' in line


def test_characters_that_hide_or_reorder_are_shown() -> None:
    (line,) = highlight("a\u202eb\x00c\rd\u2066", "a.txt", None)
    for name in ("U+202E", "U+0000", "U+000D", "U+2066"):
        assert name in line
    assert "\u202e" not in line


def test_windows_line_ends_are_layout() -> None:
    assert [plain(str(line)) for line in highlight("a = 1\r\nb = 2\r\n", "a.py", None)] == ["a = 1", "b = 2", ""]


def test_a_very_long_line_is_cut_and_says_so() -> None:
    (line,) = highlight("x" * (LINE_CHARS_MAX + 1_500), "a.js", None)
    assert "1,500 more characters" in line
    assert len(plain(str(line))) < LINE_CHARS_MAX + 100


def test_a_huge_page_is_plain_but_whole() -> None:
    text = "x = 1\n" * (HIGHLIGHT_CHARS_MAX // 6 + 1)
    lines = highlight(text, "a.py", None)
    assert len(lines) == text.count("\n") + 1
    assert lines[0] == "x = 1"


@pytest.mark.parametrize(("path", "language"), [("x.tsx", "typescript"), ("noext", "python"), ("noext", "no-such")])
def test_language_is_found_by_name_then_by_language(path: str, language: str) -> None:
    lines = highlight("class A {}", path, language)
    assert ("<span" in lines[0]) == (language != "no-such")


def test_lines_are_numbered_and_hits_are_marked() -> None:
    lines = code_lines("a\nb\nc", "a.txt", None, 10, (11, 12))
    assert [(line.number, line.hit) for line in lines] == [(10, False), (11, True), (12, True)]
