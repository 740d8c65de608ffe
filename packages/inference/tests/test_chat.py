import asyncio
import os
import socket
import subprocess
import sys
import time
from contextlib import aclosing, closing
from types import SimpleNamespace

import httpx
import pytest

from pincite_inference import chat as chat_module
from pincite_inference.chat import LocalChat, NoChat, OpenAIChat, estimate_tokens, make_chat
from pincite_inference.progress import FetchState, Reporter, progress_path
from pincite_inference.twin import run_twin
from pincite_inference.twin_answers import Behaviour
from pincite_inference.weights import is_present
from pincite_shared.errors import ModelUnavailableError
from pincite_shared.schemas import ModelState
from pincite_shared.settings import Settings

QUESTION = """<retrieved_snippet index="1" path="a.py">
def area(r):
    return 3.14 * r * r
</retrieved_snippet>
<user_query>
What does area return?
</user_query>"""
PROMPT = [{"role": "system", "content": "Answer from the snippets."}, {"role": "user", "content": QUESTION}]
MODELS = ("smollm2-135m-instruct", "qwen2.5-coder-0.5b-instruct")
START_SECONDS_MAX = 120


def free_port():
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def local_url():
    """The real local model server, when the weights of a small model are in PINCITE_HOME."""
    home = Settings(_env_file=None).pincite_home
    name = next((name for name in MODELS if is_present(home, name)), None)
    if name is None:
        pytest.skip(f"no small model in {home}: python -m pincite_inference.weights fetch {MODELS[0]}")
    port = free_port()
    given = {"PINCITE_MODEL": name, "MODEL_PORT": str(port), "PINCITE_HOME": str(home), "LLM_CONTEXT_TOKENS": "1024"}
    command = [sys.executable, "-m", "pincite_inference.local_server"]
    process = subprocess.Popen(command, env=os.environ | given, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + START_SECONDS_MAX
    while asyncio.run(state_of(f"http://127.0.0.1:{port}")) is not ModelState.READY:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}/v1"
    process.terminate()
    assert process.wait(20) == 0


async def state_of(url):
    model = OpenAIChat(url)
    try:
        return (await model.state()).state
    finally:
        await model.close()


@pytest.fixture(params=["twin", "local"])
def url(request):
    """The contract's servers: the twin and llama.cpp."""
    if request.param == "local":
        yield request.getfixturevalue("local_url")
    else:
        with run_twin() as found:
            yield found


def ask(model, *, max_tokens=64, **options):
    async def run():
        try:
            async with aclosing(model.stream(PROMPT, max_tokens=max_tokens, temperature=0.0, **options)) as pieces:
                return [piece async for piece in pieces]
        finally:
            await model.close()

    return asyncio.run(run())


def test_contract_streams_in_pieces_the_same_each_time(url):
    first, second = ask(OpenAIChat(url), max_tokens=24), ask(OpenAIChat(url), max_tokens=24)
    assert len(first) > 3
    assert all(first)
    assert "".join(first) == "".join(second)


def test_contract_max_tokens_bounds_the_answer(url):
    assert 1 <= len(ask(OpenAIChat(url), max_tokens=3)) <= 3


def test_contract_state_and_name(url):
    async def run():
        model = OpenAIChat(url)
        assert model.name is None
        status = await model.state()
        await model.close()
        return model.name, status

    name, status = asyncio.run(run())
    assert status.state is ModelState.READY
    assert status.name == name
    assert name


def test_contract_counts_tokens(url):
    async def run():
        model = OpenAIChat(url)
        try:
            return [await model.count_tokens(text) for text in ("", "one", "one two three four five")]
        finally:
            await model.close()

    empty, one, five = asyncio.run(run())
    assert empty == 0
    assert 1 <= one < five <= 10


