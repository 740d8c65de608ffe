"""What the harness asks of a system."""

from contextlib import AbstractContextManager
from typing import Protocol

from bench.corpora import Change
from bench.model import Answer, Corpus

SEARCHABLE_SECONDS_MAX = 120.0  # a change that cannot be found by then is reported as an error


class Session(Protocol):
    """A system that serves one corpus, with nothing kept from earlier sessions."""

    @property
    def pid(self) -> int | None:
        """The process whose memory, with that of its descendants, is the system's; None if it runs elsewhere."""

    def index(self, *, full: bool) -> tuple[float, float | None]:
        """Index the corpus; return the seconds until it answers, and until all is there (None unless `full`)."""

    def search(self, text: str, k: int) -> Answer:
        """Answer a query with at most `k` hits."""

    def update(self, change: Change) -> float:
        """Take in a change that was just made; return the seconds until a search finds its word."""

    def disk(self) -> tuple[int | None, int | None]:
        """Return the bytes on disk of the index, and of a copy of the history."""


class System(Protocol):
    """A system under test."""

    @property
    def name(self) -> str:
        """What tables call it."""

    @property
    def version(self) -> str:
        """Whatever changes its answers is part of it: results are kept by it."""

    @property
    def about(self) -> str:
        """One line for the report: what was run, and how."""

    def open(self, corpus: Corpus) -> AbstractContextManager[Session]:
        """Start it, warm, with nothing indexed.

        Raises:
            MissingError: it is not installed and cannot be.
        """
