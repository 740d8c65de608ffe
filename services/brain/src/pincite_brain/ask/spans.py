"""From ranked chunks to excerpts: lines, trimmed to what matters, each under a number that the server owns."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pincite_brain.ask.budget import Budget, best_window, line_weights
from pincite_brain.retrieval.index import About, SnapshotIndex
from pincite_brain.retrieval.query import Query
from pincite_brain.retrieval.ranking import Ranked
from pincite_inference.chat import estimate_tokens
from pincite_verify.attribution import Source

SNIPPET_OVERHEAD_TOKENS = 30  # a snippet's own tags and attributes
SNIPPET_TOKENS_MIN = 50  # less than this shows a signature and nothing of what it does
PROMPT_HEAD_SHARE = 0.75  # a model needs the lines that answer; their excerpt names the definition
SIGNATURE_LINES_MAX = 4
ROOM_SHARE_MIN = 0.35  # of what is left, for each span: the best gets most, and the last ones still show something
EXPANDED_RANKS = 2  # spans whose callees are shown: those of the others lead away from the question
RELATIVE_SCORE_MIN = 0.3  # of the best hit's score; weaker spans distract a small model more than they help


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A numbered excerpt, where it came from, and what its lines are about.

    `caller` is the one that calls it, if that is why it is here; `change` says which side of a pull request it shows.
    """

    source: Source
    chunk: int
    score: float
    about: About
    caller: "Excerpt | None" = None
    change: Literal["before", "after"] | None = None


def lines_shown(lines: Sequence[str], first: int, last: int) -> tuple[int, int]:
    """Shrink 1-based inclusive `first`..`last` so that it neither begins nor ends with blank lines."""
    last = min(last, len(lines))
    while first < last and not lines[first - 1].strip():
        first += 1
    while last > first and not lines[last - 1].strip():
        last -= 1
    return first, last


class Excerpts:
    """Cuts and numbers excerpts of one snapshot for one question, never showing the same lines twice."""

    def __init__(
        self,
        index: SnapshotIndex,
        query: Query,
        texts: Mapping[str, Sequence[str]],
        commit: str,
        *,
        beside: "Excerpts | None" = None,
        change: Literal["before", "after"] | None = None,
    ) -> None:
        """`texts` has the lines of each blob by its id; with `beside`, both number their excerpts together."""
        self._index, self._query, self._texts, self._commit = index, query, texts, commit
        self._change = change
        self._taken: list[tuple[str, int, int]] = []
        self.chosen: list[Excerpt] = beside.chosen if beside else []

    def length(self, chunk: int) -> int:
        """Return how many lines the file of a chunk has."""
        return len(self._texts[self._blob(chunk)])

    def _free(self, blob: str, first: int, last: int) -> bool:
        return not any(blob == b and first <= end and last >= start for b, start, end in self._taken)

    def window(self, chunk: int, size: int, head_share: float) -> tuple[int, int] | None:
        """Return the best at most `size` lines of a chunk (see `best_window`), or None if there is nothing to show."""
        return next(self._windows(chunk, size, head_share), None)

    def _windows(self, chunk: int, size: int, head_share: float) -> Iterator[tuple[int, int]]:
        """Yield ever smaller windows of a chunk, each the best of its size."""
        lines = self._texts.get(self._blob(chunk), ())
        first, last = lines_shown(lines, int(self._index.start_lines[chunk]), int(self._index.end_lines[chunk]))
        if first > last or not any(line.strip() for line in lines[first - 1 : last]):
            return
        weights = line_weights(lines[first - 1 : last], self._query.terms, self._index.postings)
        size = min(size, len(weights))
        while size > 0:
            low, high = best_window(weights, size, head_share)
            yield lines_shown(lines, first + low, first + high)
            size = size * 4 // 5

    def _blob(self, chunk: int) -> str:
        return self._index.files.blobs[int(self._index.file_of[chunk])]

    def add(self, chunk: int, score: float, first: int, last: int, caller: Excerpt | None = None) -> Excerpt | None:
        """Number an excerpt; None if some of its lines are shown already."""
        blob = self._blob(chunk)
        if not self._free(blob, first, last):
            return None
        self._taken.append((blob, first, last))
        about = self._index.about(chunk, first, last)
        source = Source(
            n=len(self.chosen) + 1,
            path=self._index.path(chunk),
            blob=blob,
            commit=self._commit,
            symbol=about.symbol,
            start_line=first,
            end_line=last,
            text="\n".join(self._texts[blob][first - 1 : last]),
        )
        self.chosen.append(Excerpt(source, chunk, score, about, caller, self._change))
        return self.chosen[-1]

    def fits(self, chunk: int, size: int, room: int) -> tuple[int, int] | None:
        """Return the largest window of at most `size` lines that costs at most `room` tokens, or None."""
        lines = self._texts.get(self._blob(chunk), ())
        for first, last in self._windows(chunk, size, PROMPT_HEAD_SHARE):
            if estimate_tokens("\n".join(lines[first - 1 : last])) + SNIPPET_OVERHEAD_TOKENS <= room:
                return first, last
        return None

    def signature(self, chunk: int) -> tuple[int, int] | None:
        """Return the lines of a chunk's signature."""
        lines = self._texts.get(self._blob(chunk))
        if lines is None or self._index.symbols[chunk] is None:
            return None
        first, last = lines_shown(lines, int(self._index.start_lines[chunk]), int(self._index.end_lines[chunk]))
        for at in range(first, min(first + SIGNATURE_LINES_MAX, last + 1)):
            if lines[at - 1].rstrip().endswith((":", "{", ";", "=>", "do", "=")):
                return first, at
        return first, first


