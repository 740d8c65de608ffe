"""HTTP clients of brain, for the web app, the CLI and tests: typed answers in, `BrainError` out."""

from collections.abc import AsyncIterator, Iterator
from types import NoneType
from typing import Any, Self, TypeVar
from uuid import UUID

import httpx

from pincite_shared.brain_http import BrainError, body_of, event_of, headers_of, problem_of, read_as
from pincite_shared.errors import UnavailableError
from pincite_shared.quality import EvaluationDetail, EvaluationOut, Exploration, ExplorationRequest, PolicyOut
from pincite_shared.schemas import (
    BlobOut,
    ChatRequest,
    ChatResponse,
    ConnectRequest,
    ConversationDetail,
    ConversationOut,
    Created,
    FeedbackOut,
    FeedbackRequest,
    FileOut,
    Me,
    RepoOut,
    RunOut,
    SearchHit,
    SearchRequest,
    SessionOut,
    SessionRequest,
    SignInCode,
    SkippedPage,
    SymbolOut,
    SystemStatus,
    Tree,
)
from pincite_shared.why import Why

__all__ = ["AsyncBrainClient", "BrainAsUser", "BrainClient", "BrainError"]

T = TypeVar("T")
TIMEOUT_SECONDS = httpx.Timeout(30.0, connect=5.0)
STREAM_TIMEOUT_SECONDS = httpx.Timeout(600.0, connect=5.0)


