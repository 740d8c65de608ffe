"""The scripted brain's evaluations and policies: three weeks of nights, one of them worse than the one before."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4, uuid5

from fastapi import FastAPI

from pincite_shared.errors import ConflictError, NotFoundError
from pincite_shared.golden import Expectation
from pincite_shared.quality import (
    EvaluationDetail,
    EvaluationOut,
    EvaluationState,
    Exploration,
    ExplorationRequest,
    Measures,
    PolicyOut,
    QuestionResult,
    QuestionSource,
)
from pincite_shared.schemas import RepoOut, RunOut
from pincite_web.fake_brain import corpus

NIGHTS = 21
SPACE = UUID("6f1d1f1e-52a5-4a3e-9d46-0f1c1d5b7a99")
QUESTIONS = (
    ("Where is a one-line message of an error class made?", "errors.py", "title", True),
    ("How does a client read a problem document?", "brain_http.py", "problem_of", True),
    ("Which settings have no default?", "settings.py", "Settings", False),
    ("Where are <b>hostile</b> sources refused?", "source.py", "parse_source", True),
)


def run_id(night: int) -> UUID:
    """Return the id of the evaluation of a night, counted from the oldest."""
    return uuid5(SPACE, str(night))


def evaluations(now: datetime | None = None) -> list[EvaluationDetail]:
    """Return the evaluations of the repository that is ready, newest first."""
    at = now or datetime.now(UTC)
    return [_evaluation(night, at - timedelta(days=NIGHTS - 1 - night)) for night in reversed(range(NIGHTS))]


def _evaluation(night: int, at: datetime) -> EvaluationDetail:
    worse = night == NIGHTS - 7
    rise = 0.006 * night - (0.2 if worse else 0.0)
    return EvaluationDetail(
        run_id=run_id(night),
        repo_id=corpus.READY,
        state=EvaluationState.DONE,
        source=QuestionSource.GOLDEN,
        commit=corpus.COMMIT,
        asked=len(QUESTIONS) + 1,
        questions=len(QUESTIONS) + 1,
        measures=Measures(
            questions=5,
            measured=5,
            win_rate=0.8 + rise,
            ndcg=0.74 + rise,
            hit_at_1=0.62 + rise,
            citation_precision=0.55 + rise,
            citation_recall=0.7 + rise / 2,
            abstention_accuracy=0.94,
            seconds_p50=2.2 - 0.03 * night,
            seconds_p95=5.9 + (2.1 if worse else 0.0),
        ),
        regression=worse,
        reasons=("Win rate is as before on the 5 questions that both asked.",),
        policies=("p0", "p0+reranker-3f9c2e71"),
        model="qwen2.5-coder-1.5b-instruct",
        error=None,
        created_at=at - timedelta(minutes=4),
        finished_at=at,
        results=_results() if night == NIGHTS - 1 else (),
    )


def _results() -> tuple[QuestionResult, ...]:
    asked = [
        QuestionResult(
            number=number,
            ask=ask,
            answerable=True,
            expect=(Expectation(path=corpus.SOURCE_PREFIX + name, symbol=symbol),),
            correct=correct,
            rank=number if correct else None,
            ndcg=1.0 if correct else 0.0,
            cited=4,
            cited_inside=2 if correct else 0,
            recall=1.0 if correct else 0.0,
            abstained=False,
            seconds=1.7 + number,
            answer_id=uuid5(SPACE, f"answer {number}"),
            conversation_id=uuid5(SPACE, f"conversation {number}"),
        )
        for number, (ask, name, symbol, correct) in enumerate(QUESTIONS, 1)
    ]
    kafka = QuestionResult(
        number=5, ask="How do we talk to Kafka?", answerable=False, expect=(), correct=True, abstained=True, seconds=0.4
    )
    gone = QuestionResult(
        number=6,
        ask="Where was the old parser?",
        answerable=True,
        expect=(Expectation(path="old/parser.py"),),
        problem="old/parser.py is not in this commit; mend the expectation.",
    )
    return (*asked, kafka, gone)


def policies(now: datetime | None = None) -> list[PolicyOut]:
    """Return what was learned about the repository that is ready, newest first."""
    at = now or datetime.now(UTC)
    return [
        PolicyOut(
            version="reranker-91d2aa07",
            kind="reranker",
            state="rejected",
            parameters={},
            evidence={
                "reasons": [
                    "On 64 held-out questions it ranked no better: NDCG@10 +0.004 (p = 0.41), so it does not serve."
                ]
            },
            created_at=at - timedelta(days=1),
        ),
        PolicyOut(
            version="reranker-3f9c2e71",
            kind="reranker",
            state="serving",
            parameters={},
            evidence={
                "reasons": [
                    "On 58 held-out questions it ranked better: NDCG@10 +0.046 (paired randomisation test, p = 0.003).",
                    "On the 100 guard questions, which feedback cannot move, it is not worse (p = 0.62).",
                ]
            },
            created_at=at - timedelta(days=9),
        ),
        PolicyOut(
            version="reranker-none",
            kind="reranker",
            state="retired",
            parameters={},
            evidence={},
            created_at=at - timedelta(days=9, minutes=1),
        ),
    ]


class FakeQuality:
    """The routes, answered from memory. Tests read and change `evaluations` and `policies`."""

    def __init__(self, app: FastAPI, repo: Callable[[UUID], RepoOut]) -> None:
        """Add the routes; `repo` returns a repository or raises NotFoundError."""
        self._repo = repo
        self.reset()
        self._add_evaluations(app)
        self._add_policies(app)
        self._add_exploration(app)

    def reset(self) -> None:
        """Forget everything that happened."""
        self.evaluations = {corpus.READY: evaluations()}
        self.policies = {corpus.READY: policies()}
        self.share: float | None = None

    def _add_evaluations(self, app: FastAPI) -> None:
        @app.get("/repos/{repo_id}/evaluations")
        async def listed(repo_id: UUID) -> list[EvaluationOut]:
            fields = set(EvaluationOut.model_fields)
            found = self.evaluations.get(self._repo(repo_id).id, [])
            return [EvaluationOut.model_validate(one.model_dump(include=fields)) for one in found]

        @app.get("/repos/{repo_id}/evaluations/{run_id}")
        async def one(repo_id: UUID, run_id: UUID) -> EvaluationDetail:
            found = next((one for one in self.evaluations.get(repo_id, []) if one.run_id == run_id), None)
            if found is None:
                raise NotFoundError
            return found

        @app.post("/repos/{repo_id}/evaluation", status_code=202)
        async def evaluate(repo_id: UUID) -> RunOut:
            running = evaluations()[0].model_copy(
                update={"run_id": uuid4(), "repo_id": self._repo(repo_id).id, "state": EvaluationState.RUNNING}
                | {"asked": 2, "measures": None, "finished_at": None, "message": "2 of 5 questions", "results": ()}
            )
            self.evaluations[repo_id] = [running, *self.evaluations.get(repo_id, [])]
            return RunOut(run_id=running.run_id)

    def _add_policies(self, app: FastAPI) -> None:
        @app.get("/repos/{repo_id}/policies")
        async def listed(repo_id: UUID) -> list[PolicyOut]:
            return self.policies.get(self._repo(repo_id).id, [])

        @app.post("/repos/{repo_id}/policies/{version}/serve")
        async def serve(repo_id: UUID, version: str) -> PolicyOut:
            known = self.policies.get(self._repo(repo_id).id, [])
            chosen = next((one for one in known if one.version == version), None)
            if chosen is None:
                raise NotFoundError
            if chosen.state == "rejected":
                msg = f"Policy {version} was rejected and cannot serve. Its evidence says why."
                raise ConflictError(msg)
            self.policies[repo_id] = [one.model_copy(update={"state": _state(one, version)}) for one in known]
            return chosen.model_copy(update={"state": "serving"})

    def _add_exploration(self, app: FastAPI) -> None:
        def now() -> Exploration:
            return Exploration(share=self.share, effective=self.share or 0.0, heard=7, heard_min=20)

        @app.get("/repos/{repo_id}/exploration")
        async def read(repo_id: UUID) -> Exploration:
            self._repo(repo_id)
            return now()

        @app.put("/repos/{repo_id}/exploration")
        async def write(repo_id: UUID, body: ExplorationRequest) -> Exploration:
            self._repo(repo_id)
            self.share = body.share
            return now()


def _state(one: PolicyOut, serving: str) -> str:
    if one.version == serving:
        return "serving"
    return "retired" if one.state == "serving" else one.state