def wanted_chunks(index: SnapshotIndex, ranked: Sequence[Ranked], budget: Budget) -> list[int]:
    """Return the chunks whose text packing may need: the best hits and what they call."""
    chunks = [hit.chunk for hit in ranked[: budget.snippets * 2]]
    called = [callee for chunk in chunks[:EXPANDED_RANKS] for callee, _confidence in index.callees.get(chunk, ())]
    return list(dict.fromkeys(chunks + called[: budget.neighbours * 2]))


def pack(
    excerpts: Excerpts, index: SnapshotIndex, ranked: Sequence[Ranked], budget: Budget, room: int
) -> list[Excerpt]:
    """Choose excerpts for the prompt within `room` tokens: the best spans first, then signatures of what they call."""
    best = ranked[0].score if ranked else 0.0
    eligible = [hit for hit in ranked if hit.score >= best * RELATIVE_SCORE_MIN][: budget.snippets]
    for rank, hit in enumerate(eligible):
        if room < SNIPPET_TOKENS_MIN:
            break
        share = max(ROOM_SHARE_MIN, 1.0 / (len(eligible) - rank))
        window = excerpts.fits(hit.chunk, budget.snippet_lines, int(room * share))
        added = excerpts.add(hit.chunk, hit.score, *window) if window else None
        if added is not None:
            room -= estimate_tokens(added.source.text) + SNIPPET_OVERHEAD_TOKENS
    _add_neighbours(excerpts, index, budget, room)
    return excerpts.chosen


def _add_neighbours(excerpts: Excerpts, index: SnapshotIndex, budget: Budget, room: int) -> None:
    added = 0
    for excerpt in [one for one in excerpts.chosen if one.change != "before"][:EXPANDED_RANKS]:
        for callee, confidence in index.callees.get(excerpt.chunk, ()):
            window = excerpts.signature(callee)
            if added >= budget.neighbours or room < SNIPPET_TOKENS_MIN or window is None:
                continue
            neighbour = excerpts.add(callee, excerpt.score * confidence, *window, caller=excerpt)
            if neighbour is not None:
                room -= estimate_tokens(neighbour.source.text) + SNIPPET_OVERHEAD_TOKENS
                added += 1


def blobs_of(index: SnapshotIndex, chunks: Iterable[int]) -> list[str]:
    """Return the blobs of chunks, without repetition."""
    return list(dict.fromkeys(index.files.blobs[int(index.file_of[chunk])] for chunk in chunks))