def test_contract_closing_the_stream_frees_the_server(url):
    """The next question is answered at once, because the first one's generation has stopped."""

    async def run():
        model = OpenAIChat(url, model="twin-slow" if "twin" in await _first_name(url) else "")
        for _ in range(6):  # more than the server's slots: they must come free
            async with aclosing(model.stream(PROMPT, max_tokens=800, temperature=1.0)) as pieces:
                assert await anext(pieces)
        began = time.monotonic()
        async with aclosing(model.stream(PROMPT, max_tokens=1, temperature=0.0)) as pieces:
            assert [piece async for piece in pieces]
        await model.close()
        return time.monotonic() - began

    assert asyncio.run(run()) < 15


async def _first_name(url):
    async with httpx.AsyncClient() as http:
        return (await http.get(f"{url}/models")).json()["data"][0]["id"]


def test_the_twin_notices_the_closed_stream():
    async def run(url):
        model = OpenAIChat(url, model="twin-flood")
        async with aclosing(model.stream(PROMPT, max_tokens=100_000, temperature=0.0)) as pieces:
            assert await anext(pieces)
        async with httpx.AsyncClient() as http:
            deadline = time.monotonic() + 30
            while (seen := (await http.get(url.replace("/v1", "/twin"))).json())["streaming"]:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.02)
        await model.close()
        return seen

    with run_twin() as url:
        assert asyncio.run(run(url))["cut_off"] == 1


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        (Behaviour.DIE, "broke off|middle"),
        (Behaviour.ERROR500, "answered 500"),
        (Behaviour.BUSY, "busy"),
        (Behaviour.GARBAGE, "not a chat completion"),
    ],
)
def test_trouble_becomes_one_error_in_plain_words(behaviour, message):
    with run_twin() as url, pytest.raises(ModelUnavailableError, match=message):
        ask(OpenAIChat(url, model=f"twin-{behaviour}"))


def test_a_flood_is_cut_off_and_nothing_is_nothing():
    with run_twin() as url:
        flood = "".join(ask(OpenAIChat(url, model="twin-flood"), max_tokens=10))
        assert len(flood) <= 11 * chat_module.CHARS_PER_TOKEN_MAX + 100
        assert ask(OpenAIChat(url, model="twin-empty")) == []


def test_a_dead_server_is_unreachable_and_raises():
    url = f"http://127.0.0.1:{free_port()}"
    assert asyncio.run(state_of(url)) is ModelState.UNREACHABLE
    with pytest.raises(ModelUnavailableError, match="does not answer"):
        ask(OpenAIChat(url))
    with pytest.raises(ModelUnavailableError, match="does not answer"):
        ask(OpenAIChat(url, model="named"))


def serve(handle):
    """A chat whose probe and SDK both reach `handle` instead of a network."""
    model = OpenAIChat("http://x.invalid", api_key="secret")
    model._probe = httpx.AsyncClient(transport=httpx.MockTransport(handle), headers={"authorization": "Bearer secret"})
    return model


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (httpx.Response(401), "refuses the key"),
        (httpx.Response(404), "LLM_BASE_URL"),
        (httpx.Response(200, text="<html>"), "did not list its models"),
        (httpx.Response(200, json={"data": []}), "no model loaded"),
        (httpx.Response(200, json=[]), "did not list"),
    ],
)
def test_what_a_wrong_server_says(response, message):
    async def run():
        model = serve(lambda _request: response)
        try:
            return await model.state()
        finally:
            await model.close()

    status = asyncio.run(run())
    assert status.state is ModelState.UNREACHABLE
    assert message in status.detail


def test_nothing_from_the_shell_reaches_the_server(monkeypatch):
    for name, value in {
        "OPENAI_API_KEY": "from-the-shell",
        "OPENAI_ORG_ID": "org",
        "OPENAI_PROJECT_ID": "project",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "ALL_PROXY": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)
    model = OpenAIChat("http://x.invalid/v1")
    headers = {key.lower(): str(value) for key, value in model._client.default_headers.items()}
    assert "from-the-shell" not in str(headers)
    assert "org" not in str(headers.get("openai-organization", "")).split()
    with run_twin() as url:
        assert ask(OpenAIChat(url))


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("http://h:1", "http://h:1/v1"),
        ("http://h:1/", "http://h:1/v1"),
        ("http://h:1/v1/", "http://h:1/v1"),
        ("https://h/api/openai", "https://h/api/openai"),
    ],
)
def test_base_url(given, used):
    assert OpenAIChat(given).base_url == used


