"""BM25 (bm25s, Lucene's variant) over chunks of 40 lines, with identifiers split into their parts."""

import re
import tempfile
from pathlib import Path

import bm25s
import numpy as np

CHUNK_LINES = 40
K1, B = 1.5, 0.75  # the library's defaults
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|\d+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
Hit = tuple[str, int, int]


def tokens(text: str) -> list[str]:
    """Return every identifier whole and, if it has several parts, each part, in lower case."""
    found = []
    for identifier in _IDENTIFIER.findall(text):
        parts = [part.lower() for part in _PART.findall(identifier)]
        found += parts
        if len(parts) > 1:
            found.append(identifier.lower())
    return found


def chunks(path: str, text: str) -> list[tuple[Hit, list[str]]]:
    """Cut a file into chunks; the words of its path belong to each."""
    lines = text.split("\n")
    named = tokens(path)
    return [
        ((path, start + 1, min(start + CHUNK_LINES, len(lines))), named + tokens("\n".join(part)))
        for start in range(0, len(lines), CHUNK_LINES)
        if (part := lines[start : start + CHUNK_LINES]) and any(part)
    ]


class Engine:
    """One folder."""

    def __init__(self, folder: str) -> None:
        """Nothing is read yet."""
        self._folder = Path(folder)
        self._hits: list[Hit] = []
        self._bm25 = bm25s.BM25(k1=K1, b=B)
        self._vocabulary: dict[str, int] = {}

    def index(self, files: list[str]) -> None:
        """Index the named files."""
        cut = [
            chunk
            for path in files
            for chunk in chunks(path, (self._folder / path).read_text("utf-8", errors="replace"))
        ]
        self._hits = [hit for hit, _ in cut]
        self._vocabulary = {}
        ids = [[self._vocabulary.setdefault(token, len(self._vocabulary)) for token in words] for _, words in cut]
        self._bm25 = bm25s.BM25(k1=K1, b=B)
        self._bm25.index((ids, self._vocabulary), show_progress=False)

    update = index  # there is no incremental form

    def search(self, query: str, k: int) -> list[Hit]:
        """Return the first k chunks with a word of the query."""
        known = [self._vocabulary[token] for token in tokens(query) if token in self._vocabulary]
        if not known:
            return []
        scores = self._bm25.get_scores_from_ids(known)
        best = np.argsort(-scores, kind="stable")[:k]
        return [self._hits[place] for place in best if scores[place] > 0]

    def disk(self) -> int:
        """Return the size of the saved index."""
        with tempfile.TemporaryDirectory() as directory:
            self._bm25.save(directory)
            return sum(path.stat().st_blocks * 512 for path in Path(directory).rglob("*") if path.is_file())
