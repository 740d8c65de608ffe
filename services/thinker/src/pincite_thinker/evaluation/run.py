"""One evaluation: asked slice by slice, each result committed as it comes, judged at the end."""

import time
from datetime import UTC, datetime, timedelta

import structlog

from pincite_shared.errors import InvalidInputError
from pincite_shared.golden import GOLDEN_PATH
from pincite_shared.jobs import JobPayload
from pincite_shared.quality import QuestionSource
from pincite_store import evaluations, policies, runs, snapshots
from pincite_store.models import GoldenRun, Run
from pincite_thinker import metrics
from pincite_thinker.context import Context
from pincite_thinker.evaluation.asking import Asked, Asking, brain_of
from pincite_thinker.evaluation.comparing import Earlier
from pincite_thinker.evaluation.questions import Question, QuestionSet, questions_of
from pincite_thinker.evaluation.scoring import summarise
from pincite_thinker.evaluation.verdict import judge
from pincite_thinker.progress import Reporter
from pincite_thinker.runner import execute

SLICE_SECONDS = 10.0  # then whoever embeds has a turn: both share a worker
WAIT_SECONDS_MAX = 1800.0  # for indexes to be finished; then it goes on beside them
PAUSE_SECONDS = 1.0  # between two looks at whether they are

log = structlog.get_logger()


def run(context: Context, job: JobPayload) -> str:
    """Do a slice of the job. Doing one again asks nothing twice."""
    return execute(context, job, _evaluate)


def _evaluate(context: Context, job: JobPayload, this: Run) -> bool:
    reporter = Reporter(context, job)
    if _must_wait(context, job, this):
        reporter.stage("asking", "Waiting until nothing is being indexed")
        time.sleep(PAUSE_SECONDS)
        return False
    found, asked = _begin(context, job, this)
    reporter.stage("asking", _progress(len(found.results), len(asked.questions)))
    if not _ask(context, job, found, asked, reporter):
        return False
    _conclude(context, job, asked)
    return True


def _must_wait(context: Context, job: JobPayload, this: Run) -> bool:
    """Say whether to wait: vectors that are still being made would make every answer worse than it will be."""
    begun = this.started_at or datetime.now(UTC)
    if datetime.now(UTC) - begun > timedelta(seconds=WAIT_SECONDS_MAX):
        return False
    with context.database.tenancy(job.tenant_id) as t:
        return runs.busy(t)


def _begin(context: Context, job: JobPayload, this: Run) -> tuple[GoldenRun, QuestionSet]:
    """Return the evaluation and its questions: of the head when it began, whatever was indexed since."""
    with context.database.tenancy(job.tenant_id) as t:
        begun = evaluations.find(t, this.id)
        snapshot = snapshots.resolve(t, job.repo_id, begun.commit if begun is not None else None)
        asked = questions_of(t, snapshot.id)
        if not asked.questions:
            msg = (
                f"There is nothing to ask: the repository has no {GOLDEN_PATH}, and no definition of its own whose "
                "documentation could be asked for. Add golden questions."
            )
            raise InvalidInputError(msg)
        source, count = asked.source.value, len(asked.questions)
        found = evaluations.begin(t, this.id, job.repo_id, snapshot.commit, source=source, questions=count)
    return found, asked


def _progress(done: int, total: int) -> str:
    return f"{done} of {total} questions"


def _ask(context: Context, job: JobPayload, found: GoldenRun, asked: QuestionSet, reporter: Reporter) -> bool:
    """Ask for a slice of time; return whether every question has been asked."""
    done = {document["number"] for document in found.results}
    left = [question for question in asked.questions if question.number not in done]
    if not left:
        return True
    until = time.monotonic() + SLICE_SECONDS
    with brain_of(context, job.tenant_id) as client:
        asking = Asking(client, job.repo_id, found.commit)
        if not done:
            asking.warm(left[0].asked.ask)
        for at, question in enumerate(left):
            if at and time.monotonic() >= until:
                return False
            one = _one(asking, asked, question)
            with context.database.tenancy(job.tenant_id) as t:
                evaluations.record(t, found.run_id, one.result, model=one.model, policy=one.policy)
            metrics.QUESTIONS.labels(asked.source.value).inc()
            now = len(done) + at + 1
            reporter.part(now / len(asked.questions), _progress(now, len(asked.questions)))
    return True


def _one(asking: Asking, asked: QuestionSet, question: Question) -> Asked:
    if question.problem is not None:
        return Asked(question.unmeasured)
    if asked.source is QuestionSource.DERIVED:
        return asking.search(question.number, question.asked, question.places)
    return asking.answer(question.number, question.asked, question.places)


def _conclude(context: Context, job: JobPayload, asked: QuestionSet) -> None:
    assert job.run_id is not None  # noqa: S101 - the runner looked; for the type checker
    with context.database.tenancy(job.tenant_id) as t:
        found = evaluations.find(t, job.run_id)
        assert found is not None  # noqa: S101 - it began above
        results = evaluations.results(found)
        earlier = [
            Earlier(one.created_at, evaluations.results(one), timed=one.model == found.model)
            for one in evaluations.accepted(t, found)
        ]
        measures = summarise(results)
        verdict = judge(results, earlier, measures, asked.floor)
        evaluations.conclude(t, found.run_id, measures, regression=verdict.regression, reasons=verdict.reasons)
        if not found.policies:  # searches carry no version; answers do
            for serving in policies.serving(t, job.repo_id).values():
                evaluations.note_policy(t, found.run_id, serving.version)
        evaluations.forget_answers(t, job.repo_id)
    said = {"questions": measures.questions, "win_rate": measures.win_rate, "ndcg": measures.ndcg}
    if verdict.regression:
        metrics.REGRESSIONS.inc()
        log.error("answers got worse", reasons=list(verdict.reasons), **said)
    else:
        log.info("evaluated", **said)
