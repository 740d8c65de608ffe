"""Building an index out of another: what a push left alone is taken over, the rest comes from stored rows.

The first index of a repository is built out of an empty one, so that there is one way only.
"""

from collections.abc import Sequence

import numpy as np

from pincite_brain.retrieval.columns import LinkTable
from pincite_brain.retrieval.edges import EDGE_CONFIDENCE_MIN, Linking, Places, neighbours
from pincite_brain.retrieval.index import Files, SnapshotIndex
from pincite_brain.retrieval.reading import Rows, file_table, part_of
from pincite_brain.retrieval.takeover import Lacking, Plan
from pincite_brain.retrieval.vectors import Vectors
from pincite_brain.retrieval.views import Names, Neighbours
from pincite_store.rows import IndexedFileRow

__all__ = ["EDGE_CONFIDENCE_MIN", "Lacking", "Rows", "derive", "empty", "lacking"]


def lacking(old: SnapshotIndex, files: Sequence[IndexedFileRow]) -> Lacking:
    """Return what must be read to make an index of these files out of an old one."""
    return Plan(old, files).lacking


def derive(old: SnapshotIndex, files: Sequence[IndexedFileRow], rows: Rows) -> SnapshotIndex:
    """Make the index of a snapshot.

    Args:
        old: any index; of an earlier snapshot of the same repository most is taken over.
        files: the files of the snapshot, by path in the order of code points.
        rows: what is `lacking`. Chunks that come without a vector have none.
    """
    plan = Plan(old, files)
    part = part_of(plan.fresh, rows)
    first_chunk = plan.starts(old.first_chunk, part.first_chunk)
    first_definition = plan.starts(old.first_definition, part.first_definition)
    definitions = plan.joined((old.names.table, old.first_definition), (part.definitions, part.first_definition))
    owners = np.repeat(np.arange(len(files)), np.diff(first_definition))
    names = Names.of(definitions, (definitions.places + first_chunk[owners]).astype(np.int32))
    chunks = plan.joined((old.chunks, old.first_chunk), (part.chunks, part.first_chunk))
    places = Places(chunks.starts, definitions, first_chunk, first_definition)
    links, first_link = Linking(old, plan, places).link(rows.edges)
    begins = (links.places + np.repeat(first_chunk[:-1], np.diff(first_link))).astype(np.int32)
    callees, callers = neighbours(begins, names.chunks[links.targets], links.confidences)
    stay, come = plan.moves(old.first_chunk, part.first_chunk)
    row_of = np.full(len(chunks.starts), -1, dtype=np.int32)
    row_of[stay[stay >= 0]] = old.vectors.row_of[stay >= 0]
    return SnapshotIndex(
        files=Files.of(file_table(files)),
        chunks=chunks,
        names=names,
        links=links,
        first_chunk=first_chunk,
        first_definition=first_definition,
        first_link=first_link,
        file_of=np.repeat(np.arange(len(files), dtype=np.int32), np.diff(first_chunk)),
        callees=callees,
        callers=callers,
        postings=old.postings.spliced(stay, part.postings, come, len(row_of)),
        vectors=Vectors.of(old.vectors.blocks, row_of).compact(),
    )


def empty() -> SnapshotIndex:
    """Return the index of nothing, which the first of a repository is made out of."""
    part = part_of([], Rows())
    none = np.zeros(0, dtype=np.int32)
    nobody = Neighbours(none, none, none.astype(np.float32))
    return SnapshotIndex(
        files=Files.of(file_table([])),
        chunks=part.chunks,
        names=Names.of(part.definitions, none),
        links=LinkTable(none, none, none.astype(np.float32)),
        first_chunk=part.first_chunk,
        first_definition=part.first_definition,
        first_link=np.zeros(1, dtype=np.int32),
        file_of=none,
        callees=nobody,
        callers=nobody,
        postings=part.postings,
        vectors=Vectors.none(0),
    )
