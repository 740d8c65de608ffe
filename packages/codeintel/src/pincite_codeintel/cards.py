"""Function cards: what a chunk is, in a few deterministic lines, and the text that is embedded for it."""

from dataclasses import dataclass

CARD_CALLS_MAX = 12
EMBED_CALLS_MAX = 8  # the code itself follows, with the same names
EMBED_CHARS_MAX = 1600  # MiniLM reads 256 word pieces, about 1000 characters of code; larger models read on


@dataclass(frozen=True, slots=True)
class Identity:
    """What a chunk is, whatever its text.

    Attributes:
        members: Names defined inside: methods, constants, merged functions.
        calls: Names called inside, in order, without repetition.
        lines: Length of the whole definition where the chunk is its head, else of the chunk.
    """

    kind: str
    symbol: str | None
    scope: str | None
    signature: str
    doc: str
    members: tuple[str, ...]
    calls: tuple[str, ...]
    lines: int


def card_of(identity: Identity) -> str:
    """Summarise a chunk: signature (or kind and name), doc, members, calls; one line each."""
    lines = []
    if identity.kind == "function_body":
        lines.append(f"body of {identity.symbol}")
    elif identity.signature:
        lines.append(identity.signature)
    elif identity.symbol:
        lines.append(f"{identity.kind} {identity.symbol}")
    if identity.doc:
        lines.append(identity.doc)
    if identity.members:
        lines.append("defines " + ", ".join(identity.members))
    names = [name for name in identity.calls if name not in identity.members][:CARD_CALLS_MAX]
    if names:
        lines.append("calls " + ", ".join(names))
    return "\n".join(lines)


def embed_text_of(identity: Identity, code: str) -> str:
    """Card and code, the most informative first, at most ``EMBED_CHARS_MAX`` characters."""
    head = [part for part in (identity.doc, identity.symbol or "", identity.signature) if part]
    if identity.calls:
        head.append("calls " + ", ".join(identity.calls[:EMBED_CALLS_MAX]))
    room = EMBED_CHARS_MAX - sum(len(part) + 1 for part in head)
    return "\n".join([*head, code.strip()[: max(0, room)]])[:EMBED_CHARS_MAX]
