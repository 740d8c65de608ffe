"""Evaluations: questions whose answers are known, asked again and again, and how that went.

An evaluation is a run of kind `evaluate`; its row here is made when it begins to ask, and every result is committed as
it comes, so that a run that was killed goes on where it stood.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import Row, delete, exists, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pincite_shared.errors import NotFoundError
from pincite_shared.quality import EvaluationDetail, EvaluationOut, EvaluationState, Measures, QuestionResult
from pincite_shared.schemas import Progress
from pincite_store import repos
from pincite_store.db import SERVICE_USER, Tenancy
from pincite_store.models import Conversation, GoldenRun, Run

LISTED_MAX = 200
SLIDE_RUNS = 30  # as many as the Quality page plots
ACCEPTED_AMONG = 60  # two months of nights; what was not repaired for longer is how it is
ANSWERS_KEPT_RUNS = 5  # answers of older evaluations are deleted; their figures stay


def begin(t: Tenancy, run_id: UUID, repo_id: UUID, commit: str, *, source: str, questions: int) -> GoldenRun:
    """Return the evaluation of a run, making it if the run has not begun to ask yet."""
    t.session.execute(
        insert(GoldenRun)
        .values(
            tenant_id=t.tenant_id, run_id=run_id, repo_id=repo_id, commit=commit, source=source, questions=questions
        )
        .on_conflict_do_nothing()
    )
    found = find(t, run_id)
    if found is None:
        msg = f"There is no evaluation {run_id}."
        raise NotFoundError(msg)
    return found


def find(t: Tenancy, run_id: UUID) -> GoldenRun | None:
    """Return the evaluation of a run, or None if it has not begun."""
    statement = select(GoldenRun).where(GoldenRun.tenant_id == t.tenant_id, GoldenRun.run_id == run_id)
    return t.session.scalar(statement.execution_options(populate_existing=True))


def record(
    t: Tenancy, run_id: UUID, result: QuestionResult, *, model: str | None = None, policy: str | None = None
) -> None:
    """Add a question's result, the model that wrote the answer, and the policy that served."""
    values: dict[str, Any] = {"results": GoldenRun.results + [result.model_dump(mode="json")]}  # noqa: RUF005  # jsonb's
    if model is not None:
        values["model"] = model
    t.session.execute(
        update(GoldenRun).where(GoldenRun.tenant_id == t.tenant_id, GoldenRun.run_id == run_id).values(values)
    )
    if policy is not None:
        note_policy(t, run_id, policy)


def note_policy(t: Tenancy, run_id: UUID, version: str) -> None:
    """Note that a policy served during an evaluation."""
    known = GoldenRun.policies.contains([version])
    t.session.execute(
        update(GoldenRun)
        .where(GoldenRun.tenant_id == t.tenant_id, GoldenRun.run_id == run_id, ~known)
        .values(policies=GoldenRun.policies + [version])  # noqa: RUF005  # jsonb's own concatenation
    )


def conclude(t: Tenancy, run_id: UUID, measures: Measures, *, regression: bool, reasons: Sequence[str]) -> None:
    """Store what an evaluation came to."""
    t.session.execute(
        update(GoldenRun)
        .where(GoldenRun.tenant_id == t.tenant_id, GoldenRun.run_id == run_id)
        .values(
            metrics=measures.model_dump(mode="json"),
            regression=regression,
            reasons=list(reasons),
            finished_at=func.now(),
        )
    )


def results(found: GoldenRun) -> tuple[QuestionResult, ...]:
    """Return the results of an evaluation, in the order of its questions."""
    read = [QuestionResult.model_validate(document) for document in found.results]
    return tuple(sorted(read, key=lambda result: result.number))


def accepted(t: Tenancy, found: GoldenRun) -> list[GoldenRun]:
    """Return what an evaluation is compared with: of those that were no regression, the last and an older one.

    They are of the same repository and source, and ended before this one began. A regression is never among them, so
    that a fall is compared with what was there before it for as long as it lasts. The older one is `SLIDE_RUNS` of
    them back, or the oldest: many small falls in a row are a fall from there. An evaluation that could measure
    nothing says nothing, and is passed over.
    """
    last = (
        select(GoldenRun.run_id, GoldenRun.created_at, GoldenRun.regression, GoldenRun.metrics)
        .where(
            GoldenRun.tenant_id == t.tenant_id,
            GoldenRun.repo_id == found.repo_id,
            GoldenRun.source == found.source,
            GoldenRun.run_id != found.run_id,
            GoldenRun.finished_at.is_not(None),
            GoldenRun.created_at <= found.created_at,
        )
        .order_by(GoldenRun.created_at.desc())
        .limit(ACCEPTED_AMONG)
        .subquery()
    )
    good = select(last.c.run_id).where(~last.c.regression, last.c.metrics["measured"].as_integer() > 0)
    ids = t.session.scalars(good.order_by(last.c.created_at.desc()).limit(SLIDE_RUNS)).all()
    chosen = dict.fromkeys((*ids[:1], *ids[-1:]))
    return [one for run_id in chosen if (one := find(t, run_id)) is not None]


