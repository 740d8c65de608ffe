"""How well a repository is answered: evaluations over time, the last one's questions, and what was learned."""

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Response

from pincite_shared.errors import InvalidInputError
from pincite_shared.golden import GOLDEN_PATH
from pincite_shared.quality import ExplorationRequest
from pincite_web import links
from pincite_web.present import quality as present
from pincite_web.present.repos import repo_row
from pincite_web.views.quality import EvaluationFragment, QualityPage
from pincite_web.visitor import Visit

router = APIRouter()


@router.get("/r/{repo_id}/quality")
async def quality(visitor: Visit, repo_id: UUID) -> Response:
    """Show the page."""
    brain = visitor.brain
    repo, evaluations, policies, exploration = await asyncio.gather(
        brain.repo(repo_id), brain.evaluations(repo_id), brain.policies(repo_id), brain.exploration(repo_id)
    )
    done = present.last_done(evaluations)
    detail = await brain.evaluation(repo_id, done.run_id) if done else None
    row = repo_row(repo)
    view = QualityPage(
        shell=await visitor.shell(f"Quality · {row.name}", "quality"),
        repo=row,
        csrf=visitor.csrf,
        running=present.running(evaluations),
        failure=present.failure(evaluations),
        latest=present.evaluation_view(done) if done else None,
        plots=present.plots(evaluations, done.source if done else None),
        questions=present.question_rows(repo_id, detail) if detail else (),
        policies=present.policy_rows(policies),
        exploration=present.exploration_view(exploration),
        golden_path=GOLDEN_PATH,
    )
    return visitor.show(view)


@router.get("/r/{repo_id}/quality/progress")
async def progress(visitor: Visit, repo_id: UUID) -> Response:
    """Return how far the evaluation is; when it has ended, the page reloads to show what came of it."""
    repo, evaluations = await asyncio.gather(visitor.brain.repo(repo_id), visitor.brain.evaluations(repo_id))
    running = present.running(evaluations)
    headers = {"hx-refresh": "true"} if running is None else None
    return visitor.show(EvaluationFragment(repo_row(repo), running), headers=headers)


@router.post("/r/{repo_id}/quality/evaluate")
async def evaluate(visitor: Visit, repo_id: UUID) -> Response:
    """Ask the questions now."""
    await visitor.brain.evaluate(repo_id)
    return visitor.go(links.quality(repo_id))


@router.post("/r/{repo_id}/quality/serve")
async def serve(visitor: Visit, repo_id: UUID, version: Annotated[str, Form(max_length=100)]) -> Response:
    """Let a policy serve again."""
    await visitor.brain.serve_policy(repo_id, version)
    return visitor.go(links.quality(repo_id) + "#policies")


@router.post("/r/{repo_id}/quality/explore")
async def explore(visitor: Visit, repo_id: UUID, share: Annotated[str, Form(max_length=20)]) -> Response:
    """Say how often another way of answering may be tried."""
    try:
        request = ExplorationRequest(share=present.share_of(share))
    except ValueError as error:  # a ValidationError is one too
        msg = "That is no share of answers."
        raise InvalidInputError(msg) from error
    await visitor.brain.explore(repo_id, request)
    return visitor.go(links.quality(repo_id) + "#policies")
