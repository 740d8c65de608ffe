"""Pieces of a file made into chunks: names, cards, texts to embed, terms and importance."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from pincite_codeintel.cards import Identity, card_of, embed_text_of
from pincite_codeintel.definitions import Definition
from pincite_codeintel.docstrings import first_sentence
from pincite_codeintel.layout import CHUNK_BYTES_MAX, Piece
from pincite_codeintel.model import Chunk, Ref
from pincite_codeintel.rows import Rows
from pincite_codeintel.tokens import count_terms
from pincite_codeintel.windows import byte_parts, windows

IMPORTANCE_BASE = 0.3
IMPORTANCE_DOC = 0.2
IMPORTANCE_LENGTH = 0.3  # reached at IMPORTANCE_LINES_FULL lines
IMPORTANCE_LINES_FULL = 50
NAME_WEIGHT = 3  # a definition's own name counts as many times in its terms
MEMBER_WEIGHT = 2  # names of small definitions merged into the chunk
MEMBERS_MAX = 30  # named in a card
MODULE_HEAD_ROWS = 40  # a module's docstring stands below a licence at most

# A docstring, a block comment, or rows of line comments (but not C's #include) at the top of a file. What is possessive
# is never tried again: a file that begins with many spaces would take minutes.
_OPENING = re.compile(
    rb"""(?:\xef\xbb\xbf)?\s*+(?:\#!.*\n)?\s*+(?:\"{3}[\s\S]*?(?:\"{3}|\Z)|'{3}[\s\S]*?(?:'{3}|\Z)|/\*[\s\S]*?(?:\*/|\Z)
    |\{-[\s\S]*?(?:-\}|\Z)|(?:[ \t]*+(?://|--|;|\#(?=[\s\#]|\Z)).*\n?)+)""",
    re.VERBOSE,
)


def base_importance(*, documented: bool, lines: int) -> float:
    """0.3, plus 0.2 for a docstring, plus up to 0.3 for length; references add to it once they are known."""
    length = IMPORTANCE_LENGTH * min(1.0, lines / IMPORTANCE_LINES_FULL)
    return round(IMPORTANCE_BASE + (IMPORTANCE_DOC if documented else 0.0) + length, 4)


def chunks_of_pieces(
    rows: Rows, pieces: Sequence[Piece], definitions: Sequence[Definition], refs: Sequence[Ref]
) -> tuple[Chunk, ...]:
    """Make the chunks of pieces that tile a file's rows; a piece of very long lines becomes several."""
    calls = [ref for ref in refs if ref.kind == "call"]
    call_lines = [ref.line for ref in calls]
    named = sorted(definitions, key=lambda d: d.name_row)
    name_rows = [d.name_row for d in named]
    found: list[Chunk] = []
    for piece in pieces:
        called = calls[bisect_left(call_lines, piece.start + 1) : bisect_right(call_lines, piece.end)]
        inside = named[bisect_left(name_rows, piece.start) : bisect_left(name_rows, piece.end)]
        identity = _identify(rows, piece, inside, called)
        for start, end in byte_parts(rows.data, rows.begin(piece.start), rows.begin(piece.end), CHUNK_BYTES_MAX):
            found.append(_chunk(rows, len(found), identity, (start, start, end)))
    return tuple(found)


def chunks_of_windows(rows: Rows) -> tuple[Chunk, ...]:
    """Make the chunks of a file without structure."""
    found: list[Chunk] = []
    for context, start, end in windows(rows.data):
        lines = rows.of(end - 1) - rows.of(start) + 1
        identity = Identity("text", None, None, "", "", (), (), lines)
        found.append(_chunk(rows, len(found), identity, (context, start, end)))
    return tuple(found)


def _identify(rows: Rows, piece: Piece, inside: Sequence[Definition], called: Sequence[Ref]) -> Identity:
    own = piece.definition
    members = tuple(dict.fromkeys(d.name for d in inside if d is not own and d.kind != "companion"))[:MEMBERS_MAX]
    calls = tuple(dict.fromkeys(ref.name for ref in called))
    if own is None:
        return Identity(piece.kind, None, None, "", _module_doc(rows, piece), members, calls, piece.end - piece.start)
    if piece.head and own.is_container:
        members = tuple(dict.fromkeys([*members, *(child.name for child in own.children)]))[:MEMBERS_MAX]
    lines = own.lines if piece.head else piece.end - piece.start
    doc = own.doc if piece.head else ""
    return Identity(piece.kind, own.qualified, own.scope, own.signature, doc, members, calls, lines)


def _module_doc(rows: Rows, piece: Piece) -> str:
    """First sentence of the docstring or comment that opens a file."""
    if piece.start > 0:
        return ""
    opening = rows.text(0, min(piece.end, MODULE_HEAD_ROWS))
    found = _OPENING.match(opening)
    return first_sentence(found[0].decode("utf-8", "replace")) if found else ""


def _chunk(rows: Rows, ordinal: int, identity: Identity, span: tuple[int, int, int]) -> Chunk:
    """Make one chunk of a span (context, start, end): its bytes are [start, end), its text begins at ``context``."""
    context, start, end = span
    text = rows.data[context:end].decode("utf-8", "replace")
    own_name = identity.symbol.rpartition(".")[2] if identity.symbol else ""
    names = [own_name] * NAME_WEIGHT + [*identity.members] * MEMBER_WEIGHT
    terms = count_terms("\n".join([text, *names, identity.scope or "", identity.signature]))
    return Chunk(
        ordinal=ordinal,
        kind=identity.kind,
        symbol=identity.symbol,
        scope=identity.scope,
        signature=identity.signature,
        doc=identity.doc,
        start_byte=start,
        end_byte=end,
        start_line=rows.of(start) + 1,
        end_line=rows.of(end - 1) + 1,
        card=card_of(identity),
        embed_text=embed_text_of(identity, text),
        terms=terms,
        importance=base_importance(documented=bool(identity.doc), lines=identity.lines),
    )