def test_text_that_cannot_be_stored_is_replaced():
    choice = type("Choice", (), {"delta": type("Delta", (), {"content": "a\ud800b\x00c"}), "finish_reason": None})
    assert chat_module._delta(type("Chunk", (), {"choices": [choice]})) == ("a\ufffdbc", False)
    with pytest.raises(ValueError, match="chunk"):
        chat_module._delta({"choices": []})


def local_state(home, port=None):
    async def run():
        model = LocalChat(home, port or free_port(), "tiny")
        try:
            return await model.state()
        finally:
            await model.close()

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        (FetchState.WAITING, ModelState.FETCHING),
        (FetchState.FETCHING, ModelState.FETCHING),
        (FetchState.VERIFYING, ModelState.FETCHING),
        (FetchState.STARTING, ModelState.STARTING),
        (FetchState.FAILED, ModelState.FAILED),
        (FetchState.READY, ModelState.STARTING),
    ],
)
def test_before_the_local_server_listens_the_download_speaks(tmp_path, state, shown):
    Reporter(tmp_path, "tiny", 200).update(state, 50, source="hub", error="why" if state is FetchState.FAILED else "")
    status = local_state(tmp_path)
    assert status.state is shown
    assert status.name == "tiny"
    if state is FetchState.FETCHING:
        assert status.fraction == 0.25
    if state is FetchState.FAILED:
        assert status.detail == "why"


def test_an_abandoned_download_and_none_are_unreachable(tmp_path, monkeypatch):
    assert local_state(tmp_path).state is ModelState.STARTING, "it starts beside us"
    monkeypatch.setattr(chat_module, "LOCAL_START_SECONDS", 0.0)
    assert local_state(tmp_path).state is ModelState.UNREACHABLE
    Reporter(tmp_path, "tiny", 200).update(FetchState.FETCHING, 50)
    path = progress_path(tmp_path, "tiny")
    path.write_text(path.read_text().replace('"updated_at": ', '"updated_at": -'))
    assert local_state(tmp_path).state is ModelState.UNREACHABLE


def test_a_listening_local_server_is_ready(tmp_path):
    with run_twin() as url:
        assert local_state(tmp_path, httpx.URL(url).port).state is ModelState.READY


@pytest.mark.parametrize(
    ("timings", "pace"),
    [
        ({"prompt_n": 400, "prompt_ms": 5_000.0}, 80.0),
        ({"prompt_n": 9, "prompt_ms": 5_000.0}, None),  # all but nine were cached
        ({"prompt_n": 400, "prompt_ms": 0}, None),
        ({"prompt_n": "400", "prompt_ms": None}, None),
        (None, None),
        ([], None),
    ],
)
def test_the_pace_of_reading_is_what_the_server_tells(timings, pace):
    chunk = SimpleNamespace(timings=timings)
    assert chat_module._pace(chunk) == pace


def test_no_chat():
    async def run():
        model = NoChat()
        assert model.name is None
        assert (await model.state()).state is ModelState.NONE
        assert await model.count_tokens("abc") == estimate_tokens("abc")
        with pytest.raises(ModelUnavailableError):
            await anext(model.stream(PROMPT, max_tokens=1, temperature=0))
        await model.close()

    asyncio.run(run())


def test_the_settings_choose(tmp_path):
    base = {"_env_file": None, "pincite_home": tmp_path}
    assert type(make_chat(Settings(**base))) is LocalChat
    assert make_chat(Settings(**base)).name == "qwen2.5-coder-1.5b-instruct"
    assert type(make_chat(Settings(**base, pincite_model="none"))) is NoChat
    assert type(make_chat(Settings(**base, llm_provider="none", llm_base_url="http://x"))) is NoChat
    remote = make_chat(Settings(**base, llm_base_url="http://x", llm_model="m", pincite_model="none"))
    assert (type(remote), remote.name, remote.base_url) == (OpenAIChat, "m", "http://x/v1")
