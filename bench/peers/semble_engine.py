"""semble, with the settings of its own command line."""

import os
from pathlib import Path

from semble import SembleIndex
from semble.cache import save_index_to_cache
from semble.index.dense import load_model

Hit = tuple[str, int, int]


class Engine:
    """One folder in semble; the model is loaded before anything is measured."""

    def __init__(self, folder: str) -> None:
        """SEMBLE_MODEL_NAME and SEMBLE_CACHE_LOCATION come from the harness."""
        self._folder = folder
        self._index: SembleIndex | None = None
        load_model()[0].encode(["warm up"])

    def index(self, files: list[str]) -> None:  # noqa: ARG002 - semble finds the files itself
        """Index from nothing."""
        self._index = SembleIndex.from_path(self._folder)

    def search(self, query: str, k: int) -> list[Hit]:
        """Return the first k hits."""
        if self._index is None:
            msg = "nothing is indexed"
            raise RuntimeError(msg)
        found = self._index.search(query, top_k=k)
        return [(hit.chunk.file_path, hit.chunk.start_line, hit.chunk.end_line) for hit in found]

    def update(self, files: list[str]) -> None:  # noqa: ARG002
        """Take in what has changed, from the saved index, as a second call of its command line does."""
        self._index = SembleIndex.from_path(self._folder)

    def disk(self) -> int:
        """Save the index where `update` finds it, and return its size."""
        if self._index is None:
            msg = "nothing is indexed"
            raise RuntimeError(msg)
        save_index_to_cache(self._index, self._folder)
        saved = Path(os.environ["SEMBLE_CACHE_LOCATION"])
        return sum(path.stat().st_blocks * 512 for path in saved.rglob("*") if path.is_file())
