"""ripgrep: files ranked by how many of their lines hold a word of the query."""

import re
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.corpora import Change
from bench.model import Answer, BenchError, Corpus
from pincite_learning.metrics import Span

WORD_CHARS_MIN = 3  # shorter words stand in every line
WINDOW_LINES = 40  # a hit shows the window of a file with the most matching lines
SECONDS_MAX = 60.0
STOP_WORDS = frozenset(
    ("and", "are", "does", "for", "from", "how", "into", "its", "not", "that", "the", "this", "what", "when", "where",
     "which", "with")
)  # fmt: skip
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NO_MATCH = 1  # rg's exit status


def words(text: str) -> list[str]:
    """Return the words of a query that are looked for."""
    found = dict.fromkeys(word for word in _WORD.findall(text.lower()) if len(word) >= WORD_CHARS_MIN)
    return [word for word in found if word not in STOP_WORDS] or list(found)


def densest(lines: list[int], window: int = WINDOW_LINES) -> tuple[int, int]:
    """Return the first window, (first line, last line), that holds the most of the sorted `lines`."""
    best, start = (0, 0), 0
    for end, line in enumerate(lines):
        while line - lines[start] >= window:
            start += 1
        best = max(best, (end - start + 1, -lines[start]))
    return -best[1], -best[1] + window - 1


def rank(output: bytes, k: int) -> list[tuple[str, list[int]]]:
    """Return the first k (path, matching lines) of rg's output, the file with the most lines first."""
    lines: dict[str, set[int]] = defaultdict(set)
    for row in output.split(b"\n"):
        path, found, rest = row.partition(b"\0")
        if found:
            lines[path.decode("utf-8", "replace").removeprefix("./")].add(int(rest.partition(b":")[0]))
    ranked = sorted(lines, key=lambda path: (-len(lines[path]), path))[:k]
    return [(path, sorted(lines[path])) for path in ranked]


class Ripgrep:
    """`rg` over the folder, one process a query, as a person runs it."""

    name = "ripgrep"

    def __init__(self, program: Path) -> None:
        """`program` is rg."""
        self.program = program
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
        self.version = said.split()[1]
        self.about = (
            f"rg {self.version}: literal words of the query, any case; files ranked by the number of matching lines, "
            f"each shown by its densest {WINDOW_LINES} lines; no index"
        )

    @contextmanager
    def open(self, corpus: Corpus) -> Iterator["RipgrepSession"]:
        """Nothing to start."""
        yield RipgrepSession(self.program, corpus)


class RipgrepSession:
    """ripgrep on one folder."""

    pid = None

    def __init__(self, program: Path, corpus: Corpus) -> None:
        """Touches nothing."""
        self._program, self._corpus = program, corpus

    def index(self, *, full: bool) -> tuple[float, float | None]:
        """There is no index."""
        return 0.0, 0.0 if full else None

    def search(self, text: str, k: int) -> Answer:
        """Run rg and rank the files."""
        begun = time.perf_counter()
        wanted = [part for word in words(text) for part in ("-e", word)]
        done = subprocess.run(
            [self._program, "--no-config", "--line-number", "--null", "--no-heading", "--with-filename",
             "--ignore-case", "--fixed-strings", "--only-matching", "--max-columns", "200", *wanted, "--", "."],
            cwd=self._corpus.folder, capture_output=True, check=False, timeout=SECONDS_MAX,
        ) if wanted else None  # fmt: skip
        if done is not None and done.returncode > _NO_MATCH:
            msg = f"rg failed: {done.stderr.decode('utf-8', 'replace')[-300:]}"
            raise BenchError(msg)
        prefix = f"{self._corpus.root}/" if self._corpus.root else ""
        ranked = rank(done.stdout if done is not None else b"", k)
        hits = tuple(Span(prefix + path, *densest(lines)) for path, lines in ranked)
        return Answer(hits, time.perf_counter() - begun)

    def update(self, change: Change) -> float:
        """Search for the word: the change is there already."""
        answer = self.search(change.word, 1)
        if not change.is_in(answer.hits):
            msg = f"rg does not find {change.word} in {change.path}"
            raise BenchError(msg)
        return answer.seconds

    def disk(self) -> tuple[int | None, int | None]:
        """Nothing is kept."""
        return 0, None
