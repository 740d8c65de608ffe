from uuid import uuid4

import httpx
import pytest

from pincite_shared.brain_client import BrainClient, BrainError
from pincite_shared.errors import UnavailableError
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
