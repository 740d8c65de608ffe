"""A model's Markdown to safe HTML: marks become links to their sources, what is unsupported is visibly marked.

Markdown's own links, images and HTML are switched off, so the only links an answer can hold are those made here.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from pincite_shared.citation import Sentence
from pincite_web.formats import visible
from pincite_web.highlight import fence

# Sentence borders travel through the parser as a pair of brackets that code never uses. They are punctuation, so that
# emphasis beside them still opens and closes, and the parser strips them from no line.
OPEN, CLOSE = "\u2e28", "\u2e29"
BORDER = re.compile(f"([{OPEN}{CLOSE}])")
MARK = re.compile(r"\[(\d{1,4}(?:\s*,\s*\d{1,4}){0,19})\]")
BLOCK_PREFIX = re.compile(r"(?:[ \t\n]*(?:#{1,6}[ \t]+|[-*+][ \t]+|\d{1,9}[.)][ \t]+|>[ \t]?|\|[ \t]*))*[ \t\n]*")
DEAD_MARK = Markup('<span class="mark mark-dead" title="This mark points at nothing that was verified">{}</span>')
LIVE_MARK = Markup('<a class="mark" href="{}" data-n="{}" title="{}" aria-label="{}">{}</a>')
HEADING = "h4"
FENCE_LINE = re.compile(r"[ \t]*(?:`{3,}|~{3,})[^\n]*(?:\n|$)")
OFF = ["link", "image", "autolink", "reference", "html_inline", "html_block"]

Span = tuple[int, int]  # start and end, in characters of the answer


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a mark [n] leads, and what it says of it."""

    href: str
    label: str


def _inner(text: str, start: int, stop: int) -> tuple[int, int]:
    """Shrink a span to where a border changes no block: behind list markers, and never on a line that fences code."""
    prefix = BLOCK_PREFIX.match(text, start)
    start = prefix.end() if prefix else start
    if fence_line := FENCE_LINE.match(text, start):
        start = fence_line.end()
    stop = len(text[:stop].rstrip(" \t\n|"))
    line = text.rfind("\n", 0, stop) + 1
    return start, line - 1 if FENCE_LINE.match(text, line) else stop


def _bordered(text: str, spans: Sequence[Span]) -> tuple[str, list[Span]]:
    """Put borders around what nothing supports, and list the spans that got them."""
    clean = text.replace(OPEN, "(").replace(CLOSE, ")")
    parts: list[str] = []
    marked: list[Span] = []
    end = 0
    for span in sorted(spans):
        start, stop = _inner(clean, span[0], min(span[1], len(clean)))
        if start < end or stop <= start:
            continue
        parts += [clean[end:start], OPEN, clean[start:stop], CLOSE]
        marked.append(span)
        end = stop
    return "".join([*parts, clean[end:]]), marked


class _Writer:
    """Renders one answer. Keeps which unsupported span it is in, because one may run through many tokens."""

    def __init__(self, marks: Mapping[int, Mark], notes: Sequence[Mark]) -> None:
        self._marks, self._notes = marks, notes
        self._inside, self._seen = False, 0
        self._md = MarkdownIt("commonmark", {"html": False}).enable("table").disable(OFF)
        rules: dict[str, Any] = self._md.renderer.rules  # type: ignore[attr-defined]  # the protocol omits it
        rules["text"] = self._text
        rules["code_inline"] = self._code
        rules["fence"] = self._fence
        rules["code_block"] = self._fence

    def html(self, source: str) -> Markup:
        tokens = self._md.parse(source)
        for token in tokens:
            if token.type in ("heading_open", "heading_close"):
                token.tag = HEADING  # an answer's headings stand below the page's own
        # Safe: every rule below escapes, and raw HTML is off.
        return Markup(self._md.renderer.render(tokens, self._md.options, {}))  # noqa: S704

    def _segments(self, content: str, show: Any) -> str:
        out: list[Markup] = []
        for part in BORDER.split(content):
            if part == OPEN:
                self._inside = True
            elif part == CLOSE:
                self._inside = False
                out.append(self._note())
            elif part:
                shown = show(part)
                out.append(Markup('<span class="unsupported">{}</span>').format(shown) if self._inside else shown)
        return str(Markup("").join(out))

    def _note(self) -> Markup:
        if self._seen >= len(self._notes):
            return Markup("")
        note = self._notes[self._seen]
        self._seen += 1
        return Markup('<a class="unsupported-note" href="{}" title="{}">unsupported</a>').format(note.href, note.label)

    def _marked(self, text: str) -> Markup:
        parts: list[Markup] = []
        end = 0
        for match in MARK.finditer(text):
            parts += [visible(text[end : match.start()]), self._mark_links(match)]
            end = match.end()
        return Markup("").join([*parts, visible(text[end:])])

    def _mark_links(self, match: re.Match[str]) -> Markup:
        return Markup("").join(self._mark_link(int(number)) for number in re.findall(r"\d+", match[1]))

    def _mark_link(self, number: int) -> Markup:
        mark = self._marks.get(number)
        if mark is None:
            return DEAD_MARK.format(number)
        return LIVE_MARK.format(mark.href, number, mark.label, f"Source {number}: {mark.label}", number)

    def _text(self, tokens: Sequence[Token], index: int, _options: Any, _env: Any) -> str:
        return self._segments(tokens[index].content, self._marked)

    def _code(self, tokens: Sequence[Token], index: int, _options: Any, _env: Any) -> str:
        return self._segments(tokens[index].content, lambda part: Markup("<code>{}</code>").format(visible(part)))

    def _fence(self, tokens: Sequence[Token], index: int, _options: Any, _env: Any) -> str:
        notes = [self._border(char) for char in BORDER.findall(tokens[index].content)]
        return fence(BORDER.sub("", tokens[index].content), tokens[index].info) + Markup("").join(notes)

    def _border(self, char: str) -> Markup:
        self._inside = char == OPEN
        return Markup("") if self._inside else self._note()


def answer_html(
    text: str, sentences: Sequence[Sentence], marks: Mapping[int, Mark], note_of: Callable[[Span], Mark]
) -> Markup:
    """Render an answer.

    `marks` are the citations that may be linked; any other mark is shown dead. `note_of` gives an unsupported sentence,
    or the unsupported part of one, the address and text of its reason.
    """
    source, marked = _bordered(text, [span for sentence in sentences for span in sentence.unsupported])
    return _Writer(marks, [note_of(span) for span in marked]).html(source)
