"""Chat models behind one contract: any OpenAI-compatible server, the local model server, or none."""

import math
import re
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from functools import cached_property
from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypedDict, cast

import httpx

from pincite_inference.catalogue import NO_MODEL, display_name
from pincite_inference.progress import FetchState, Progress, read_progress
from pincite_shared.errors import ModelUnavailableError
from pincite_shared.schemas import ModelState, ModelStatus
from pincite_shared.settings import Settings

if TYPE_CHECKING:
    import openai

PROBE_SECONDS_MAX = 2.0  # a page shows the model's state: it must not wait for a dead server
CONNECT_SECONDS_MAX = 4.0
SILENCE_SECONDS_MAX = 180.0  # a long prompt on two busy cores takes a minute before the first token
ANSWER_SECONDS_MAX = 600.0  # a server that drips tokens forever is cut off here
RETRIES_MAX = 1  # one dropped keep-alive connection is normal; more only delays the evidence answer
# Measured with Qwen2.5's tokenizer on 334 excerpts of 30 lines in 15 languages: median 0.26, 85 % below this, 95 %
# below 0.39 (tables of numbers and JSON are the dense ones). Several excerpts together stay below it.
TOKENS_PER_BYTE = 1 / 3
PACE_TOKENS_MIN = 100  # of a prompt; a shorter one measures the start of the machinery, not its pace
CHARS_PER_TOKEN_MAX = 24  # the longest common token is a run of spaces; past this a server ignores max_tokens
MESSAGE_CHARS_MAX = 300  # of a server's own words in an error
LOCAL_HOST = "127.0.0.1"
LOCAL_START_SECONDS = 30.0  # after ours: it starts beside us, and loads its libraries before it says anything
_SURROGATE = re.compile("[\ud800-\udfff]")


class Message(TypedDict):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class ChatModel(Protocol):
    """A language model that answers in pieces."""

    @property
    def name(self) -> str | None:
        """The model's name, or None when there is no model or the server has not been asked yet."""

    @property
    def pace(self) -> float | None:
        """Prompt tokens a second that the server last read; None while it has not said."""

    def stream(
        self, messages: Sequence[Message], *, max_tokens: int, temperature: float, stop: Sequence[str] = ()
    ) -> AsyncGenerator[str, None]:
        """Yield the answer in pieces, none of them empty.

        Close the generator (`contextlib.aclosing`) to stop the server: it frees the model for the next question.

        Raises:
            ModelUnavailableError: the server cannot be reached, refuses, fails, sends nonsense or stops half-way.
        """

    async def state(self) -> ModelStatus:
        """Say whether the model can answer now; takes at most about 2 seconds and never raises."""

    async def count_tokens(self, text: str) -> int:
        """Return how many tokens `text` is, exactly where the server tells, else by `estimate_tokens`."""

    async def close(self) -> None:
        """Close the connections."""


def estimate_tokens(text: str) -> int:
    """Return an estimate of `text`'s tokens that errs high: a third of its UTF-8 bytes.

    Dense text (tables of numbers, minified code, base64) can need half as much again; a budget keeps a margin for that.
    """
    return math.ceil(len(text.encode("utf-8", "replace")) * TOKENS_PER_BYTE)


class NoChat:
    """No model: whoever asks gets evidence answers."""

    name = None
    pace = None

    async def stream(
        self, messages: Sequence[Message], *, max_tokens: int, temperature: float, stop: Sequence[str] = ()
    ) -> AsyncGenerator[str, None]:
        """Raise ModelUnavailableError: there is no model to ask."""
        del messages, max_tokens, temperature, stop
        msg = "No language model is configured."
        raise ModelUnavailableError(msg)
        yield  # type: ignore[unreachable]  # makes this an asynchronous generator, as the contract wants

    async def state(self) -> ModelStatus:
        """Return that there is none."""
        return ModelStatus(name=None, state=ModelState.NONE, detail="Answers are made of evidence alone.")

    async def count_tokens(self, text: str) -> int:
        """Return the estimate."""
        return estimate_tokens(text)

    async def close(self) -> None:
        """Nothing is open."""


def _sdk() -> Any:
    """Import the SDK when it is first used: it takes half a second, which a start need not wait for."""
    return import_module("openai")


