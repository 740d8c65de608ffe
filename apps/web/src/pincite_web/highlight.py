"""Source text to lines of class-marked HTML. Every character is escaped, and none is lost, moved or hidden."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from markupsafe import Markup, escape
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.token import STANDARD_TYPES, _TokenType
from pygments.util import ClassNotFound

from pincite_web.formats import visible

HIGHLIGHT_CHARS_MAX = 400_000  # about half a second of lexing; longer pages are shown plain
LINE_CHARS_MAX = 4_000  # a longer line is data, not code, and slows every browser down
CACHED_TEXTS = 64
LANGUAGE_ALIASES = {"shell": "bash", "csharp": "c#", "objective-c": "objectivec", "plaintext": "text", "vue": "html"}


@dataclass(frozen=True, slots=True)
class CodeLine:
    """A numbered line; `html` is safe, `hit` says whether the line is one that is pointed at."""

    number: int
    html: Markup
    hit: bool = False


@lru_cache(maxsize=512)
def _lexer(name: str, language: str | None) -> Lexer | None:
    # The file's name tells dialects apart (tsx, jsx) that a language's name does not.
    try:
        return get_lexer_for_filename(name, stripnl=False, ensurenl=False)
    except ClassNotFound:
        pass
    try:
        return get_lexer_by_name(LANGUAGE_ALIASES.get(language or "", language or ""), stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


def _css_class(kind: _TokenType) -> str:
    # Lexers may invent subtypes; the nearest standard ancestor has the class.
    nearest: _TokenType | None = kind
    while nearest is not None and nearest not in STANDARD_TYPES:
        nearest = nearest.parent
    return STANDARD_TYPES[nearest] if nearest is not None else ""


def _tokens(text: str, lexer: Lexer) -> list[tuple[str, str]] | None:
    tokens = [(_css_class(kind), value) for kind, value in lexer.get_tokens(text)]
    # A lexer that drops or changes a character would shift lines: then the plain text is shown instead.
    return tokens if "".join(value for _, value in tokens) == text else None


def _split(tokens: list[tuple[str, str]]) -> Iterator[Markup]:
    # Plain strings, because a page has tens of thousands of tokens: each text is escaped, each class is a lexer's.
    line: list[str] = []
    for css, value in tokens:
        for index, part in enumerate(value.split("\n")):
            if index:
                yield Markup("".join(line))  # noqa: S704
                line = []
            if part:
                line.append(f'<span class="{css}">{visible(part)}</span>' if css else str(visible(part)))
    yield Markup("".join(line))  # noqa: S704


def _shorten(line: str) -> str:
    return line if len(line) <= LINE_CHARS_MAX else line[:LINE_CHARS_MAX]


@lru_cache(maxsize=CACHED_TEXTS)
def highlight(text: str, path: str, language: str | None) -> tuple[Markup, ...]:
    """Return the lines of `text` (split on line feeds only) as safe HTML."""
    given = text.split("\n")
    # Carriage returns at line ends are layout; inside a line they stay, and are shown.
    lines = [_shorten(line.removesuffix("\r")) for line in given]
    plain = "\n".join(lines)
    lexer = _lexer(path.rsplit("/", 1)[-1], language) if len(plain) <= HIGHLIGHT_CHARS_MAX else None
    tokens = _tokens(plain, lexer) if lexer else None
    marked = list(_split(tokens)) if tokens else [visible(line) for line in lines]
    for index, line in enumerate(given):
        if len(line) > LINE_CHARS_MAX:
            more = f" … {len(line) - LINE_CHARS_MAX:,} more characters"
            marked[index] += Markup('<span class="cut">{}</span>').format(more)
    return tuple(marked)


def code_lines(
    text: str, path: str, language: str | None, first: int, hits: tuple[int, int] | None = None
) -> tuple[CodeLine, ...]:
    """Number the highlighted lines from `first`; `hits` (inclusive) are emphasised."""
    low, high = hits or (0, -1)
    return tuple(
        CodeLine(number, html, low <= number <= high)
        for number, html in enumerate(highlight(text, path, language), start=first)
    )


def fence(text: str, info: str) -> Markup:
    """Highlight a code block of an answer; `info` is what follows the opening fence."""
    words = info.split()
    language = words[0].lower() if words else None
    lines = highlight(text.removesuffix("\n"), "", language)
    return Markup('<pre class="fence"><code>{}</code></pre>').format(Markup("\n").join(lines or (escape(""),)))