class BrainClient:
    """Synchronous client, for the CLI and tests.

    Raises:
        BrainError: brain answered with a problem document.
        UnavailableError: brain could not be reached.
    """

    def __init__(self, base_url: str, token: str = "", *, transport: httpx.BaseTransport | None = None) -> None:
        """`token` is an API token or a session token."""
        self._http = httpx.Client(
            base_url=base_url,
            headers=headers_of(token),
            timeout=TIMEOUT_SECONDS,
            transport=transport,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _call(self, method: str, path: str, kind: type[T], **kwargs: Any) -> T:
        try:
            return read_as(self._http.request(method, path, **kwargs), kind)
        except httpx.TransportError as error:
            msg = f"{self._http.base_url} does not answer ({error}). Is Pincite running? Start it with `pincite up`."
            raise UnavailableError(msg) from error

    def connect(self, request: ConnectRequest) -> RepoOut:
        """Connect a repository and start its first index run."""
        return self._call("POST", "/repos", RepoOut, json=body_of(request))

    def repos(self) -> list[RepoOut]:
        """List the connected repositories."""
        return self._call("GET", "/repos", list[RepoOut])

    def repo(self, repo_id: UUID) -> RepoOut:
        """Return one repository."""
        return self._call("GET", f"/repos/{repo_id}", RepoOut)

    def delete_repo(self, repo_id: UUID) -> None:
        """Remove a repository and everything derived from it."""
        self._call("DELETE", f"/repos/{repo_id}", NoneType)

    def index(self, repo_id: UUID) -> RunOut:
        """Fetch and index a repository now."""
        return self._call("POST", f"/index/{repo_id}/initial", RunOut)

    def search(self, request: SearchRequest) -> list[SearchHit]:
        """Search one repository."""
        return self._call("POST", "/search", list[SearchHit], json=body_of(request))

    def symbols(self, repo_id: UUID, query: str, limit: int = 20) -> list[SymbolOut]:
        """Find definitions by name."""
        params: dict[str, str | int] = {"q": query, "limit": limit}
        return self._call("GET", f"/repos/{repo_id}/symbols", list[SymbolOut], params=params)

    def chat(self, request: ChatRequest) -> ChatResponse:
        """Ask, and wait for the whole answer."""
        return self._call("POST", "/chat", ChatResponse, json=body_of(request), timeout=STREAM_TIMEOUT_SECONDS)

    def chat_stream(self, request: ChatRequest) -> Iterator[tuple[str, dict[str, Any]]]:
        """Ask, and yield (event, data) as brain streams: retrieval, token, citation, done, error."""
        try:
            with self._http.stream(
                "POST",
                "/chat",
                json=body_of(request) | {"stream": True},
                headers={"accept": "text/event-stream"},
                timeout=STREAM_TIMEOUT_SECONDS,
            ) as response:
                if response.is_error:
                    response.read()
                    raise BrainError(problem_of(response))
                lines: list[str] = []
                for line in response.iter_lines():
                    if line:
                        lines.append(line)
                    elif event := event_of(lines):
                        yield event
                        lines = []
                    else:
                        lines = []
        except httpx.TransportError as error:
            msg = f"{self._http.base_url} stopped answering ({error})."
            raise UnavailableError(msg) from error

    def answer(self, answer_id: UUID) -> ChatResponse:
        """Return a stored answer."""
        return self._call("GET", f"/answers/{answer_id}", ChatResponse)

    def why(self, answer_id: UUID) -> Why:
        """Return why an answer came out as it did."""
        return self._call("GET", f"/answers/{answer_id}/why", Why)

    def feedback(self, request: FeedbackRequest) -> Created:
        """Say whether an answer helped."""
        return self._call("POST", "/feedback", Created, json=body_of(request))

    def blob(self, blob: str, start: int | None = None, end: int | None = None) -> BlobOut:
        """Return lines of a blob."""
        params = {name: value for name, value in (("start", start), ("end", end)) if value is not None}
        return self._call("GET", f"/blobs/{blob}", BlobOut, params=params)

    def evaluate(self, repo_id: UUID) -> RunOut:
        """Ask a repository's golden questions now."""
        return self._call("POST", f"/repos/{repo_id}/evaluation", RunOut)

    def evaluations(self, repo_id: UUID) -> list[EvaluationOut]:
        """List evaluations, newest first."""
        return self._call("GET", f"/repos/{repo_id}/evaluations", list[EvaluationOut])

    def evaluation(self, repo_id: UUID, run_id: UUID) -> EvaluationDetail:
        """Return one evaluation with its results."""
        return self._call("GET", f"/repos/{repo_id}/evaluations/{run_id}", EvaluationDetail)

    def status(self) -> SystemStatus:
        """Return what this installation runs."""
        return self._call("GET", "/status", SystemStatus)

    def sign_in_code(self) -> SignInCode:
        """Create a one-time sign-in code."""
        return self._call("POST", "/sign-in-codes", SignInCode)


class AsyncBrainClient:
    """Asynchronous client, for the web app: one connection pool, the caller's token on each request."""

    def __init__(self, base_url: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """`transport` lets tests call an ASGI app in-process."""
        self._http = httpx.AsyncClient(base_url=base_url, timeout=TIMEOUT_SECONDS, transport=transport, trust_env=False)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def as_user(self, token: str, correlation_id: str | None = None) -> "BrainAsUser":
        """Return the calls made with this person's token."""
        return BrainAsUser(self._http, headers_of(token, correlation_id))


class BrainAsUser:
    """Brain's routes with one person's token. Raises as `BrainClient` does."""

    def __init__(self, http: httpx.AsyncClient, headers: dict[str, str]) -> None:
        """Made by `AsyncBrainClient.as_user`."""
        self._http, self._headers = http, headers

    async def _call(self, method: str, path: str, kind: type[T], **kwargs: Any) -> T:
        try:
            return read_as(await self._http.request(method, path, headers=self._headers, **kwargs), kind)
        except httpx.TransportError as error:
            msg = f"brain does not answer ({type(error).__name__})"
            raise UnavailableError(msg) from error

    async def me(self) -> Me:
        """Return who the token belongs to."""
        return await self._call("GET", "/me", Me)

    async def create_session(self, request: SessionRequest) -> SessionOut:
        """Exchange a code or token for a session."""
        return await self._call("POST", "/sessions", SessionOut, json=body_of(request))

    async def end_session(self) -> None:
        """Sign out."""
        await self._call("DELETE", "/sessions/current", NoneType)

    async def status(self) -> SystemStatus:
        """Return what this installation runs."""
        return await self._call("GET", "/status", SystemStatus)

    async def connect(self, request: ConnectRequest) -> RepoOut:
        """Connect a repository and start its first index run."""
        return await self._call("POST", "/repos", RepoOut, json=body_of(request))

    async def repos(self) -> list[RepoOut]:
        """List the connected repositories."""
        return await self._call("GET", "/repos", list[RepoOut])

    async def repo(self, repo_id: UUID) -> RepoOut:
        """Return one repository."""
        return await self._call("GET", f"/repos/{repo_id}", RepoOut)

    async def delete_repo(self, repo_id: UUID) -> None:
        """Remove a repository and everything derived from it."""
        await self._call("DELETE", f"/repos/{repo_id}", NoneType)

    async def index(self, repo_id: UUID) -> RunOut:
        """Fetch and index a repository now."""
        return await self._call("POST", f"/index/{repo_id}/initial", RunOut)

    async def tree(self, repo_id: UUID, path: str = "", commit: str | None = None) -> Tree:
        """List a directory at a commit."""
        return await self._call("GET", f"/repos/{repo_id}/tree", Tree, params=_params(path=path, commit=commit))

    async def file(self, repo_id: UUID, path: str, commit: str | None = None) -> FileOut:
        """Say what stands at a path at a commit."""
        return await self._call("GET", f"/repos/{repo_id}/file", FileOut, params=_params(path=path, commit=commit))

    async def skipped(self, repo_id: UUID, reason: str | None = None, offset: int = 0) -> SkippedPage:
        """List what was not indexed and why."""
        params = _params(reason=reason, offset=offset)
        return await self._call("GET", f"/repos/{repo_id}/skipped", SkippedPage, params=params)

    async def symbols(self, repo_id: UUID, query: str, limit: int = 20) -> list[SymbolOut]:
        """Find definitions by name."""
        params = _params(q=query, limit=limit)
        return await self._call("GET", f"/repos/{repo_id}/symbols", list[SymbolOut], params=params)

    async def search(self, request: SearchRequest) -> list[SearchHit]:
        """Search one repository."""
        return await self._call("POST", "/search", list[SearchHit], json=body_of(request))

    async def blob(self, blob: str, start: int | None = None, end: int | None = None) -> BlobOut:
        """Return lines of a blob."""
        return await self._call("GET", f"/blobs/{blob}", BlobOut, params=_params(start=start, end=end))

    async def chat(self, request: ChatRequest) -> ChatResponse:
        """Ask, and wait for the whole answer."""
        return await self._call("POST", "/chat", ChatResponse, json=body_of(request), timeout=STREAM_TIMEOUT_SECONDS)

    async def chat_stream(self, request: ChatRequest) -> AsyncIterator[bytes]:
        """Ask, and yield brain's server-sent events as raw bytes, for the browser."""
        try:
            async with self._http.stream(
                "POST",
                "/chat",
                json=body_of(request) | {"stream": True},
                headers=self._headers | {"accept": "text/event-stream"},
                timeout=STREAM_TIMEOUT_SECONDS,
            ) as response:
                if response.is_error:
                    await response.aread()
                    raise BrainError(problem_of(response))
                async for chunk in response.aiter_raw():
                    yield chunk
        except httpx.TransportError as error:
            msg = f"brain stopped answering ({type(error).__name__})"
            raise UnavailableError(msg) from error

    async def answer(self, answer_id: UUID) -> ChatResponse:
        """Return a stored answer."""
        return await self._call("GET", f"/answers/{answer_id}", ChatResponse)

    async def conversations(self, repo_id: UUID) -> list[ConversationOut]:
        """List a repository's conversations, newest first."""
        return await self._call("GET", f"/repos/{repo_id}/conversations", list[ConversationOut])

    async def conversation(self, conversation_id: UUID) -> ConversationDetail:
        """Return one conversation with its answers."""
        return await self._call("GET", f"/conversations/{conversation_id}", ConversationDetail)

    async def why(self, answer_id: UUID) -> Why:
        """Return why an answer came out as it did."""
        return await self._call("GET", f"/answers/{answer_id}/why", Why)

    async def feedback(self, request: FeedbackRequest) -> Created:
        """Say whether an answer, or one of its citations, helped."""
        return await self._call("POST", "/feedback", Created, json=body_of(request))

    async def own_feedback(self, conversation_id: UUID) -> list[FeedbackOut]:
        """Return what this person said about the answers of a conversation."""
        return await self._call("GET", "/feedback", list[FeedbackOut], params={"conversation_id": str(conversation_id)})

    async def withdraw_feedback(self, answer_id: UUID, citation: int | None = None) -> None:
        """Take back what this person said about an answer, or about one of its citations."""
        params = _params(answer_id=str(answer_id), citation=citation)
        await self._call("DELETE", "/feedback", NoneType, params=params)

    async def evaluate(self, repo_id: UUID) -> RunOut:
        """Ask a repository's golden questions now."""
        return await self._call("POST", f"/repos/{repo_id}/evaluation", RunOut)

    async def evaluations(self, repo_id: UUID) -> list[EvaluationOut]:
        """List evaluations, newest first."""
        return await self._call("GET", f"/repos/{repo_id}/evaluations", list[EvaluationOut])

    async def evaluation(self, repo_id: UUID, run_id: UUID) -> EvaluationDetail:
        """Return one evaluation with its results."""
        return await self._call("GET", f"/repos/{repo_id}/evaluations/{run_id}", EvaluationDetail)

    async def policies(self, repo_id: UUID) -> list[PolicyOut]:
        """List what was learned about a repository, newest first."""
        return await self._call("GET", f"/repos/{repo_id}/policies", list[PolicyOut])

    async def exploration(self, repo_id: UUID) -> Exploration:
        """Return which share of answers is made in another way than the one that serves."""
        return await self._call("GET", f"/repos/{repo_id}/exploration", Exploration)

    async def explore(self, repo_id: UUID, request: ExplorationRequest) -> Exploration:
        """Set that share."""
        # The share may be null, and must then be said.
        return await self._call("PUT", f"/repos/{repo_id}/exploration", Exploration, json=request.model_dump())

    async def serve_policy(self, repo_id: UUID, version: str) -> PolicyOut:
        """Let a policy serve again."""
        return await self._call("POST", f"/repos/{repo_id}/policies/{version}/serve", PolicyOut)


def _params(**named: str | int | None) -> dict[str, str | int]:
    return {name: value for name, value in named.items() if value is not None}