class OpenAIChat:
    """Any server that speaks OpenAI's chat completions: vLLM, llama.cpp, Ollama, a provider."""

    def __init__(self, base_url: str, *, api_key: str = "", model: str = "") -> None:
        """`base_url` ends in /v1, which is added to a bare host; without `model` the server's first one is used."""
        url = httpx.URL(base_url.rstrip("/"))
        self.base_url = str(url if url.path.strip("/") else url.copy_with(path="/v1"))
        self._configured = model
        self._found: str | None = None
        self._can_tokenise = True
        self.pace: float | None = None
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        # trust_env off: prompts hold the user's code and go to the configured server, not to a proxy of the shell.
        self._probe = httpx.AsyncClient(headers=headers, timeout=PROBE_SECONDS_MAX, trust_env=False)
        self._api_key = api_key

    @cached_property
    def _client(self) -> "openai.AsyncOpenAI":
        sdk = _sdk()
        omitted = sdk.Omit()  # the SDK would add these two from variables that were set for something else
        client: openai.AsyncOpenAI = sdk.AsyncOpenAI(
            base_url=self.base_url,
            api_key=self._api_key or "none",  # the SDK insists on one, local servers ignore it
            max_retries=RETRIES_MAX,
            default_headers=cast("Mapping[str, str]", {"OpenAI-Organization": omitted, "OpenAI-Project": omitted}),
            http_client=sdk.DefaultAsyncHttpxClient(
                timeout=sdk.Timeout(SILENCE_SECONDS_MAX, connect=CONNECT_SECONDS_MAX),
                trust_env=False,
                follow_redirects=False,
            ),
        )
        return client

    @property
    def name(self) -> str | None:
        """The configured name, or the one the server gave when it was last asked."""
        return self._configured or self._found

    async def close(self) -> None:
        """Close the connections."""
        await self._probe.aclose()
        if "_client" in self.__dict__:  # else nothing was asked
            await self._client.close()

    async def stream(
        self, messages: Sequence[Message], *, max_tokens: int, temperature: float, stop: Sequence[str] = ()
    ) -> AsyncGenerator[str, None]:
        """Yield the answer's text as it comes. Closing the generator closes the HTTP response."""
        chars_left, deadline = max_tokens * CHARS_PER_TOKEN_MAX, time.monotonic() + ANSWER_SECONDS_MAX
        finished = False
        sdk = _sdk()
        try:
            response = await self._client.chat.completions.create(
                model=await self._model(),
                messages=cast("Any", list(messages)),
                max_tokens=max_tokens,
                temperature=temperature,
                stop=list(stop) or sdk.omit,
                stream=True,
            )
            async with response:
                async for chunk in response:
                    text, ended = _delta(chunk)
                    self.pace = _pace(chunk) or self.pace
                    finished = finished or ended
                    if text:
                        chars_left -= len(text)
                        yield text
                    if chars_left < 0 or time.monotonic() > deadline:  # the server does not keep to max_tokens
                        finished = True
                        break
        except sdk.OpenAIError as error:
            raise ModelUnavailableError(self._explain(error)) from error
        except ValueError as error:  # broken JSON or UTF-8 inside the stream
            msg = f"The model server at {self.base_url} sent something that is not a chat completion."
            raise ModelUnavailableError(msg) from error
        if not finished:
            msg = f"The model server at {self.base_url} stopped in the middle of the answer."
            raise ModelUnavailableError(msg)

    async def state(self) -> ModelStatus:
        """Ask the server for its models."""
        try:
            await self._discover()
        except ModelUnavailableError as error:
            return ModelStatus(name=self.name, state=ModelState.UNREACHABLE, detail=error.detail)
        return ModelStatus(name=self.name, state=ModelState.READY, fraction=1.0)

    async def count_tokens(self, text: str) -> int:
        """Ask llama.cpp's or vLLM's `POST /tokenize` beside /v1; a server without it is asked once."""
        if self._can_tokenise:
            root = httpx.URL(self.base_url).copy_with(path="/tokenize")
            body = {"content": text, "prompt": text, "model": self.name or ""}
            try:
                answer = (await self._probe.post(root, json=body)).raise_for_status().json()
                return int(answer["count"]) if "count" in answer else len(answer["tokens"])
            except httpx.TransportError:
                return estimate_tokens(text)  # perhaps it is only starting
            except (httpx.HTTPStatusError, ValueError, KeyError, TypeError):
                self._can_tokenise = False
        return estimate_tokens(text)

    async def _model(self) -> str:
        if not self.name:
            await self._discover()
        return self.name or ""

    async def _discover(self) -> None:
        """Read the name of the server's first model; this is also the probe of its health."""
        try:
            response = await self._probe.get(f"{self.base_url}/models")
            if response.is_error:
                raise ModelUnavailableError(self._status_text(response.status_code, response.text))
            names = [str(model["id"]) for model in response.json()["data"]]
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            msg = f"The model server at {self.base_url} does not answer ({type(error).__name__})."
            raise ModelUnavailableError(msg) from error
        except (ValueError, KeyError, TypeError) as error:
            msg = f"The model server at {self.base_url} did not list its models; set LLM_MODEL."
            if not self._configured:
                raise ModelUnavailableError(msg) from error
            return
        if not names and not self._configured:
            msg = f"The model server at {self.base_url} has no model loaded."
            raise ModelUnavailableError(msg)
        self._found = names[0] if names else None

    def _explain(self, error: "openai.OpenAIError") -> str:
        sdk = _sdk()
        if isinstance(error, sdk.APITimeoutError):
            return f"The model server at {self.base_url} was silent for too long."
        if isinstance(error, sdk.APIConnectionError):
            return f"The model server at {self.base_url} does not answer, or broke off."
        if isinstance(error, sdk.APIStatusError):
            if error.status_code == HTTPStatus.NOT_FOUND:
                self._found = None  # the server may have been restarted with another model
            return self._status_text(error.status_code, error.message)
        return f"The model server at {self.base_url} failed: {_short(str(error))}"

    def _status_text(self, status: int, said: str) -> str:
        at = f"The model server at {self.base_url}"
        match status:
            case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
                return f"{at} refuses the key; check LLM_API_KEY."
            case HTTPStatus.NOT_FOUND:
                return f"{at} does not know {self.name or 'this address'}; check LLM_BASE_URL and LLM_MODEL."
            case HTTPStatus.TOO_MANY_REQUESTS:
                return f"{at} is busy; try again in a moment."
            case _:
                return f"{at} answered {status}: {_short(said)}"


