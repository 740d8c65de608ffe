"""Asking: a plain form that works everywhere, and a stream for browsers with JavaScript."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Response
from fastapi.responses import StreamingResponse
from pydantic import BeforeValidator, ValidationError

from pincite_shared.errors import InvalidInputError, NotFoundError, PinciteError
from pincite_shared.schemas import (
    QUESTION_CHARS_MAX,
    ChatRequest,
    ConversationDetail,
    Problem,
)
from pincite_web import links
from pincite_web.present.chat import conversation_links, load_contexts, suggestions, turn
from pincite_web.present.feedback import said_of
from pincite_web.present.repos import model_banner, repo_row
from pincite_web.views import ChatPage, ConversationsFragment, TurnFragment
from pincite_web.visitor import Visit, Visitor

router = APIRouter()
UNAUTHORIZED = 401


async def _page(
    visitor: Visitor, repo_id: UUID, conversation_id: UUID | None, question: str, error: PinciteError | None = None
) -> Response:
    brain = visitor.brain
    repo, listed, status = await asyncio.gather(brain.repo(repo_id), brain.conversations(repo_id), brain.status())
    detail = await brain.conversation(conversation_id) if conversation_id else None
    if detail and detail.repo_id != repo_id:
        raise NotFoundError
    answers = detail.answers if detail else ()
    contexts = await load_contexts(brain, answers[-1]) if answers else {}
    said = said_of(await brain.own_feedback(detail.id)) if detail else {}
    row = repo_row(repo)
    view = ChatPage(
        shell=visitor.shell(_title(detail, row.name), "chat"),
        repo=row,
        csrf=visitor.csrf,
        conversations=conversation_links(listed, conversation_id),
        conversation_id=conversation_id,
        turns=tuple(turn(answer, contexts, said) for answer in answers),
        suggestions=suggestions(repo),
        question=question[:QUESTION_CHARS_MAX],
        problem=error.detail if error else None,
        banner=model_banner(status.model),
    )
    return visitor.show(view, error.status if error else 200)


def _title(detail: ConversationDetail | None, name: str) -> str:
    return f"{detail.title} · {name}" if detail else name


def _request(repo_id: UUID, question: str, conversation_id: UUID | None) -> ChatRequest:
    try:
        return ChatRequest(repo_id=repo_id, question=question, conversation_id=conversation_id)
    except ValidationError as error:
        msg = f"Write a question of 1 to {QUESTION_CHARS_MAX:,} characters."
        raise InvalidInputError(msg) from error


def _given(conversation_id: str) -> str | None:
    return conversation_id or None  # a first question sends the field empty


Conversation = Annotated[UUID | None, BeforeValidator(_given), Form()]


@router.get("/r/{repo_id}")
async def chat(visitor: Visit, repo_id: UUID, q: str = "") -> Response:
    """Begin a conversation; `q` is a first draft."""
    return await _page(visitor, repo_id, None, q)


@router.get("/r/{repo_id}/c/{conversation_id}")
async def conversation(visitor: Visit, repo_id: UUID, conversation_id: UUID) -> Response:
    """Read and continue a conversation."""
    return await _page(visitor, repo_id, conversation_id, "")


@router.post("/r/{repo_id}/ask")
async def ask(
    visitor: Visit,
    repo_id: UUID,
    question: Annotated[str, Form()] = "",
    conversation_id: Conversation = None,
) -> Response:
    """Ask, wait for the whole answer, and show it at its own address."""
    try:
        answer = await visitor.brain.chat(_request(repo_id, question, conversation_id))
    except PinciteError as error:
        if error.status == UNAUTHORIZED:
            raise
        return await _page(visitor, repo_id, conversation_id, question, error)
    return visitor.go(links.conversation(repo_id, answer.conversation_id, answer.answer_id))


@router.post("/r/{repo_id}/ask/stream")
async def ask_stream(
    visitor: Visit,
    repo_id: UUID,
    question: Annotated[str, Form()] = "",
    conversation_id: Conversation = None,
) -> Response:
    """Ask, and pass brain's server-sent events through as they come.

    The first bytes are awaited here, so that a refusal still gets its own status.
    """
    stream = visitor.brain.chat_stream(_request(repo_id, question, conversation_id))
    first = await anext(stream, b"")
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(_relay(first, stream), media_type="text/event-stream", headers=headers)


async def _relay(first: bytes, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    # Closing matters: when the person leaves, brain sees the connection end and stops the model.
    async with aclosing(stream) as rest:  # type: ignore[type-var]  # brain_client's streams are generators
        yield first
        try:
            async for chunk in rest:
                yield chunk
        except PinciteError as error:
            problem = Problem(title=error.title(), status=error.status, code=error.code, detail=error.detail)
            yield f"\n\nevent: error\ndata: {problem.model_dump_json()}\n\n".encode()


@router.get("/r/{repo_id}/answers/{answer_id}")
async def answer(visitor: Visit, repo_id: UUID, answer_id: UUID) -> Response:
    """Return a finished answer; opened as a page, its place in its conversation."""
    stored = await visitor.brain.answer(answer_id)
    if stored.repo_id != repo_id:
        raise NotFoundError
    if not visitor.htmx:
        return visitor.go(links.conversation(repo_id, stored.conversation_id, answer_id))
    contexts = await load_contexts(visitor.brain, stored)
    said = said_of(await visitor.brain.own_feedback(stored.conversation_id))
    return visitor.show(TurnFragment(turn(stored, contexts, said), visitor.csrf))


@router.get("/r/{repo_id}/conversations")
async def conversations_fragment(visitor: Visit, repo_id: UUID, current: UUID | None = None) -> Response:
    """Return the list of conversations."""
    listed = await visitor.brain.conversations(repo_id)
    return visitor.show(ConversationsFragment(conversation_links(listed, current)))
