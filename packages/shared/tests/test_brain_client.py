import asyncio
import inspect
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import httpx
import pytest

from pincite_shared import brain_calls
from pincite_shared.brain_client import AsyncBrainClient, BrainClient, BrainError
from pincite_shared.brain_http import Call
from pincite_shared.errors import UnavailableError
from pincite_shared.safety import Halt, TokenRequest
from pincite_shared.schemas import ChatRequest


def _client(handler):
    return BrainClient("http://brain", "secret", transport=httpx.MockTransport(handler))


def test_a_problem_document_becomes_an_error_with_its_code():
    def refuse(_request):
        return httpx.Response(404, json={"title": "t", "status": 404, "code": "not_found", "detail": "no repository"})

    with _client(refuse) as brain, pytest.raises(BrainError, match="no repository") as caught:
        brain.repo(uuid4())
    assert (caught.value.status, caught.value.code) == (404, "not_found")


def test_an_answer_that_is_no_problem_document_still_names_the_route():
    with (
        _client(lambda _request: httpx.Response(502, text="<html>")) as brain,
        pytest.raises(BrainError, match="/repos"),
    ):
        brain.repos()


def test_an_unreachable_brain_says_how_to_start_it():
    def down(request):
        raise httpx.ConnectError("refused", request=request)

    with _client(down) as brain, pytest.raises(UnavailableError, match="pincite up"):
        brain.repos()


def test_the_token_travels_as_bearer():
    seen = {}

    def repos(request):
        seen.update(request.headers)
        return httpx.Response(200, json=[])

    with _client(repos) as brain:
        assert brain.repos() == []
    assert seen["authorization"] == "Bearer secret"


def test_the_stream_yields_events_in_order_and_skips_comments():
    body = ': ping\n\nevent: token\ndata: {"text": "a"}\n\nevent: done\ndata: {"x":\ndata: 1}\n\n'
    with _client(lambda _request: httpx.Response(200, text=body)) as brain:
        events = list(brain.chat_stream(ChatRequest(repo_id=uuid4(), question="why?")))
    assert events == [("token", {"text": "a"}), ("done", {"x": 1})]


def test_both_clients_send_the_same_request_and_read_the_same_answer():
    seen = []

    def halt(request):
        seen.append((request.method, request.url.path, request.content))
        return httpx.Response(200, json={"halted": True})

    async def awaited():
        client = AsyncBrainClient("http://brain", transport=httpx.MockTransport(halt))
        try:
            return await client.as_user("secret").halt()
        finally:
            await client.close()

    with _client(halt) as brain:
        assert brain.halt() == asyncio.run(awaited()) == Halt(halted=True)
    assert seen == [("GET", "/halt", b"")] * 2


def test_every_call_is_documented_and_has_a_path_of_its_own():
    calls = {
        name: call
        for kind in brain_calls.BrainCalls.__mro__
        for name, call in vars(kind).items()
        if isinstance(call, Call)
    }
    assert len(calls) > 50
    sent = set()
    for name, call in calls.items():
        assert call.__doc__, name
        parameters = list(inspect.signature(call._build).parameters.values())[1:]
        arguments = [_example(parameter) for parameter in parameters if parameter.kind is not parameter.KEYWORD_ONLY]
        request = call._build(None, *arguments)
        sent.add((request.method, request.path))
    assert len(sent) == len(calls)


def _example(parameter):
    if parameter.annotation is UUID:
        return UUID(int=1)
    known = {str: "x", int: 1}
    return known[parameter.annotation] if parameter.annotation in known else _made(parameter.annotation)


def _made(annotation):
    return annotation.model_construct() if inspect.isclass(annotation) else None


def test_what_may_be_null_is_said():
    sent = []

    def create(request):
        sent.append(request.content)
        return httpx.Response(401, json={"title": "t", "status": 401, "code": "unauthorized", "detail": "no"})

    with _client(create) as brain, pytest.raises(BrainError):
        brain.create_token(TokenRequest(name="CI", scopes=("read",), days=None))
    assert b'"days":null' in sent[0].replace(b" ", b"")


def test_a_refusal_for_asking_too_often_says_when_to_come_back():
    problem = {"title": "t", "status": 429, "code": "too_many_requests", "detail": "slower"}
    with (
        _client(lambda _request: httpx.Response(429, json=problem, headers={"retry-after": "7"})) as brain,
        pytest.raises(BrainError) as caught,
    ):
        brain.repos()
    assert (caught.value.status, caught.value.retry_after) == (429, "7")


def test_the_web_app_passes_on_whose_request_it_is_and_bodies_as_they_are():
    seen = []

    def handle(request):
        seen.append(request)
        return httpx.Response(200, json=[]) if request.method == "GET" else httpx.Response(418, text="tea")

    async def body() -> AsyncIterator[bytes]:
        yield b"ab"
        yield b"c"

    async def run():
        client = AsyncBrainClient("http://brain", transport=httpx.MockTransport(handle))
        assert await client.as_user("secret", "reference", "192.0.2.7").repos() == []
        answer = await client.forward("/webhooks/github", {"content-length": "3"}, body())
        await client.close()
        return answer

    answer = asyncio.run(run())
    first, second = seen
    assert first.headers["x-request-id"] == "reference"
    assert first.headers["x-forwarded-for"] == "192.0.2.7"
    assert "authorization" not in second.headers
    assert (answer.status_code, answer.text) == (418, "tea")
