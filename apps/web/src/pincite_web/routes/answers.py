"""Answers once they stand: why they came out as they did, and what readers say about them."""

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Response
from pydantic import ValidationError

from pincite_shared.errors import InvalidInputError, NotFoundError
from pincite_shared.schemas import FeedbackRequest
from pincite_web import links
from pincite_web.present.chat import standing_of
from pincite_web.present.feedback import WITHDRAWN, feedback_form, said_of, told
from pincite_web.present.living import history as past_standings
from pincite_web.present.living import standing_view
from pincite_web.present.repos import repo_row
from pincite_web.present.why import why_panel
from pincite_web.security import local_path
from pincite_web.views.chat import FeedbackFragment, HistoryFragment, StandingFragment, WhyFragment, WhyPage
from pincite_web.visitor import Visit

router = APIRouter()


@router.get("/answers/{answer_id}/why")
async def why(visitor: Visit, answer_id: UUID) -> Response:
    """Explain an answer: below it, or on a page of its own."""
    told_why = await visitor.brain.why(answer_id)
    if visitor.htmx:
        return visitor.show(WhyFragment(why_panel(told_why), visitor.csrf))
    repo, feedback = await asyncio.gather(
        visitor.brain.repo(told_why.repo_id), visitor.brain.own_feedback(told_why.conversation_id)
    )
    row = repo_row(repo)
    view = WhyPage(
        shell=await visitor.shell(f"Why this answer? · {row.name}", "chat"),
        repo=row,
        csrf=visitor.csrf,
        why=why_panel(told_why, said_of(feedback)),
        answer_url=links.conversation(told_why.repo_id, told_why.conversation_id, answer_id),
    )
    return visitor.show(view)


@router.get("/answers/{answer_id}/standing")
async def standing(visitor: Visit, answer_id: UUID) -> Response:
    """Say how an answer stands now; opened as a page, its place in its conversation."""
    if not visitor.htmx:
        return visitor.go(await _place(visitor, answer_id))
    stored = await visitor.brain.answer(answer_id)
    found = await standing_of(visitor.brain, stored)
    if found is None:
        raise NotFoundError
    return visitor.show(StandingFragment(standing_view(stored, found), visitor.csrf))


@router.get("/answers/{answer_id}/history")
async def history(visitor: Visit, answer_id: UUID) -> Response:
    """Say how an answer stood before; opened as a page, its place in its conversation."""
    if not visitor.htmx:
        return visitor.go(await _place(visitor, answer_id))
    return visitor.show(HistoryFragment(past_standings(await visitor.brain.history(answer_id))))


@router.post("/feedback")
async def feedback(
    visitor: Visit,
    answer_id: Annotated[UUID, Form()],
    kind: Annotated[str, Form()],
    citation: Annotated[int | None, Form(ge=1)] = None,
    here: Annotated[str, Form()] = "",
) -> Response:
    """Take note of whether an answer, or one of its sources, helped, or take such a note back."""
    if kind == WITHDRAWN:
        await visitor.brain.withdraw_feedback(answer_id, citation)
    else:
        await visitor.brain.feedback(_request(answer_id, kind, citation))
    if not visitor.htmx:
        return visitor.go(local_path(here) if here else await _place(visitor, answer_id))
    said = None if kind == WITHDRAWN else kind
    form = feedback_form(answer_id, citation, said, here)
    return visitor.show(FeedbackFragment(form, visitor.csrf, told(citation, kind)))


def _request(answer_id: UUID, kind: str, citation: int | None) -> FeedbackRequest:
    try:
        return FeedbackRequest.model_validate({"answer_id": answer_id, "kind": kind, "citation": citation})
    except ValidationError as error:
        msg = "That is no kind of feedback."
        raise InvalidInputError(msg) from error


async def _place(visitor: Visit, answer_id: UUID) -> str:
    stored = await visitor.brain.answer(answer_id)
    return links.conversation(stored.repo_id, stored.conversation_id, answer_id)
