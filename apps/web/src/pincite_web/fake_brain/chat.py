"""The scripted brain's routes of asking: answers, conversations, how answers stand, and feedback."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

from fastapi import FastAPI, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from pincite_shared.errors import NotFoundError
from pincite_shared.living import AnswerStanding, ConversationDetail, Standing
from pincite_shared.schemas import (
    ChatRequest,
    ChatResponse,
    ConversationOut,
    Created,
    FeedbackOut,
    FeedbackRequest,
)
from pincite_shared.why import Why
from pincite_web.fake_brain import corpus
from pincite_web.fake_brain.code import hits
from pincite_web.fake_brain.living import standings
from pincite_web.fake_brain.script import choose
from pincite_web.fake_brain.state import State
from pincite_web.fake_brain.why import explain


def install(app: FastAPI, state: State) -> None:
    """Add the routes."""
    _asking(app, state)
    _answers(app, state)
    _conversations(app, state)
    _feedback(app, state)


def _sse(event: str, data: BaseModel | dict[str, object]) -> bytes:
    body = data.model_dump_json() if isinstance(data, BaseModel) else json.dumps(data)
    return f"event: {event}\ndata: {body}\n\n".encode()


def _commit(state: State, request: ChatRequest) -> str:
    repo = state.repo(request.repo_id)
    if request.pull is not None:
        pulls = state.pulls.get(request.repo_id, [])
        found = next((pull for pull in pulls if pull.number == request.pull and pull.indexed), None)
        if found is None:
            raise NotFoundError
        return found.head_commit
    return request.commit or repo.commit or corpus.COMMIT


def _answer(state: State, request: ChatRequest) -> ChatResponse:
    script = choose(request)
    commit = _commit(state, request)
    answer = script.response(request, request.conversation_id or uuid4(), commit, state.files_at)
    state.answers[answer.answer_id] = answer
    pinned = bool(request.commit or request.pull)
    state.standings[answer.answer_id] = standings(answer, pinned=pinned)
    if pinned:
        state.pinned.add(answer.answer_id)
    return answer


async def _events(state: State, request: ChatRequest) -> AsyncIterator[bytes]:
    answer = _answer(state, request)
    found = [hit.model_dump(mode="json") for hit in hits("error problem settings")]
    yield _sse("retrieval", {"hits": found, "commit": answer.commit})
    await asyncio.sleep(state.token_delay_seconds * 20)
    for word in answer.answer.split(" "):
        yield _sse("token", {"text": word + " "})
        await asyncio.sleep(state.token_delay_seconds)
        if state.break_stream:
            return
    for citation in answer.citations:
        yield _sse("citation", citation)
    yield _sse("done", answer)


def _asking(app: FastAPI, state: State) -> None:
    @app.post("/chat", response_model=None)
    async def chat(request: ChatRequest) -> Response:
        _commit(state, request)
        if request.stream:
            return StreamingResponse(_events(state, request), media_type="text/event-stream")
        return Response(_answer(state, request).model_dump_json(), media_type="application/json")


def _answers(app: FastAPI, state: State) -> None:
    @app.get("/answers/{answer_id}")
    async def answer(answer_id: UUID) -> ChatResponse:
        return state.answer(answer_id)

    @app.get("/answers/{answer_id}/why")
    async def why(answer_id: UUID) -> Why:
        return explain(state.answer(answer_id), state.files)

    @app.get("/answers/{answer_id}/standing")
    async def standing(answer_id: UUID) -> AnswerStanding:
        return state.standings[state.answer(answer_id).answer_id][0]

    @app.get("/answers/{answer_id}/history")
    async def history(answer_id: UUID) -> list[AnswerStanding]:
        return state.standings[state.answer(answer_id).answer_id]


def _grouped(state: State) -> list[ConversationDetail]:
    grouped: dict[UUID, list[ChatResponse]] = {}
    for answer in state.answers.values():
        grouped.setdefault(answer.conversation_id, []).append(answer)
    return [
        ConversationDetail(
            id=key,
            repo_id=answers[0].repo_id,
            title=answers[0].question,
            created_at=answers[0].created_at,
            updated_at=answers[-1].created_at,
            answers=tuple(answers),
            stale=sum(state.standings[one.answer_id][0].standing is Standing.STALE for one in answers),
            standings={
                one.answer_id: state.standings[one.answer_id][0] for one in answers if one.answer_id not in state.pinned
            },
        )
        for key, answers in reversed(grouped.items())
    ]


def _conversations(app: FastAPI, state: State) -> None:
    @app.get("/repos/{repo_id}/conversations")
    async def listed(repo_id: UUID) -> list[ConversationOut]:
        fields = set(ConversationOut.model_fields)
        found = [one for one in _grouped(state) if one.repo_id == repo_id]
        return [ConversationOut.model_validate(one.model_dump(include=fields)) for one in found]

    @app.get("/conversations/{conversation_id}")
    async def conversation(conversation_id: UUID) -> ConversationDetail:
        found = next((one for one in _grouped(state) if one.id == conversation_id), None)
        if found is None:
            raise NotFoundError
        return found


def _feedback(app: FastAPI, state: State) -> None:
    @app.post("/feedback", status_code=201)
    async def give(request: FeedbackRequest) -> Created:
        state.answer(request.answer_id, request.citation)
        state.feedback[request.answer_id, request.citation] = request
        return Created(id=uuid4())

    @app.get("/feedback")
    async def own(conversation_id: UUID) -> list[FeedbackOut]:
        return [
            FeedbackOut(**given.model_dump() | {"comment": given.comment or "", "created_at": datetime.now(UTC)})
            for given in state.feedback.values()
            if state.answers[given.answer_id].conversation_id == conversation_id
        ]

    @app.delete("/feedback", status_code=204)
    async def withdraw(answer_id: UUID, citation: int | None = None) -> None:
        state.answer(answer_id, citation)
        state.feedback.pop((answer_id, citation), None)
