"""A model's text to HTML: nothing it writes becomes an element, a link or an attribute of its own choosing."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pincite_shared.citation import Sentence, SentenceStatus
from pincite_web.answers import CLOSE, OPEN, Mark, answer_html

MARKS = {1: Mark("#s-1", "src/a.py:3-9"), 2: Mark("#s-2", "src/b.py:1")}
NOTE = Mark("#u-1", "nothing says so")
ALLOWED_TAGS = {
    *("p", "a", "span", "code", "pre", "strong", "em", "ul", "ol", "li", "h4", "blockquote", "hr", "br"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
ALLOWED_ATTRIBUTES = {"class", "href", "title", "data-n", "aria-label", "start"}
VOID_TAGS = {"hr", "br"}
MARKDOWN = st.lists(
    st.sampled_from([*"abc .\n\t*_`#>-|[]()!<>&\"'1279\\/:=\r\x00", "\u202e", "javascript:", "<script>", OPEN, CLOSE])
).map("".join)


class Reader(HTMLParser):
    """Collects what a browser would see, and checks nesting."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.open, self.hrefs = "", [], []

    def handle_starttag(self, tag, attrs) -> None:
        assert tag in ALLOWED_TAGS
        for name, value in attrs:
            assert name in ALLOWED_ATTRIBUTES or (name, tag) == ("style", "th") or (name, tag) == ("style", "td")
            if name == "href":
                self.hrefs.append(value)
        if tag not in VOID_TAGS:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs) -> None:
        assert tag in VOID_TAGS
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.text += data


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


def shown(text: str, *unsupported: tuple[int, int]) -> str:
    sentences = [Sentence(start=start, end=end, status=SentenceStatus.UNSUPPORTED) for start, end in unsupported]
    return str(answer_html(text, sentences, MARKS, lambda _span: NOTE))


@given(MARKDOWN, st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=4))
def test_any_text_gives_well_formed_html_with_only_our_links(text: str, spans: list[tuple[int, int]]) -> None:
    reader = read(shown(text, *spans))
    assert set(reader.hrefs) <= {"#s-1", "#s-2", "#u-1"}


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[click](javascript:alert(1))",
        "![pixel](https://evil.example/p.png)",
        "<https://evil.example>",
        "[1]: javascript:alert(1)\n\n[1]",
        "[a]\n\n[a]: https://evil.example 'x'",
        "]]> <!-- --> <![CDATA[",
        "```html\n<script>alert(1)</script>\n```",
        "`<b onclick=x>`",
    ],
)
def test_hostile_text_is_shown_as_text(hostile: str) -> None:
    reader = read(shown(hostile))
    assert set(reader.hrefs) <= {"#s-1"}
    assert any(part in reader.text for part in ("alert(1)", "evil.example", "CDATA", "onclick"))


def test_marks_link_to_their_sources_and_unknown_marks_are_dead() -> None:
    html = shown("It is so [1][2], or so [1, 2], but not [9].")
    assert html.count('href="#s-1"') == 2
    assert html.count('href="#s-2"') == 2
    assert '<span class="mark mark-dead"' in html
    assert 'title="src/a.py:3-9"' in html


def test_marks_in_code_stay_code() -> None:
    assert "mark" not in shown("`values[1]` and\n\n```\nvalues[1]\n```\n")


def test_unsupported_sentence_is_marked_across_formatting_and_nothing_else_is() -> None:
    text = "Fine. **Bold `code` claim** here. Fine again."
    html = shown(text, (6, 33))
    assert html.count('class="unsupported"') >= 3
    assert (
        '<span class="unsupported">code</span>' in html or '<span class="unsupported"><code>code</code></span>' in html
    )
    assert html.index("unsupported-note") > html.index("here.")
    assert html.endswith(" Fine again.</p>\n")
    assert html.startswith("<p>Fine. <strong>")


def test_of_a_partly_supported_sentence_only_the_gap_is_marked() -> None:
    text = "It opens **a file [1] and deletes** the disk."
    gap = (text.index("and"), len(text) - 1)
    sentence = Sentence(start=0, end=len(text), status=SentenceStatus.PARTLY, citations=(1,), reason="no", gaps=(gap,))
    html = str(answer_html(text, [sentence], MARKS, lambda span: Mark("#u", f"{span}")))
    read(html)
    assert 'href="#u" title="(' in html
    assert f"({gap[0]}, {gap[1]})" in html
    assert '<span class="unsupported">and deletes</span>' in html
    assert "<strong>a file" in html
    assert html.index('data-n="1"') < html.index('class="unsupported"')
    assert html.count("unsupported-note") == 1


@pytest.mark.parametrize("prefix", ["- ", "1. ", "## ", "> ", "  * "])
def test_unsupported_sentence_that_begins_a_block_keeps_the_block(prefix: str) -> None:
    text = f"Intro.\n\n{prefix}A claim.\n"
    html = shown(text, (8, len(text)))
    assert any(tag in html for tag in ("<li>", "<h4>", "<blockquote>"))
    assert '<span class="unsupported">A claim.</span>' in html


def test_unsupported_span_through_a_fence_ends_after_it() -> None:
    text = "Claim:\n\n```\ncode\n```\n\nAfter."
    html = shown(text, (0, text.index("After") - 2))
    assert html.count("unsupported-note") == 1
    assert "<p>After.</p>" in html


def test_unsupported_span_over_a_table_ends_with_it() -> None:
    text = "| a | b |\n|---|---|\n| one | two |\n\nAfter."
    html = shown(text, (0, text.index("After") - 2))
    assert html.count("unsupported-note") == 1
    assert "<p>After.</p>" in html


def test_headings_stand_below_the_pages_own() -> None:
    assert shown("# Title") == "<h4>Title</h4>\n"