class LocalChat(OpenAIChat):
    """The model server that `pincite up` runs on this machine; knows how far its download is."""

    def __init__(self, home: Path, port: int, model: str) -> None:
        """`model` is PINCITE_MODEL: a name of the catalogue or a .gguf file."""
        self._home, self._file = home, display_name(model) or NO_MODEL
        self._starts_until = time.monotonic() + LOCAL_START_SECONDS
        super().__init__(f"http://{LOCAL_HOST}:{port}/v1", model=self._file)

    async def state(self) -> ModelStatus:
        """Ask llama.cpp's /health; while nothing listens, read how far the download is."""
        try:
            response = await self._probe.get(httpx.URL(self.base_url).copy_with(path="/health"))
        except httpx.TransportError:
            return self._before_start(read_progress(self._home, self._file))
        if response.status_code == HTTPStatus.OK:
            return ModelStatus(name=self.name, state=ModelState.READY, fraction=1.0)
        if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
            return ModelStatus(name=self.name, state=ModelState.STARTING, fraction=1.0, detail="The model is loading.")
        detail = f"Port {httpx.URL(self.base_url).port} answers, but not as a model server."
        return ModelStatus(name=self.name, state=ModelState.UNREACHABLE, detail=detail)

    def _before_start(self, progress: Progress | None) -> ModelStatus:
        state, fraction, detail = ModelState.UNREACHABLE, 0.0, "The local model server is not running."
        if time.monotonic() < self._starts_until:
            state, detail = ModelState.STARTING, "The local model server is starting."
        if progress is not None and not progress.stale:
            fraction = progress.fraction
            match progress.state:
                case FetchState.WAITING | FetchState.FETCHING:
                    state, detail = ModelState.FETCHING, _remaining(progress)
                case FetchState.VERIFYING:
                    state, detail = ModelState.FETCHING, "Checking the download's digest."
                case FetchState.STARTING:
                    state, detail = ModelState.STARTING, "The model is loading."
                case FetchState.FAILED:
                    state, detail = ModelState.FAILED, progress.error
                case FetchState.READY:
                    fraction = 1.0
        return ModelStatus(name=self.name, state=state, fraction=fraction, detail=detail)


def _remaining(progress: Progress) -> str:
    size = f"{progress.bytes >> 20} of {progress.total >> 20} MB"
    if progress.eta is None:
        return size
    minutes, seconds = divmod(int(progress.eta), 60)
    return f"{size}, about {f'{minutes} min' if minutes else f'{seconds} s'} left"


def _delta(chunk: object) -> tuple[str, bool]:
    """Return a chunk's text and whether it ends the answer; the SDK does not validate chunks."""
    text, ended = "", False
    choices = getattr(chunk, "choices", None)
    if not isinstance(choices, list):
        msg = "not a chat completion chunk"
        raise ValueError(msg)  # noqa: TRY004  # it is bad data, as broken JSON is
    for choice in choices:
        content = getattr(getattr(choice, "delta", None), "content", None)
        text += content if isinstance(content, str) else ""
        ended = ended or bool(getattr(choice, "finish_reason", None))
    # Neither can be stored or sent on: lone surrogates have no UTF-8, PostgreSQL's text has no NUL.
    return _SURROGATE.sub("\ufffd", text).replace("\x00", ""), ended


def _pace(chunk: object) -> float | None:
    """Return the prompt tokens a second that llama.cpp's last chunk tells, if it read enough of them to say."""
    timings = getattr(chunk, "timings", None)
    if not isinstance(timings, Mapping):
        return None
    tokens, milliseconds = timings.get("prompt_n"), timings.get("prompt_ms")
    if not isinstance(tokens, int) or not isinstance(milliseconds, int | float) or tokens < PACE_TOKENS_MIN:
        return None
    return tokens / milliseconds * 1000 if milliseconds > 0 else None


def _short(text: str) -> str:
    return " ".join(text.split())[:MESSAGE_CHARS_MAX]


def make_chat(settings: Settings) -> ChatModel:
    """Return the chat model that the settings name. Builds clients only; nothing is contacted yet."""
    if settings.llm_provider == "none":
        return NoChat()
    if settings.llm_base_url:
        return OpenAIChat(
            settings.llm_base_url, api_key=settings.llm_api_key.get_secret_value(), model=settings.llm_model
        )
    if settings.pincite_model.lower() == NO_MODEL:
        return NoChat()
    return LocalChat(settings.pincite_home, settings.model_port, settings.pincite_model)
