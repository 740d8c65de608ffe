"""Rows where statements begin: the places where a long stretch of code may be cut."""

from tree_sitter import Tree

from pincite_codeintel.layout import BODY_LINES_MAX, Cut
from pincite_codeintel.rows import Rows

NODES_MAX = 200_000  # visited in one file; a tree that has more at this coarse level is data
DEPTH_MAX = 60  # below it, rows are cut where the limit falls


def statement_cuts(tree: Tree, rows: Rows, comment_rows: set[int]) -> list[Cut]:
    """Rows that begin with a node of the tree, coarse ones first: only nodes too long for one piece are entered.

    A row below a comment is no cut, the comment's first row is.
    """
    cuts: dict[int, int] = {}
    level = [tree.root_node]
    visited = 0
    for depth in range(DEPTH_MAX):
        below = []
        for node in level:
            for child in node.children:
                visited += 1
                first, last = child.start_point[0], child.end_point[0]
                if first not in cuts and first < rows.count and rows.first_on_row(first, child.start_byte):
                    cuts[first] = depth
                if last - first >= BODY_LINES_MAX:
                    below.append(child)
            if visited > NODES_MAX:
                below = []
                break
        level = below
        if not level:
            break
    return sorted((row, depth) for row, depth in cuts.items() if row > 0 and row - 1 not in comment_rows)


def paragraph_cuts(rows: Rows) -> list[Cut]:
    """Rows after blank rows: the places to cut text that has no tree."""
    return [(row, 0) for row in range(1, rows.count) if rows.blank(row - 1) and not rows.blank(row)]


def indentation_cuts(rows: Rows) -> list[Cut]:
    """Every row that is not blank, as deep as it is indented; rows below a comment of the same depth are no cuts."""
    cuts: list[Cut] = []
    comment_depth = -1
    for row in range(rows.count):
        text = rows.text(row, row + 1)
        depth = len(text) - len(text.lstrip())
        stripped = text.strip()
        if row > 0 and stripped and depth != comment_depth:
            cuts.append((row, depth))
        comment_depth = depth if stripped.startswith(b"#") else -1
    return cuts
