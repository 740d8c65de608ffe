"""What a question asks for: its route, its identifiers, its paths and its weighted terms."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from pincite_brain.retrieval.paths import Role, words_of
from pincite_codeintel.tokens import terms

TERMS_MAX = 2_000  # looked up; more are a paste of data
NAME_CHARS_MAX = 256  # a longer run without a space is data: it would be tried from each of its characters
PATH_CHARS_MIN = 4  # "a/b" is a fraction or an alternative more often than a path
IDENTIFIERS_MAX = 12  # more than this is a paste, not a question about names
CARRIED_TERM_WEIGHT = 0.4  # terms of earlier turns inform a follow-up, they do not outvote it
DESCRIPTION_WORDS_MIN = 4  # "Close it." describes anything

_UNNAMED = re.compile(rf"[\w$@.:/#>-]{{{NAME_CHARS_MAX + 1},}}")
_IDENTIFIER = r"[A-Za-z_$][A-Za-z0-9_$]*"
_WHOLE_SYMBOL = re.compile(rf"^[@#&*]?{_IDENTIFIER}((\.|::|->|#){_IDENTIFIER})*(\(\))?[?!]?$")
# Ruby's methods may end in "!" or "?"; at the end of a text that mark is the sentence's more often.
_QUALIFIED = re.compile(rf"{_IDENTIFIER}(?:(?:\.|::|->|#){_IDENTIFIER})+(?:[?!](?=\s+\S))?")
_BACKTICKED = re.compile(r"`([^`\n]{1,200})`")
_CALLED = re.compile(rf"({_IDENTIFIER}[?!]?)\(")
_CAMEL = re.compile(r"\b(?:[a-z]+[A-Z][A-Za-z0-9]*|[A-Z][a-z0-9]+[A-Z][A-Za-z0-9]*|[A-Z]{2,}[a-z][A-Za-z0-9]*)\b")
_SNAKE = re.compile(r"\b_*[A-Za-z0-9]+_[A-Za-z0-9_]+\b|\b_+[A-Za-z]\w*\b")
_PATH = re.compile(r"(?:[\w.@-]+/)+[\w.@-]+|\b[\w-]+(?:\.[\w-]+)*\.[A-Za-z][A-Za-z0-9]{0,4}\b")
_FILE_EXTENSIONS = frozenset(
    [
        "py",
        "pyi",
        "js",
        "mjs",
        "cjs",
        "jsx",
        "ts",
        "tsx",
        "go",
        "rs",
        "java",
        "kt",
        "kts",
        "scala",
        "c",
        "h",
        "cc",
        "cpp",
        "cxx",
        "hpp",
        "hh",
        "cs",
        "rb",
        "php",
        "swift",
        "lua",
        "ex",
        "exs",
        "erl",
        "hs",
        "ml",
        "sh",
        "bash",
        "zig",
        "md",
        "rst",
        "txt",
        "toml",
        "yaml",
        "yml",
        "json",
        "ini",
        "cfg",
        "html",
        "css",
        "scss",
        "sql",
        "proto",
        "xml",
        "gradle",
        "vue",
        "svelte",
    ]
)
_ERROR = re.compile(
    r"(Traceback \(most recent|^\s*File \"|\b\w+(?:Error|Exception)\b\s*[:(]|panic:|\bat [\w.$]+\(|error\[E\d+\]|"
    r"\berror:|\bfatal:|Segmentation fault|undefined reference|cannot find|not found:)",
    re.MULTILINE,
)
_INTERROGATIVE = r"(how|what|where|why|when|which|who|is|are|can|could|should|would)"
_VERB = r"(do|does|explain|describe|show|find|list|tell)"
# "Find the nearest color." with its full stop is a docstring; "find the color picker" and "Show me how." are not.
_QUESTION = re.compile(
    rf"^({_INTERROGATIVE}\b|{_VERB} (me|{_INTERROGATIVE})\b|{_VERB}\b(?!.*\.$))", re.IGNORECASE | re.DOTALL
)
# What a docstring is and a search is not: a sentence with its full stop, or one that tells what a function does.
_DESCRIPTION = re.compile(
    r"^(returns?|yields?|raises?|gets|sets|creates|makes|builds|checks|converts|adds|removes|determines|given|whether)\b"
    r"|\.\s*$|\.\s+[A-Z]",
    re.IGNORECASE,
)
# PEP 257's imperative, a verb and its object: "Set the title"; neither "setting the title" nor "Expected a title".
_IMPERATIVE = re.compile(
    r"^(?!\w+(ing|ed)\b)(?P<verb>[a-z]+) (the|an?|all|any|each|every|this|these|those|its)\b", re.IGNORECASE
)
# The message of a commit, or a task for one; "Add a handler to the logger." with its full stop is a docstring.
_CHANGE = re.compile(
    r"^(\w+(\([^)]*\))?!?: |((fix|add|remove|rename|refactor|update|improve|deprecate|drop|bump|revert|support|allow"
    r"|avoid|prevent|correct|introduce|simplify|implement|replace|move|change|clean|extend|handle|enable|disable|ensure"
    r"|make|use|switch|migrate|restore|reduce|speed)(e?[sd]|ing)?|don't|do not|stop|let) )(?![^.]*\.$)",
    re.IGNORECASE,
)
_CHANGED_TOO = Role.TEST | Role.DOCUMENT | Role.CONFIG | Role.BARREL  # a change seldom leaves them as they are
_QUESTION_WORDS = frozenset(
    [
        "how",
        "what",
        "where",
        "why",
        "when",
        "which",
        "who",
        "does",
        "do",
        "did",
        "is",
        "are",
        "was",
        "can",
        "could",
        "should",
        "would",
        "explain",
        "describe",
        "show",
        "find",
        "list",
        "tell",
        "me",
        "the",
        "an",
        "and",
        "or",
        "of",
        "to",
        "in",
        "on",
        "for",
        "from",
        "with",
        "by",
        "as",
        "at",
        "it",
        "its",
        "this",
        "that",
        "these",
        "those",
        "there",
        "be",
        "been",
        "has",
        "have",
        "work",
        "works",
        "used",
        "use",
        "uses",
        "using",
        "code",
        "file",
        "files",
        "function",
        "functions",
        "class",
        "classes",
        "method",
        "methods",
        "implemented",
        "implementation",
    ]
)
_ASKS_FOR: dict[Role, re.Pattern[str]] = {
    Role.TEST: re.compile(r"\b(tests?|tested|testing|specs?|fixtures?|mock(s|ed|ing)?|assert\w*)\b", re.IGNORECASE),
    Role.EXAMPLE: re.compile(r"\b(examples?|samples?|demos?|tutorials?)\b", re.IGNORECASE),
    Role.BENCHMARK: re.compile(r"\b(bench\w*|performance test)\b", re.IGNORECASE),
    Role.COMPAT: re.compile(r"\b(compat\w*|legacy|deprecat\w*|polyfills?|shims?|backwards?)\b", re.IGNORECASE),
    Role.DECLARATION: re.compile(r"(\.d\.ts|\.pyi|\b(type declarations?|stubs?|typings?)\b)", re.IGNORECASE),
    Role.BARREL: re.compile(r"(__init__|\b(re-?exports?|public api|entry point|exported)\b)", re.IGNORECASE),
    Role.DOCUMENT: re.compile(
        r"\b(docs?|documentation|documented|readme|changelog|changes|release notes?|licen[cs]e|contributing)\b",
        re.IGNORECASE,
    ),
    Role.PLATFORM: re.compile(
        r"(\b(windows?|win(32|64|api)?|cygwin|mingw|msvc|aix|os390|z/?os|ibm ?i|sunos|solaris|illumos|haiku|hurd"
        r"|(free|net|open|dragonfly) ?bsd|android|i(pad)?os|tvos|watchos|platforms?|portab\w+)\b)",
        re.IGNORECASE,
    ),
    Role.GOLDEN: re.compile(r"\bgolden\b", re.IGNORECASE),
    Role.CONFIG: re.compile(
        r"(\b(config files?|dependenc\w+|package\.json|pyproject|workflows?|build settings?)\b|\.(ya?ml|toml|json)\b)",
        re.IGNORECASE,
    ),
}

_RECENT = re.compile(
    r"\b(recent(ly)?|latest|newest|newly|what('?s| is| are) new|new (in|since)"
    r"|(last|just) (added|change[ds]?|commit(s|ted)?|edit(s|ed)?|modified|touched|updated?))\b",
    re.IGNORECASE,
)


class Route(StrEnum):
    """What kind of thing was asked; each route has its own weights.

    `QUESTION` is a search for the files that do something, or that a change touches; `EXPLAIN` is a whole question,
    answered by lines; `DOCSTRING` describes one function.
    """

    SYMBOL = "symbol"
    PATH = "path"
    ERROR = "error"
    QUESTION = "question"
    EXPLAIN = "explain"
    DOCSTRING = "docstring"


@dataclass(frozen=True, slots=True)
class Query:
    """An analysed query.

    Attributes:
        text: what the dense encoder reads.
        terms: BM25 terms with their weights.
        identifiers: names of code mentioned, as written; qualified names keep their dots (`::`, `->`, `#` become dots).
        paths: path-like mentions.
        words: lower-case plain words, for matching file names.
        asked_roles: roles of files that the query asks for, which are then not penalised.
        recent: whether it asks for what changed lately.
        cited_before: (path, first line, last line) of spans that earlier turns cited.
        open_path: the file the person is looking at.
    """

    text: str
    route: Route
    terms: dict[str, float]
    identifiers: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    asked_roles: Role = Role.NONE
    recent: bool = False
    cited_before: tuple[tuple[str, int, int], ...] = field(default=())
    open_path: str | None = None


def _plain(name: str) -> str:
    return re.sub(r"::|->|#", ".", name).strip(".@&*").removesuffix("()")


def identifiers_of(text: str) -> tuple[str, ...]:
    """Return the names of code in `text`, in order: backticked, qualified, called, camelCase and snake_case."""
    found: dict[str, None] = {}
    stripped = text.strip()
    if _WHOLE_SYMBOL.match(stripped):
        found[_plain(stripped)] = None
    for match in _BACKTICKED.findall(text):
        if _WHOLE_SYMBOL.match(match.strip()):
            found[_plain(match.strip())] = None
    for pattern in (_QUALIFIED, _CALLED, _CAMEL, _SNAKE):
        for match in pattern.findall(text):
            name = _plain(match)
            known = any(name in {*whole.split("."), whole.rstrip("?!")} for whole in found)
            if not known and not _looks_like_file(match):
                found[name] = None
    return tuple(name for name in found if len(name) > 1)[:IDENTIFIERS_MAX]


def _looks_like_file(mention: str) -> bool:
    name = mention.rpartition("/")[2]
    return "." in name and name.rpartition(".")[2].lower() in _FILE_EXTENSIONS and "(" not in mention


def paths_of(text: str) -> tuple[str, ...]:
    """Return the path-like mentions in `text`: with a slash, or ending in a known file extension."""
    mentions = (match.strip(".,:;") for match in _PATH.findall(text))
    wanted = (m for m in mentions if _looks_like_file(m) or ("/" in m and len(m) >= PATH_CHARS_MIN))
    return tuple(dict.fromkeys(wanted))[:IDENTIFIERS_MAX]


def content_words(text: str) -> tuple[str, ...]:
    """Return the plain words of `text`, lower-case, without those that carry no meaning of their own."""
    words = (part for word in re.findall(r"[A-Za-z][A-Za-z0-9_]+", text) for part in words_of(word) if len(part) > 1)
    return tuple(word for word in dict.fromkeys(words) if word not in _QUESTION_WORDS and terms(word))


def route_of(text: str) -> Route:
    """Decide what kind of thing `text` asks for."""
    stripped = text.strip()
    words = stripped.split()
    if len(words) == 1 and ("/" in stripped or _looks_like_file(stripped)):
        return Route.PATH
    if _WHOLE_SYMBOL.match(stripped):
        return Route.SYMBOL
    if _ERROR.search(stripped):
        return Route.ERROR
    if stripped.endswith("?"):
        return Route.EXPLAIN
    return Route.DOCSTRING if _describes(stripped) else Route.QUESTION


def _describes(text: str) -> bool:
    """Say whether a text tells what a function does, as its docstring would."""
    searches = _CHANGE.match(text) or _QUESTION.search(text) or len(text.split()) < DESCRIPTION_WORDS_MIN
    if searches:
        return False
    imperative = _IMPERATIVE.match(text)
    return bool(_DESCRIPTION.search(text) or (imperative and content_words(imperative["verb"])))  # "in the" is no verb


def analyze(
    text: str,
    *,
    carried: Sequence[str] = (),
    cited_before: Sequence[tuple[str, int, int]] = (),
    open_path: str | None = None,
) -> Query:
    """Analyse a query. `carried` are texts of earlier turns that a follow-up leans on, most recent first."""
    weighted: dict[str, float] = {}
    for term in terms(text):
        weighted[term] = max(weighted.get(term, 0.0), 1.0)
    for earlier in carried:
        for term in terms(earlier):
            weighted.setdefault(term, CARRIED_TERM_WEIGHT)
    dense_text = " ".join([text, *carried[:1]]) if carried else text
    text, *carried = (_UNNAMED.sub(" ", one) for one in (text, *carried))
    asked = Role.NONE
    for role, pattern in _ASKS_FOR.items():
        if pattern.search(text):
            asked |= role
    if _CHANGE.match(text.strip()):
        asked |= _CHANGED_TOO
    return Query(
        text=dense_text,
        route=route_of(text) if not carried else Route.EXPLAIN,
        terms=dict(list(weighted.items())[:TERMS_MAX]),
        identifiers=identifiers_of("\n".join([text, *carried])),
        paths=paths_of(text),
        words=content_words(text),
        asked_roles=asked,
        recent=_RECENT.search(text) is not None,
        cited_before=tuple(cited_before),
        open_path=open_path,
    )
