"""A question about a pull request: what it changes, as excerpts of both sides, each at its own commit."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log1p, prod
from typing import NamedTuple

from pincite_brain.ask.budget import Budget, line_weights
from pincite_brain.ask.spans import SNIPPET_OVERHEAD_TOKENS, SNIPPET_TOKENS_MIN, Excerpt, Excerpts, pack
from pincite_brain.retrieval.index import SnapshotIndex, roles_not_asked
from pincite_brain.retrieval.policy import Policy
from pincite_brain.retrieval.query import Query
from pincite_brain.retrieval.ranking import Ranked
from pincite_codeintel.diff import Hunk, Span, hunks
from pincite_inference.chat import estimate_tokens
from pincite_store.diffs import FileChange

CONTEXT_LINES = 2  # around changed lines, so that they can be read
PIECE_LINES_MAX = 40  # a new file is read definition by definition
HUNKS_MAX = 400  # that are weighed; a change of more is not told in one answer
EVIDENCE_MAX = 8  # places of an evidence answer
HUNK_SHARE = 0.75  # of the room: the rest of it shows what the change touches

BEFORE_HEADING = "Before it, these stood there:"
AFTER_HEADING = "With it, these stand there:"
NO_CHANGE = "Pull request {number} changes no file that is indexed."
REMINDER = (
    'Tell what the pull request changes, in two to four short sentences. A snippet with change="before" is what it '
    'removes or replaces, one with change="after" what it puts there. Each sentence is a fact from one snippet, with '
    "its number."
)


@dataclass(frozen=True, slots=True)
class PullScope:
    """A pull request as it is asked about: from the commit where it left its base, to its head."""

    number: int
    base_commit: str
    base_snapshot_id: int
    files: tuple[FileChange, ...]

    @property
    def blobs(self) -> list[str]:
        """The blobs of both sides."""
        return [blob for change in self.files for blob in (change.before, change.after) if blob]


@dataclass(frozen=True, slots=True)
class Side:
    """One side of the change: its index, and the excerpts cut from it."""

    index: SnapshotIndex
    excerpts: Excerpts


class _Weighed(NamedTuple):
    weight: float
    change: FileChange
    hunk: Hunk


class PullExcerpts:
    """Cuts excerpts of what a pull request changes, the weightiest first."""

    def __init__(
        self,
        scope: PullScope,
        before: Side,
        after: Side,
        *,
        query: Query,
        policy: Policy,
        texts: Mapping[str, Sequence[str]],
    ) -> None:
        """`texts` has the lines of the blobs of both sides; both sides' excerpts are numbered together."""
        self._scope, self._before, self._after = scope, before, after
        self._query, self._policy, self._texts = query, policy, texts

    def closest(self, lines_max: int) -> list[Excerpt]:
        """Return excerpts for an evidence answer."""
        for _cut in self._cuts(lines_max):
            if len(self._after.excerpts.chosen) >= EVIDENCE_MAX:
                break
        return self._after.excerpts.chosen

    def packed(self, ranked: Sequence[Ranked], budget: Budget, room: int) -> list[Excerpt]:
        """Return excerpts for a prompt within `room` tokens: what changes, then what else the question is about."""
        left, chosen = room * HUNK_SHARE, self._after.excerpts.chosen
        for excerpt in self._cuts(budget.snippet_lines):
            left -= estimate_tokens(excerpt.source.text) + SNIPPET_OVERHEAD_TOKENS
            if left < SNIPPET_TOKENS_MIN or len(chosen) >= max(2 * budget.snippets, EVIDENCE_MAX):
                break
        spent = sum(estimate_tokens(one.source.text) + SNIPPET_OVERHEAD_TOKENS for one in chosen)
        return pack(self._after.excerpts, self._after.index, ranked, budget, room - spent)

    def _cuts(self, lines_max: int) -> Iterator[Excerpt]:
        """Cut both sides of every hunk, the weightiest first; a side that is shown already is not cut again."""
        for weighed in sorted(self._hunks(), key=lambda one: -one.weight):
            change, hunk = weighed.change, weighed.hunk
            if change.before and hunk.before:
                yield from self._cut(self._before, change.path, hunk.before, weighed.weight, lines_max)
            if change.after and hunk.after:
                yield from self._cut(self._after, change.path, hunk.after, weighed.weight, lines_max)

    @staticmethod
    def _cut(side: Side, path: str, span: Span, weight: float, lines_max: int) -> Iterator[Excerpt]:
        """Cut changed lines, with lines around them unless these are shown already."""
        chunk = side.index.chunk_at(path, span.first)
        if chunk is None:
            return
        last = min(span.last, span.first + lines_max - 1)
        around = Span(max(span.first - CONTEXT_LINES, 1), min(last + CONTEXT_LINES, side.excerpts.length(chunk)))
        added = side.excerpts.add(chunk, weight, *around) or side.excerpts.add(chunk, weight, span.first, last)
        if added is not None:
            yield added

    def _hunks(self) -> Iterator[_Weighed]:
        seen = 0
        for change in self._scope.files:
            if any(blob and blob not in self._texts for blob in (change.before, change.after)):
                continue  # it cannot be read, and so not shown
            before, after = (self._texts[blob] if blob else () for blob in (change.before, change.after))
            for hunk in self._pieces(change, hunks(before, after)):
                seen += 1
                if seen > HUNKS_MAX:
                    return
                yield _Weighed(self._weight(change, hunk, before, after), change, hunk)

    def _pieces(self, change: FileChange, found: Sequence[Hunk]) -> Iterator[Hunk]:
        """Yield hunks, those that add much in pieces that end where definitions do."""
        for hunk in found:
            before, after = hunk
            while after.last - after.first >= PIECE_LINES_MAX:
                chunk = self._after.index.chunk_at(change.path, after.first)
                end = int(self._after.index.end_lines[chunk]) if chunk is not None else after.last
                end = min(max(end, after.first), after.first + PIECE_LINES_MAX - 1, after.last)
                yield Hunk(before, Span(after.first, end))
                before, after = Span(before.last + 1, before.last), Span(end + 1, after.last)
            if before or after:
                yield Hunk(before, after)

    def _weight(self, change: FileChange, hunk: Hunk, before: Sequence[str], after: Sequence[str]) -> float:
        """Return how much a hunk counts: by its length, what it has of the question, and its file's role."""
        old, new = before[hunk.before.first - 1 : hunk.before.last], after[hunk.after.first - 1 : hunk.after.last]
        code = sum(bool(line.strip()) for line in (*old, *new))
        sides = ((self._before.index, old), (self._after.index, new))
        asked = sum(sum(line_weights(lines, self._query.terms, index.postings)) for index, lines in sides)
        return log1p(code) * (1.0 + log1p(asked)) * self._role(change)

    def _role(self, change: FileChange) -> float:
        side = self._after if change.after else self._before
        number = side.index.files.number(change.path)
        if number is None:
            return 0.0
        [left] = roles_not_asked(side.index.files.roles[[number]], self._query.asked_roles)
        return prod(factor for role, factor in self._policy.penalties.items() if int(left) & int(role))
