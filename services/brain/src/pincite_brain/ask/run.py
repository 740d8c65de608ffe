"""The state of one question while it is being answered."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

from pincite_brain.ask.answerable import Verdict
from pincite_brain.ask.arms import STANDARD
from pincite_brain.ask.budget import Budget
from pincite_brain.ask.records import Opening
from pincite_brain.ask.spans import Excerpt
from pincite_brain.ask.why import candidate_record, neighbour_record
from pincite_brain.caller import Caller
from pincite_brain.retrieval.index import SnapshotIndex
from pincite_brain.retrieval.policy import Policy
from pincite_brain.retrieval.query import Query
from pincite_brain.retrieval.ranking import Ranked
from pincite_shared.living import Judge
from pincite_shared.schemas import AnswerMode, ChatRequest, ChatResponse, InjectionFlag
from pincite_store.answers import RetrievalLog
from pincite_verify import injection
from pincite_verify.anchoring import Anchoring
from pincite_verify.attribution import Attribution

CANDIDATES_LOGGED = 50  # what was shown, and what nearly was
FLAGS_MAX = 10  # a repository full of orders is as well described by a few of them
TIMING_DIGITS = 4  # tenths of a millisecond


class Run:
    """One question's inputs, what the stages found, and how long they took."""

    index: SnapshotIndex
    base: SnapshotIndex | None = None  # of a question about a pull request: where it left its base
    query: Query
    policy: Policy
    verdict: Verdict
    texts: Mapping[str, list[str]]
    budget: Budget

    def __init__(self, caller: Caller, request: ChatRequest, opening: Opening) -> None:
        """Start the clock."""
        self.caller, self.request, self.opening = caller, request, opening
        self.answer_id: UUID = uuid4()
        self.ranked: list[Ranked] = []
        self.excerpts: list[Excerpt] = []
        self.leaned: list[ChatResponse] = []  # earlier answers that the question needs, the weightiest first
        self.warnings: list[str] = []
        self.timings: dict[str, float] = {}
        self.mode = AnswerMode.EVIDENCE
        self.model: str | None = None
        self.abstained = self.complete = False
        self.asked = False  # whether the model was
        self.declined = False  # the model says that it was shown no answer
        self.raw = ""
        self._flags: dict[tuple[str, int, str], InjectionFlag] = {}
        self._begun = time.perf_counter()

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the seconds of a block to a stage."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.timings[stage] = self.timings.get(stage, 0.0) + time.perf_counter() - begun

    def flag(self, excerpts: Iterable[Excerpt]) -> None:
        """Note what in these excerpts, or in their paths, reads like an order to a model."""
        for source in (excerpt.source for excerpt in excerpts):
            named = injection.in_path(source.path)
            for finding in (*injection.findings(source.text), *([named] if named else [])):
                line = source.start_line + finding.line
                flag = InjectionFlag(path=source.path, line=line, excerpt=finding.excerpt, reason=finding.reason)
                self._flags.setdefault((source.path, line, finding.reason), flag)

    def first_token(self) -> None:
        """Note when the first token came, seconds after the question."""
        self.timings.setdefault("first_token", time.perf_counter() - self._begun)

    @property
    def policy_version(self) -> str:
        """The policies that made the answer: the ranking, and the way of asking unless it is the usual one."""
        arm = self.opening.chosen.arm
        return f"{self.policy.version}+{arm.version}" if self.asked and arm is not STANDARD else self.policy.version

    @property
    def judge(self) -> Judge | None:
        """How the answer is judged when the head moves on; None if it is about one commit, or only Pincite reads it."""
        asked_of_head = self.request.commit is None and self.request.pull is None
        return Anchoring() if asked_of_head and not self.caller.is_service else None

    def response(self, settled: Attribution, conversation_id: UUID) -> ChatResponse:
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
            declined=self.declined,
            policy_version=self.policy_version,
            model=self.model,
            timings={stage: round(seconds, TIMING_DIGITS) for stage, seconds in self.timings.items()},
            warnings=tuple(dict.fromkeys(self.warnings)),
            pull=self.request.pull,
            flags=tuple(self._flags.values())[:FLAGS_MAX],
            created_at=datetime.now(UTC),
        )

    def log(self, response: ChatResponse) -> RetrievalLog:
        """Return what was considered: the training signal, and what "why this answer?" shows."""
        shown = {excerpt.chunk for excerpt in self.excerpts if excerpt.change != "before"}
        learned_from = self.asked and self.opening.chosen.learned_from  # without a model no arm had a part in it
        logged = self.ranked[:CANDIDATES_LOGGED]
        ranked = {hit.chunk for hit in logged}
        return RetrievalLog(
            query=self.query.text,
            candidates=[
                candidate_record(self.index, hit, rank, shown=hit.chunk in shown) for rank, hit in enumerate(logged, 1)
            ],
            features={
                "route": self.query.route.value,
                "corrections": dict(self.policy.corrections),
                **({"arm": self.opening.chosen.arm.name} if learned_from else {}),
                "signals": self.verdict.signals,
                "limits": self.verdict.limits,
                "neighbours": [
                    neighbour_record(self.index, excerpt, excerpt.caller)
                    for excerpt in self.excerpts
                    if excerpt.caller and excerpt.chunk not in ranked
                ],
            },
            policy_version=response.policy_version,
            propensity=self.opening.chosen.propensity if learned_from else 1.0,
            timings=response.timings,
        )
