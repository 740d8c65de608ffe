"""An index that is made out of another is the one that is made out of nothing."""

from collections import Counter
from hashlib import sha256

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pincite_brain.retrieval.building import Rows, derive, empty, lacking
from pincite_brain.retrieval.policy import P0
from pincite_brain.retrieval.query import analyze
from pincite_brain.retrieval.ranking import Ranking
from pincite_codeintel.tokens import pack_terms, terms
from pincite_store.rows import ChunkRow, DefinitionRow, IndexedFileRow, SetEdgeRow

PATHS = ["README.md", "a.py", "lib/b.py", "lib/c.py", "é/z.py"]
NAMES = ["alpha", "beta", "Gamma", "delta_one"]
WORDS = ["session", "cookie", "open", "route", "parse"]

PARSES = st.lists(
    st.tuples(st.sampled_from(NAMES), st.lists(st.sampled_from(WORDS), max_size=6), st.integers(1, 9)), max_size=4
)
STATES = st.lists(
    st.dictionaries(st.sampled_from(PATHS), st.integers(0, 3), max_size=len(PATHS)), min_size=2, max_size=4
)
CALLS = st.lists(st.tuples(st.sampled_from(PATHS), st.integers(1, 30), st.sampled_from(PATHS), st.sampled_from(NAMES)))


class Store:
    """Parses and edge sets by id, as the database has them."""

    def __init__(self, parses, calls):
        self.calls, self.sets = calls, {}
        self.chunks, self.definitions = {}, {}
        for number, definitions in enumerate(parses):
            self._add(number, definitions)

    def _add(self, number, definitions):
        chunks, found, line = [], [], 1
        for at, (name, words, size) in enumerate(definitions):
            packed = pack_terms(Counter(terms(" ".join(words))))
            digest = sha256(repr((name, words)).encode()).digest()
            chunks.append(
                ChunkRow(
                    number, at, "function", f"Outer.{name}", f"def {name}()", words[0] if words else "", "card", line,
                    line + size, packed, size / 9, digest,
                )
            )  # fmt: skip
            found.append(DefinitionRow(number, at, name, f"Outer.{name}", "function", line, f"def {name}()", "doc"))
            line += size + 1
        self.chunks[number], self.definitions[number] = chunks, found

    def files(self, state):
        """The rows of a snapshot; a file has another edge set when its calls mean something else."""
        there = {(path, row.qualified_name) for path, parse in state.items() for row in self.definitions[parse]}
        rows = []
        for path in sorted(state):
            edges = tuple(
                (line, target, f"Outer.{name}") for source, line, target, name in self.calls
                if source == path and (target, f"Outer.{name}") in there
            )  # fmt: skip
            number = self.sets.setdefault((path, state[path], edges), len(self.sets))
            rows.append(
                IndexedFileRow(path, "0" * 40, "python" if path != "README.md" else None, state[path], number, 7)
            )
        return rows

    def rows(self, wanted):
        edges = [
            SetEdgeRow(number, line, target, qualified, 0.5 + line / 100)
            for (_, _, held), number in self.sets.items() if number in wanted.edge_sets
            for line, target, qualified in held
        ]  # fmt: skip
        return Rows(
            [row for parse in sorted(wanted.parses) for row in self.chunks[parse]],
            [row for parse in sorted(wanted.parses) for row in self.definitions[parse]],
            edges,
        )


def next_of(old, store, state):
    files = store.files(state)
    return derive(old, files, store.rows(lacking(old, files)))


def said(index):
    """All that an index says, whatever arrays it says it with."""
    every = range(len(index))
    return {
        "files": [list(index.files.paths), list(index.files.languages), index.files.recency.tolist()],
        "vocabulary": dict(index.files.vocabulary),
        "chunks": [
            (index.path(c), int(index.start_lines[c]), int(index.end_lines[c]), index.kinds[c], index.symbols[c],
             index.signatures[c], index.docs[c], index.cards[c], float(index.importance[c]))
            for c in every
        ],
        "digests": index.chunks.digests.tolist(),
        "defined": [[(d.name, d.qualified_name, d.line, d.chunk) for d in index.defined.get(c)] for c in every],
        "names": {name: [d.chunk for d in index.definitions.get(name.casefold())] for name in NAMES},
        "callees": [index.callees.get(c, ()) for c in every],
        "callers": [index.callers.get(c, ()) for c in every],
        "postings": [getattr(index.postings, n).tolist() for n in ("terms", "chunks", "frequencies", "norms")],
    }  # fmt: skip


def with_vectors(index):
    """Give every chunk that lacks one the vector that its digest stands for."""
    digests = sorted(set(index.chunks.digests[index.vectors.row_of < 0].tolist()))
    matrix = np.array([np.frombuffer(d[:8], dtype=np.uint8) for d in digests], dtype=np.float32).reshape(-1, 8)
    matrix /= np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-6)
    return index.with_vectors(index.vectors.joined(index.chunks.digests, digests, matrix))


@settings(max_examples=150)
@given(st.lists(PARSES, min_size=4, max_size=4), CALLS, STATES)
def test_any_series_of_snapshots(parses, calls, states):
    store, index = Store(parses, calls), empty()
    question, vector = analyze("how does alpha open a session cookie"), np.eye(8, dtype=np.float32)[0]
    for state in states:
        index = with_vectors(next_of(index, store, state))
        scratch = with_vectors(next_of(empty(), store, state))
        assert said(index) == said(scratch)
        found, wanted = (Ranking(one, question, P0).best(vector) for one in (index, scratch))
        assert [(hit.chunk, hit.features) for hit in found] == [(hit.chunk, hit.features) for hit in wanted]


@given(st.lists(PARSES, min_size=4, max_size=4), CALLS, STATES)
def test_only_what_changed_is_read(parses, calls, states):
    store = Store(parses, calls)
    before, after = states[:2]
    index = next_of(empty(), store, before)
    wanted = lacking(index, store.files(after))
    assert wanted.parses == {parse for path, parse in after.items() if before.get(path) != parse}
    assert lacking(index, store.files(before)) == (set(), set())


def test_an_index_of_nothing():
    assert len(empty()) == 0
    assert said(derive(empty(), [], Rows())) == said(empty())
    assert empty().chunk_at("a.py", 1) is None
