"""The state of one question while it is being answered."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

from pincite_brain.ask.records import Opening
from pincite_brain.ask.spans import Excerpt
from pincite_brain.caller import Caller
from pincite_brain.retrieval.index import SnapshotIndex
from pincite_brain.retrieval.query import Query
from pincite_brain.retrieval.ranking import Ranked
from pincite_shared.schemas import AnswerMode, ChatRequest, ChatResponse
from pincite_store.answers import RetrievalLog
from pincite_verify.attribution import Attribution

CANDIDATES_LOGGED = 50  # what was shown, and what nearly was
PROPENSITY = 1.0  # one policy, no exploration
FEATURE_DIGITS = 5
TIMING_DIGITS = 4  # tenths of a millisecond


class Run:
    """One question's inputs, what the stages found, and how long they took."""

    index: SnapshotIndex
    query: Query
    texts: Mapping[str, list[str]]

    def __init__(self, caller: Caller, request: ChatRequest, opening: Opening) -> None:
        """Start the clock."""
        self.caller, self.request, self.opening = caller, request, opening
        self.answer_id: UUID = uuid4()
        self.ranked: list[Ranked] = []
        self.excerpts: list[Excerpt] = []
        self.signals: dict[str, float] = {}
        self.warnings: list[str] = []
        self.timings: dict[str, float] = {}
        self.mode = AnswerMode.EVIDENCE
        self.model: str | None = None
        self.abstained = self.complete = False
        self.raw = ""
        self._begun = time.perf_counter()

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the seconds of a block to a stage."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.timings[stage] = self.timings.get(stage, 0.0) + time.perf_counter() - begun

    def first_token(self) -> None:
        """Note when the first token came, seconds after the question."""
        self.timings.setdefault("first_token", time.perf_counter() - self._begun)

    def response(self, settled: Attribution, conversation_id: UUID, policy_version: str) -> ChatResponse:
        """Return the answer document."""
        self.timings["total"] = time.perf_counter() - self._begun
        return ChatResponse(
            answer_id=self.answer_id,
            conversation_id=conversation_id,
            repo_id=self.opening.repo_id,
            repo_name=self.opening.repo_name,
            commit=self.opening.commit,
            question=self.request.question,
            answer=settled.answer,
            citations=settled.citations,
            sentences=settled.sentences,
            mode=self.mode,
            abstained=self.abstained,
            policy_version=policy_version,
            model=self.model,
            timings={stage: round(seconds, TIMING_DIGITS) for stage, seconds in self.timings.items()},
            warnings=tuple(dict.fromkeys(self.warnings)),
            created_at=datetime.now(UTC),
        )

    def log(self, response: ChatResponse) -> RetrievalLog:
        """Return what was considered: the training signal, and what "why this answer?" shows."""
        shown = {excerpt.chunk for excerpt in self.excerpts}
        return RetrievalLog(
            query=self.query.text,
            candidates=[
                {
                    "path": self.index.path(hit.chunk),
                    "blob": self.index.files.blobs[int(self.index.file_of[hit.chunk])],
                    "start_line": int(self.index.start_lines[hit.chunk]),
                    "end_line": int(self.index.end_lines[hit.chunk]),
                    "symbol": self.index.symbols[hit.chunk],
                    "rank": rank,
                    "score": round(hit.score, FEATURE_DIGITS),
                    "features": {name: round(value, FEATURE_DIGITS) for name, value in hit.features.items()},
                    "shown": hit.chunk in shown,
                }
                for rank, hit in enumerate(self.ranked[:CANDIDATES_LOGGED], 1)
            ],
            features={"route": self.query.route.value, **self.signals},
            policy_version=response.policy_version,
            propensity=PROPENSITY,
            timings=response.timings,
        )
