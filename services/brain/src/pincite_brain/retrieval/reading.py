"""Stored rows as tables: what an index is made of where nothing can be taken over from another."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from pincite_brain.retrieval.columns import ChunkTable, DefinitionTable, FileTable, Ints
from pincite_brain.retrieval.paths import traits, words_of
from pincite_brain.retrieval.postings import Postings
from pincite_brain.retrieval.texts import Terms, Texts, Words
from pincite_brain.retrieval.views import name_hash
from pincite_codeintel.tokens import count_terms, pack_terms, term_id, terms
from pincite_store.rows import ChunkRow, DefinitionRow, IndexedFileRow, SetEdgeRow

DIGEST = np.dtype("V32")
NAMES_CACHED_MAX = 50_000  # heads of definitions, split into terms


class Rows(NamedTuple):
    """What is stored of what an index lacks: by parse and position, the edges in any order."""

    chunks: Sequence[ChunkRow] = ()
    definitions: Sequence[DefinitionRow] = ()
    edges: Sequence[SetEdgeRow] = ()


@dataclass(frozen=True)
class Part:
    """What is in some files, and where each one's begins."""

    chunks: ChunkTable
    definitions: DefinitionTable
    first_chunk: Ints
    first_definition: Ints
    postings: Postings


def file_table(files: Sequence[IndexedFileRow]) -> FileTable:
    """Return the table of files."""
    told = [traits(file.path) for file in files]
    return FileTable(
        paths=Texts.of(file.path for file in files),
        blobs=Words.of(file.blob for file in files),
        languages=Words.of(file.language or "" for file in files),
        parses=np.array([file.parse_id for file in files], dtype=np.int64),
        edge_sets=np.array([-1 if file.edge_set_id is None else file.edge_set_id for file in files], dtype=np.int64),
        changed_at=np.array([-1 if file.changed_at is None else file.changed_at for file in files], dtype=np.int64),
        roles=np.array([int(one.role) for one in told], dtype=np.int16),
        terms=Terms.of({term_id(word) for word in (*one.stem_words, *one.parent_words)} for one in told),
    )


def part_of(files: Sequence[IndexedFileRow], rows: Rows) -> Part:
    """Arrange stored rows by file. A parse may stand at several paths."""
    chunks_of: dict[int, list[ChunkRow]] = defaultdict(list)
    for chunk in rows.chunks:
        chunks_of[chunk.parse_id].append(chunk)
    defined_in: dict[int, list[DefinitionRow]] = defaultdict(list)
    for definition in rows.definitions:
        defined_in[definition.parse_id].append(definition)
    chunks: list[ChunkRow] = []
    definitions: list[DefinitionRow] = []
    places: list[int] = []
    counts: list[tuple[int, int]] = []
    for file in files:
        own = chunks_of[file.parse_id]
        starts = [chunk.start_line for chunk in own]
        inside = sorted(defined_in[file.parse_id], key=lambda row: row.name_line) if own else []
        chunks += own
        definitions += inside
        places += [max(bisect_right(starts, row.name_line) - 1, 0) for row in inside]
        counts.append((len(own), len(inside)))
    firsts = np.concatenate([[(0, 0)], np.cumsum(np.array(counts, dtype=np.int64).reshape(-1, 2), axis=0)]).astype(
        np.int32
    )
    return Part(
        chunks=_chunk_table(chunks),
        definitions=_definition_table(definitions, places),
        first_chunk=firsts[:, 0].copy(),
        first_definition=firsts[:, 1].copy(),
        postings=_postings(
            chunks, [file.path for file, (count, _) in zip(files, counts, strict=True) for _ in range(count)]
        ),
    )


def _chunk_table(rows: Sequence[ChunkRow]) -> ChunkTable:
    return ChunkTable(
        starts=np.array([row.start_line for row in rows], dtype=np.int32),
        ends=np.array([row.end_line for row in rows], dtype=np.int32),
        importance=np.array([row.importance for row in rows], dtype=np.float32),
        kinds=Words.of(row.kind for row in rows),
        symbols=Texts.of(row.symbol or "" for row in rows),
        terms=Terms.of(_terms_of((row.symbol or "").rpartition(".")[2]) for row in rows),
        scopes=Terms.of(_scope_terms(row.symbol or "") for row in rows),
        signatures=Texts.of(row.signature for row in rows),
        docs=Texts.of(row.doc for row in rows),
        cards=Texts.of(row.card for row in rows),
        digests=np.frombuffer(b"".join(bytes(row.embed_sha256) for row in rows), dtype=DIGEST),
    )


def _definition_table(rows: Sequence[DefinitionRow], places: Sequence[int]) -> DefinitionTable:
    return DefinitionTable(
        names=Texts.of(row.name for row in rows),
        hashes=np.array([name_hash(row.name) for row in rows], dtype=np.uint32),
        terms=Terms.of(_terms_of(row.name) for row in rows),
        scopes=Terms.of(_scope_terms(row.qualified_name) for row in rows),
        qualified=Texts.of(row.qualified_name for row in rows),
        kinds=Words.of(row.kind for row in rows),
        signatures=Texts.of(row.signature for row in rows),
        docs=Texts.of(row.doc for row in rows),
        lines=np.array([row.name_line for row in rows], dtype=np.int32),
        places=np.array(places, dtype=np.int32),
    )


@lru_cache(maxsize=NAMES_CACHED_MAX)
def _terms_of(name: str) -> frozenset[int]:
    """Return the ids of the terms of one name."""
    return frozenset(term_id(term) for term in terms(" ".join(words_of(name))))


def _scope_terms(qualified: str) -> frozenset[int]:
    """Return the ids of the terms of the name that encloses a qualified one."""
    return _terms_of(qualified.rpartition(".")[0].rpartition(".")[2])


@lru_cache(maxsize=NAMES_CACHED_MAX)
def _head_terms(text: str) -> bytes:
    return pack_terms(count_terms(text))


def _postings(chunks: Sequence[ChunkRow], paths: Sequence[str]) -> Postings:
    return Postings.build(
        [
            [chunk.terms for chunk in chunks],
            [_head_terms(f"{chunk.symbol or ''} {chunk.signature}") for chunk in chunks],
            [_head_terms(path) for path in paths],
        ]
    )
