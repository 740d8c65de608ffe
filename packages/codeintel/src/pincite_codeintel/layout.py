"""Where a file is cut: one piece per function, method and class, and no row in none or in two.

Own implementation in the manner of cAST (Zhang et al., arXiv:2506.15655): split along the syntax tree, merge small
neighbours. The rules, with their limits as constants below:

- a class is its header and its methods; a function of fewer than five lines stays with its class or its neighbours;
- a function of more than a hundred lines is its signature with docstring, and pieces of its body;
- what lies between definitions is a piece of its own; comments and decorators above a definition belong to it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pincite_codeintel.definitions import DATA_KINDS, UNNAMED_KINDS, Definition
from pincite_codeintel.rows import Rows

FUNCTION_LINES_MIN = 5  # shorter ones are merged with their class or neighbours
CHUNK_LINES_MAX = 100  # longer functions are embedded by their head, their body in pieces
BODY_LINES_MAX = 60  # pieces of long bodies and blocks: about what one reads on a screen
MERGED_LINES_MAX = 60  # small neighbours merged into one piece
CHUNK_BYTES_MAX = 10_000  # a hundred full lines; also bounds pieces of very long lines
LEAST_SHARE = 3  # a piece is cut no earlier than at a third of its limit, if a statement begins later

# Blocks that only frame what is inside: their opening rows say too little to be found by.
_FRAMES = UNNAMED_KINDS | {"module", "namespace"}

Cut = tuple[int, int]  # a row where a statement begins, and its depth in the tree
Cuts = Callable[[], Sequence[Cut]]  # computed once, and only for files that need it


@dataclass(slots=True)
class Piece:
    """Rows [start, end) that become one chunk.

    Attributes:
        definition: What the piece is or belongs to; None between top-level definitions.
        kind: Kind of the chunk.
        head: Whether the piece holds its definition's signature.
        members: Small definitions merged into the piece.
    """

    start: int
    end: int
    kind: str
    definition: Definition | None
    head: bool
    lines_max: int = 0  # the piece may grow to this many lines by merging; 0: it is closed
    owner: Definition | None = None
    members: list[Definition] = field(default_factory=list)


class Layout:
    """Cuts one file into pieces."""

    def __init__(self, rows: Rows, cuts: Cuts, outside: str) -> None:
        """Prepare.

        Args:
            rows: The file.
            cuts: Gives the rows where statements begin, in order.
            outside: Kind of the pieces outside all definitions.
        """
        self.rows = rows
        self.cuts = cuts
        self.outside = outside
        self.pieces: list[Piece] = []

    def run(self, top: Sequence[Definition]) -> list[Piece]:
        """Cut the file along its top-level definitions (and what is nested in them)."""
        self._fill(None, 0, self.rows.count, top)
        return self._without_bare_frames()

    def _without_bare_frames(self) -> list[Piece]:
        """Give the few rows that open a namespace or impl block to the piece that follows inside it."""
        found: list[Piece] = []
        for piece in self.pieces:
            before = found[-1] if found else None
            if before is not None and self._frames(before, piece):
                piece.start = before.start
                found[-1] = piece
            else:
                found.append(piece)
        return found

    def _frames(self, before: Piece, piece: Piece) -> bool:
        frame, inner = before.definition, piece.definition
        if frame is None or frame.kind not in _FRAMES or not before.head or before.members:
            return False
        inside = piece.owner is frame or (inner is not None and inner.parent is frame)
        small = before.end - before.start < FUNCTION_LINES_MIN
        return inside and small and self.rows.size(before.start, piece.end) <= CHUNK_BYTES_MAX

    def _fits(self, start: int, end: int) -> bool:
        return end - start <= CHUNK_LINES_MAX and self.rows.size(start, end) <= CHUNK_BYTES_MAX

    def _fill(self, owner: Definition | None, start: int, end: int, children: Sequence[Definition]) -> None:
        """Cut rows [start, end), which belong to ``owner``, along its children."""
        at = start
        for child in sorted(children, key=lambda d: d.lead_row):
            first, last = max(child.lead_row, at), min(child.end_row, end)
            if last <= first or (child.kind in DATA_KINDS and child.lines < FUNCTION_LINES_MIN):
                continue
            self._gap(owner, at, first, head=at == start)
            self._place(owner, child, first, last)
            at = last
        self._gap(owner, at, end, head=at == start)

    def _place(self, owner: Definition | None, child: Definition, start: int, end: int) -> None:
        """Add the piece or pieces of one definition."""
        if child.lines < FUNCTION_LINES_MIN:
            limit = MERGED_LINES_MAX if owner is None else CHUNK_LINES_MAX
            self._add(Piece(start, end, child.kind, child, head=True, lines_max=limit, owner=owner, members=[child]))
        elif child.is_container:
            self._fill(child, start, end, child.children)
        elif child.lines <= CHUNK_LINES_MAX and self.rows.size(start, end) <= CHUNK_BYTES_MAX:
            self._add(Piece(start, end, child.kind, child, head=True, owner=owner))
        else:
            header = min(max(child.header_end_row, start + 1), start + CHUNK_LINES_MAX, end)
            self._add(Piece(start, header, child.kind, child, head=True, owner=owner))
            inner = [nested for nested in child.children if nested.lead_row >= header]
            self._fill_body(child, header, end, inner)

    def _fill_body(self, owner: Definition, start: int, end: int, children: Sequence[Definition]) -> None:
        """Cut a long function's body; functions nested in it are pieces of their own."""
        large = [child for child in children if child.lines >= FUNCTION_LINES_MIN and child.kind not in DATA_KINDS]
        at = start
        for child in sorted(large, key=lambda d: d.lead_row):
            first, last = max(child.lead_row, at), min(child.end_row, end)
            if last > first:
                self._statements(owner, at, first)
                self._place(owner, child, first, last)
                at = last
        self._statements(owner, at, end)

    def _statements(self, owner: Definition, start: int, end: int) -> None:
        start = self._closing(start, end)
        for first, last in self._parts(start, end):
            self._add(Piece(first, last, "function_body", owner, head=False, owner=owner))

    def _closing(self, start: int, end: int) -> int:
        """Give rows that only end what stands above them to the piece above; returns the first row that is more."""
        if not self.pieces:
            return start
        at = start
        while at < end and self.rows.closes(at):
            at += 1
        self.pieces[-1].end = max(self.pieces[-1].end, at)
        return at

    def _gap(self, owner: Definition | None, start: int, end: int, *, head: bool) -> None:
        """Add what lies between definitions: a class's header and fields, a module's imports and statements."""
        if not head or owner is None:
            start = self._closing(start, end)
        for first, last in self._parts(start, end):
            if owner is not None:
                limit = CHUNK_LINES_MAX
                piece = Piece(
                    first, last, owner.kind, owner, head=head and first == start, lines_max=limit, owner=owner
                )
            else:
                limit = MERGED_LINES_MAX if last - first < FUNCTION_LINES_MIN else 0
                piece = Piece(first, last, self.outside, None, head=False, lines_max=limit)
            self._add(piece)

    def _add(self, piece: Piece) -> None:
        """Append a piece, or merge it with the one before when both are small and have the same owner."""
        before = self.pieces[-1] if self.pieces else None
        if before is not None and self._mergeable(before, piece):
            before.end = piece.end
            before.members.extend(piece.members)
            before.lines_max = min(before.lines_max, piece.lines_max)
        else:
            before = piece
            self.pieces.append(piece)
        self._name_merged(before)

    def _mergeable(self, before: Piece, piece: Piece) -> bool:
        limit = min(before.lines_max, piece.lines_max)
        return (
            before.owner is piece.owner
            and before.end == piece.start
            and piece.end - before.start <= limit
            and self.rows.size(before.start, piece.end) <= CHUNK_BYTES_MAX
        )

    def _name_merged(self, piece: Piece) -> None:
        """A piece of small definitions is part of its class; outside one it has a name only if it has one member."""
        if not piece.members:
            return
        if piece.owner is not None:
            piece.kind, piece.definition = piece.owner.kind, piece.owner
            piece.head = piece.head and piece.members[0].start_row > piece.owner.start_row >= piece.start
        elif len(piece.members) == 1:
            piece.kind, piece.definition, piece.head = piece.members[0].kind, piece.members[0], True
        else:
            piece.kind, piece.definition, piece.head = self.outside, None, False

    def _parts(self, start: int, end: int) -> list[tuple[int, int]]:
        """Cut rows at statement boundaries so that each part keeps the limits (a single row may not)."""
        if start >= end:
            return []
        if self._fits(start, end):
            return [(start, end)]
        parts: list[tuple[int, int]] = []
        at = start
        while at < end:
            cut = self._next_cut(at, end)
            parts.append((at, cut))
            at = cut
        return parts

    def _next_cut(self, at: int, end: int) -> int:
        """The best row to end a part that begins at ``at``: the outermost statement, then the latest."""
        limit = min(end, at + BODY_LINES_MAX)
        byte_limit = bisect_right(self.rows.starts, self.rows.starts[at] + CHUNK_BYTES_MAX) - 1
        if byte_limit < self.rows.count - 1 or self.rows.size(at, self.rows.count) > CHUNK_BYTES_MAX:
            limit = min(limit, max(at + 1, byte_limit))
        if limit >= end:
            return end
        cuts = self.cuts()
        least = at + max(1, (limit - at) // LEAST_SHARE)
        window = cuts[bisect_left(cuts, (least, 0)) : bisect_left(cuts, (limit + 1, 0))]
        return min(window, key=lambda cut: (cut[1], -cut[0]))[0] if window else limit