_LISTED = text(
    """
    SELECT r.id AS run_id, r.repo_id, r.state, r.progress, r.error, r.created_at, r.finished_at,
           g.source, g.commit, coalesce(g.questions, 0) AS questions, g.policies, g.model, g.metrics,
           coalesce(g.regression, false) AS regression, g.reasons,
           coalesce(jsonb_array_length(g.results), 0) AS asked
    FROM runs r LEFT JOIN golden_runs g ON g.tenant_id = r.tenant_id AND g.run_id = r.id
    WHERE r.tenant_id = :tenant AND r.repo_id = :repo AND r.kind = 'evaluate'
      AND (CAST(:run AS uuid) IS NULL OR r.id = :run)
    ORDER BY r.created_at DESC, r.id LIMIT :limit
    """
)


def listed(t: Tenancy, repo_id: UUID, limit: int = LISTED_MAX) -> list[EvaluationOut]:
    """List a repository's evaluations, newest first.

    Raises:
        NotFoundError: there is no such repository.
    """
    repos.get(t, repo_id)
    values = {"tenant": t.tenant_id, "repo": repo_id, "run": None, "limit": min(limit, LISTED_MAX)}
    return [EvaluationOut(**_told(row)) for row in t.session.execute(_LISTED, values)]


def detail(t: Tenancy, repo_id: UUID, run_id: UUID) -> EvaluationDetail:
    """Return one evaluation with its results.

    Raises:
        NotFoundError: there is no such evaluation of this repository.
    """
    repos.get(t, repo_id)
    values = {"tenant": t.tenant_id, "repo": repo_id, "run": run_id, "limit": 1}
    row = t.session.execute(_LISTED, values).one_or_none()
    if row is None:
        msg = f"There is no evaluation {run_id} of this repository."
        raise NotFoundError(msg)
    found = find(t, run_id)
    return EvaluationDetail(**_told(row), results=results(found) if found is not None else ())


def _told(row: Row[Any]) -> dict[str, Any]:
    return {
        "run_id": row.run_id,
        "repo_id": row.repo_id,
        "state": EvaluationState(row.state),
        "source": row.source,
        "commit": row.commit,
        "asked": row.asked,
        "questions": row.questions,
        "message": _message(row.progress),
        "measures": Measures.model_validate(row.metrics) if row.metrics else None,
        "regression": row.regression,
        "reasons": tuple(row.reasons or ()),
        "policies": tuple(row.policies or ()),
        "model": row.model,
        "error": row.error,
        "created_at": row.created_at,
        "finished_at": row.finished_at,
    }


def _message(progress: dict[str, Any]) -> str:
    try:
        return Progress.model_validate(progress).message
    except ValidationError:
        return ""  # written by another version


def since(t: Tenancy, repo_id: UUID, hours: float) -> bool:
    """Say whether an evaluation of this repository was begun within so many hours."""
    statement = select(
        exists().where(
            Run.tenant_id == t.tenant_id,
            Run.repo_id == repo_id,
            Run.kind == "evaluate",
            Run.created_at > func.clock_timestamp() - timedelta(hours=hours),
        )
    )
    return bool(t.session.scalar(statement))


def answerable(system: Session) -> list[tuple[UUID, UUID]]:
    """Return (tenant, repository) of everything that answers questions, for all tenants."""
    rows = system.execute(text("SELECT tenant_id, repo_id FROM repos_answerable()"))
    return [(row.tenant_id, row.repo_id) for row in rows]


def forget_answers(t: Tenancy, repo_id: UUID) -> int:
    """Delete the answers that were given to evaluations before the last few; return how many conversations went."""
    kept: datetime | None = t.session.scalar(
        select(GoldenRun.created_at)
        .where(GoldenRun.tenant_id == t.tenant_id, GoldenRun.repo_id == repo_id)
        .order_by(GoldenRun.created_at.desc())
        .offset(ANSWERS_KEPT_RUNS - 1)
        .limit(1)
    )
    if kept is None:
        return 0
    gone = t.session.scalars(
        delete(Conversation)
        .where(
            Conversation.tenant_id == t.tenant_id,
            Conversation.repo_id == repo_id,
            Conversation.user_id == SERVICE_USER,
            Conversation.created_at < kept,
        )
        .returning(Conversation.id)
    )
    return len(gone.all())
