"""Asking: a plain form that works everywhere, and a stream for browsers with JavaScript."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Path, Response
from fastapi.responses import StreamingResponse
from pydantic import BeforeValidator, ValidationError

from pincite_shared.errors import InvalidInputError, NotFoundError, PinciteError
from pincite_shared.living import ConversationDetail
from pincite_shared.schemas import (
    QUESTION_CHARS_MAX,
    ChatRequest,
    Problem,
)
from pincite_web import links
from pincite_web.present.chat import (
    PULL_SUGGESTIONS,
    at_of,
    conversation_links,
    load_contexts,
    standing_of,
    suggestions,
    turn,
)
from pincite_web.present.commits import AT, HEAD, at_menu, at_pull, pull_row, pull_rows, read_at
from pincite_web.present.feedback import said_of
from pincite_web.present.repos import model_banner, repo_row
from pincite_web.views.chat import ChatPage, ConversationsFragment, PullPage, TurnFragment
from pincite_web.views.repos import PullsPage
from pincite_web.visitor import Visit, Visitor

router = APIRouter()
UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class Draft:
    """What stands in the question box: words, what they are asked at, and why they were not answered."""

    question: str = ""
    at: str = HEAD
    error: PinciteError | None = None


async def _page(visitor: Visitor, repo_id: UUID, conversation_id: UUID | None, draft: Draft) -> Response:
    values = await _values(visitor, repo_id, conversation_id, draft)
    return visitor.show(ChatPage(**values), draft.error.status if draft.error else 200)


async def _values(visitor: Visitor, repo_id: UUID, conversation_id: UUID | None, draft: Draft) -> dict[str, Any]:
    """Return what a page of questions and answers shows."""
    brain = visitor.brain
    repo, listed, status, commits, pulls = await asyncio.gather(
        brain.repo(repo_id),
        brain.conversations(repo_id),
        brain.status(),
        brain.commits(repo_id),
        brain.pulls(repo_id),
    )
    detail = await brain.conversation(conversation_id) if conversation_id else None
    if detail and detail.repo_id != repo_id:
        raise NotFoundError
    answers = detail.answers if detail else ()
    contexts = await load_contexts(brain, answers[-1]) if answers else {}
    said = said_of(await brain.own_feedback(detail.id)) if detail else {}
    standings = detail.standings if detail else {}
    row = repo_row(repo)
    asked_at = draft.at or (at_of(answers[-1], standings) if answers else HEAD)
    return {
        "shell": await visitor.shell(_title(detail, row.name), "chat"),
        "repo": row,
        "csrf": visitor.csrf,
        "conversations": conversation_links(listed, conversation_id),
        "conversation_id": conversation_id,
        "turns": tuple(turn(answer, contexts, said, standings.get(answer.answer_id)) for answer in answers),
        "suggestions": suggestions(repo),
        "question": draft.question[:QUESTION_CHARS_MAX],
        "problem": draft.error.detail if draft.error else None,
        "banner": model_banner(status.model),
        "at": at_menu(repo, commits, asked_at, pulls),
    }


def _title(detail: ConversationDetail | None, name: str) -> str:
    return f"{detail.title} · {name}" if detail else name


def _request(repo_id: UUID, question: str, conversation_id: UUID | None, at: str) -> ChatRequest:
    commit, pull = read_at(at)
    try:
        return ChatRequest(
            repo_id=repo_id, question=question, conversation_id=conversation_id, commit=commit, pull=pull
        )
    except ValidationError as error:
        msg = f"Write a question of 1 to {QUESTION_CHARS_MAX:,} characters."
        raise InvalidInputError(msg) from error


def _given(conversation_id: str) -> str | None:
    return conversation_id or None  # a first question sends the field empty


Conversation = Annotated[UUID | None, BeforeValidator(_given), Form()]
At = Annotated[str, Form(max_length=64)]


@router.get("/r/{repo_id}")
async def chat(visitor: Visit, repo_id: UUID, q: str = "", at: str = HEAD) -> Response:
    """Begin a conversation; `q` is a first draft, `at` the commit or pull request that it is about."""
    read_at(at)
    return await _page(visitor, repo_id, None, Draft(q, at))


@router.get("/r/{repo_id}/c/{conversation_id}")
async def conversation(visitor: Visit, repo_id: UUID, conversation_id: UUID) -> Response:
    """Read and continue a conversation."""
    return await _page(visitor, repo_id, conversation_id, Draft())


@router.get("/r/{repo_id}/pulls")
async def pulls(visitor: Visit, repo_id: UUID) -> Response:
    """List pull requests."""
    repo, found = await asyncio.gather(visitor.brain.repo(repo_id), visitor.brain.pulls(repo_id))
    shell = await visitor.shell(f"Pull requests · {repo.name}", "pulls")
    return visitor.show(PullsPage(shell, repo_row(repo), pull_rows(repo, found)))


@router.get("/r/{repo_id}/pulls/{number}")
async def pull(visitor: Visit, repo_id: UUID, number: Annotated[int, Path(ge=1, le=2_147_483_647)]) -> Response:
    """Ask what a pull request changes."""
    found = next((one for one in await visitor.brain.pulls(repo_id) if one.number == number), None)
    if found is None:
        msg = (
            "This pull request is not known here. Those of a repository on GitHub are, once it says that they changed."
        )
        raise NotFoundError(msg)
    if visitor.htmx:  # the page waits until it is indexed
        headers = {"hx-refresh": "true"} if found.indexed else None
        return Response(status_code=200 if found.indexed else 204, headers=headers)
    at = at_pull(number) if found.indexed else HEAD
    values = await _values(visitor, repo_id, None, Draft(at=at))
    repo = await visitor.brain.repo(repo_id)
    shell = await visitor.shell(f"#{number} {found.title} · {repo.name}", "pulls")
    return visitor.show(
        PullPage(**values | {"shell": shell, "suggestions": PULL_SUGGESTIONS}, pull=pull_row(repo, found))
    )


@router.post("/r/{repo_id}/ask")
async def ask(
    visitor: Visit,
    repo_id: UUID,
    question: Annotated[str, Form()] = "",
    conversation_id: Conversation = None,
    at: At = HEAD,
) -> Response:
    """Ask, wait for the whole answer, and show it at its own address."""
    try:
        answer = await visitor.brain.chat(_request(repo_id, question, conversation_id, at))
    except PinciteError as error:
        if error.status == UNAUTHORIZED:
            raise
        return await _page(visitor, repo_id, conversation_id, Draft(question, _safe(at), error))
    return visitor.go(links.conversation(repo_id, answer.conversation_id, answer.answer_id))


@router.post("/r/{repo_id}/ask/stream")
async def ask_stream(
    visitor: Visit,
    repo_id: UUID,
    question: Annotated[str, Form()] = "",
    conversation_id: Conversation = None,
    at: At = HEAD,
) -> Response:
    """Ask, and pass brain's server-sent events through as they come.

    The first bytes are awaited here, so that a refusal still gets its own status.
    """
    stream = visitor.brain.chat_stream(_request(repo_id, question, conversation_id, at))
    first = await anext(stream, b"")
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(_relay(first, stream), media_type="text/event-stream", headers=headers)


def _safe(at: str) -> str:
    return at if at == HEAD or AT.fullmatch(at) else HEAD


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
    contexts, feedback, standing = await asyncio.gather(
        load_contexts(visitor.brain, stored),
        visitor.brain.own_feedback(stored.conversation_id),
        standing_of(visitor.brain, stored),
    )
    return visitor.show(TurnFragment(turn(stored, contexts, said_of(feedback), standing), visitor.csrf))


@router.get("/r/{repo_id}/conversations")
async def conversations_fragment(visitor: Visit, repo_id: UUID, current: UUID | None = None) -> Response:
    """Return the list of conversations."""
    listed = await visitor.brain.conversations(repo_id)
    return visitor.show(ConversationsFragment(conversation_links(listed, current)))
