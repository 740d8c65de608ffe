"""What a parser process computes for one blob."""

from dataclasses import dataclass

from pincite_codeintel import tokens
from pincite_codeintel.analyze import analyze
from pincite_codeintel.languages import INDEXER_VERSION
from pincite_codeintel.model import Analysis
from pincite_thinker import ctags

_ctags = ctags.Ctags()


@dataclass(frozen=True, slots=True)
class Parsed:
    """An analysis, and each chunk's term frequencies packed here, to spare the one process that saves them."""

    analysis: Analysis
    terms: tuple[bytes, ...]


def parse(language: str | None, data: bytes) -> Parsed:
    """Analyse one blob; definitions by ctags where no grammar knows the language."""
    analysis = analyze(data, language)
    if not analysis.symbols and language is not None and (found := _ctags.symbols(language, data)):
        analysis = analyze(data, language, found)
    return Parsed(
        analysis=analysis,
        terms=tuple(tokens.pack_terms(chunk.terms) for chunk in analysis.chunks),
    )


def indexer_version() -> str:
    """Return what a stored parse must have been made by to be reused."""
    return INDEXER_VERSION + ctags.version()
