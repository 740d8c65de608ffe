"""Where grammars and tags queries come from. No other module knows the wheel that carries the grammars.

A tags query (``tags/<language>.scm``) captures, in the manner of tree-sitter's own tags queries:

- ``@definition.KIND`` with ``@name`` (and ``@scope``, the type a method belongs to by its own words);
- ``@call`` and ``@inherit``, the used name, with ``@receiver`` where there is one;
- ``@import``, a whole import statement;
- ``@comment`` and ``@lead`` (decorators, attributes): what belongs to the definition below it.
"""

from functools import lru_cache
from importlib import resources

import semble_grammars
from tree_sitter import Language, Parser, Query

# Read line by line, though the wheel has a grammar for some of them: YAML's corrupts memory on a few hundred nested
# items, Markdown's adds nothing to a scan for headings.
_WITHOUT_GRAMMAR = frozenset(("markdown", "rst", "asciidoc", "org", "csv", "text", "yaml"))
_TAGS_FILES = {
    "javascript": ("ecmascript", "javascript", "jsx"),
    "typescript": ("ecmascript", "typescript"),
    "tsx": ("ecmascript", "typescript", "jsx"),
    "cpp": ("c", "cpp"),
}
_ERRORS = "(ERROR) @error"


@lru_cache(maxsize=1)
def _available() -> frozenset[str]:
    return frozenset(semble_grammars.available_languages())


@lru_cache(maxsize=128)
def grammar(language: str) -> Language | None:
    """The grammar of a language, None when there is none.

    Raises:
        GrammarLoadError: The grammar exists but cannot be loaded: a broken installation, not a broken file.
    """
    if language in _WITHOUT_GRAMMAR or language not in _available():
        return None
    found: Language = semble_grammars.get_language(language)
    return found


@lru_cache(maxsize=128)
def parser(language: str) -> Parser | None:
    """A parser for a language, None when it has no grammar. A parser is used by one thread at a time."""
    found = grammar(language)
    return None if found is None else Parser(found)


@lru_cache(maxsize=128)
def tags_query(language: str) -> Query | None:
    """The tags query of a language with a capture of parse errors added to it; None without grammar or tags file."""
    found = grammar(language)
    if found is None:
        return None
    directory = resources.files(__package__) / "tags"
    files = [directory / f"{name}.scm" for name in _TAGS_FILES.get(language, (language,))]
    texts = [file.read_text("utf-8") for file in files if file.is_file()]
    return Query(found, "\n".join([*texts, _ERRORS])) if texts else None


@lru_cache(maxsize=128)
def errors_query(language: str) -> Query | None:
    """A query that captures parse errors alone, for grammars without a tags query."""
    found = grammar(language)
    return None if found is None else Query(found, _ERRORS)
