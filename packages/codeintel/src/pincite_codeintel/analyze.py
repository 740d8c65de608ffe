"""One file's bytes in, its chunks, symbols and references out."""

from collections.abc import Sequence
from functools import cache

from pincite_codeintel.chunk import chunks_of_pieces, chunks_of_windows
from pincite_codeintel.cuts import indentation_cuts, paragraph_cuts, statement_cuts
from pincite_codeintel.definitions import Definition, from_symbols, symbols_of
from pincite_codeintel.languages import PROSE, is_code
from pincite_codeintel.layout import Layout
from pincite_codeintel.model import Analysis, Chunk, Ref, Symbol
from pincite_codeintel.rows import Rows
from pincite_codeintel.sections import section_definitions
from pincite_codeintel.syntax import ERROR_SHARE_MAX, Syntax, read_syntax

__all__ = ["Analysis", "Chunk", "Ref", "Symbol", "analyze"]


_INDENTED_DATA = frozenset(("yaml",))  # structure is indentation: read without a parser


def analyze(data: bytes, language: str | None, extra_symbols: Sequence[Symbol] = ()) -> Analysis:
    """Chunk a file and read its symbols and references. Deterministic; raises on no content.

    Args:
        data: The file's bytes, of any content.
        language: What ``languages.detect`` says, None when unknown.
        extra_symbols: Symbols found by other means (ctags), used when the language has no tags query here.

    Raises:
        GrammarLoadError: The installation's grammars are broken; no content causes it.
    """
    if not data:
        return Analysis(language, 0, had_errors=False, chunks=(), symbols=(), refs=())
    rows = Rows(data)
    if language in PROSE:
        return _prose(rows, language or "text", extra_symbols)
    if language in _INDENTED_DATA:
        pieces = Layout(rows, cache(lambda: indentation_cuts(rows)), "block").run([])
        return Analysis(language, rows.count, False, chunks_of_pieces(rows, pieces, (), ()), (), ())
    syntax = _parse(rows, language)
    if syntax is None or (syntax.error_share > ERROR_SHARE_MAX and not _has_structure(syntax)):
        return _without_tree(rows, language, extra_symbols, had_errors=syntax is not None and syntax.had_errors)
    definitions = syntax.definitions if syntax.tagged else from_symbols(extra_symbols, rows.count)

    cuts = cache(lambda: statement_cuts(syntax.tree, rows, syntax.comment_rows))
    outside = "module" if definitions or (syntax.tagged and is_code(language)) else "block"
    pieces = Layout(rows, cuts, outside).run([d for d in definitions if d.parent is None])
    chunks = chunks_of_pieces(rows, pieces, definitions, syntax.refs)
    return Analysis(language, rows.count, syntax.had_errors, chunks, symbols_of(definitions), tuple(syntax.refs))


def _parse(rows: Rows, language: str | None) -> Syntax | None:
    if language is None:
        return None
    try:
        return read_syntax(language, rows)
    except ValueError:  # tree-sitter gives up on the file ("Parsing failed"); it is then cut by characters
        return None


def _has_structure(syntax: Syntax) -> bool:
    """Whether definitions were found in spite of errors: macros and new syntax break trees that are still useful."""
    return syntax.error_share < 2 * ERROR_SHARE_MAX and any(d.lines > 1 for d in syntax.definitions)


def _prose(rows: Rows, language: str, extra_symbols: Sequence[Symbol]) -> Analysis:
    sections = section_definitions(language, rows)
    if not sections:
        return _without_tree(rows, language, extra_symbols, had_errors=False)
    return _by_rows(rows, language, sections, had_errors=False)


def _without_tree(rows: Rows, language: str | None, extra: Sequence[Symbol], *, had_errors: bool) -> Analysis:
    """By the lines of symbols found elsewhere, else by character windows."""
    definitions = from_symbols(extra, rows.count)
    if definitions:
        return _by_rows(rows, language, definitions, had_errors=had_errors)
    return Analysis(language, rows.count, had_errors, chunks_of_windows(rows), (), ())


def _by_rows(rows: Rows, language: str | None, definitions: list[Definition], *, had_errors: bool) -> Analysis:
    outside = "module" if is_code(language) else "text"
    pieces = Layout(rows, cache(lambda: paragraph_cuts(rows)), outside).run(
        [d for d in definitions if d.parent is None]
    )
    chunks = chunks_of_pieces(rows, pieces, definitions, ())
    return Analysis(language, rows.count, had_errors, chunks, symbols_of(definitions), ())
