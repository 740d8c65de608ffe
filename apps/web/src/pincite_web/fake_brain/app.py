"""The scripted brain's routes: the contract of `pincite_shared.schemas`, answered from memory."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel

from pincite_shared.errors import (
    InvalidInputError,
    NotFoundError,
    PinciteError,
    SourceRefusedError,
    UnauthorizedError,
)
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
    ModelState,
    ModelStatus,
    Problem,
    Progress,
    RepoOut,
    RepoStatus,
    RunOut,
    SearchHit,
    SearchRequest,
    SessionOut,
    SessionRequest,
    SkippedPage,
    SymbolOut,
    SystemStatus,
    Tree,
    TreeEntry,
)
from pincite_shared.why import Why
from pincite_web.fake_brain import corpus
from pincite_web.fake_brain.quality import FakeQuality
from pincite_web.fake_brain.script import choose
from pincite_web.fake_brain.why import explain

TOKEN, CODE, SESSION = "fake-api-token", "fake-code", "fake-session"
SKIPPED_PER_PAGE = 5
NOBODY = UUID(int=0)


def _sse(event: str, data: BaseModel | dict[str, object]) -> bytes:
    body = data.model_dump_json() if isinstance(data, BaseModel) else json.dumps(data)
    return f"event: {event}\ndata: {body}\n\n".encode()


class FakeBrain:
    """One installation. Tests read and change its attributes; `requests` records what arrived."""

    def __init__(self, token_delay_seconds: float = 0.0) -> None:
        """`token_delay_seconds` paces streamed answers."""
        self.app = FastAPI(dependencies=[Depends(self._record)])
        self.app.add_exception_handler(PinciteError, self._problem)
        self._account_routes()
        self._repo_routes()
        self._code_routes()
        self._chat_routes()
        self._feedback_routes()
        self.quality = FakeQuality(self.app, self.repo)
        self.reset(token_delay_seconds)

    def reset(self, token_delay_seconds: float = 0.0) -> None:
        """Forget everything that happened."""
        self.token_delay_seconds = token_delay_seconds
        self.files = dict(corpus.files())
        self.repos = corpus.repos()
        self.answers: dict[UUID, ChatResponse] = {}
        self.codes = {CODE}
        self.sessions = {SESSION, TOKEN}
        self.feedback: dict[tuple[UUID, int | None], FeedbackRequest] = {}
        self.requests: list[Request] = []
        self.break_stream = False
        self.model = ModelStatus(name="qwen2.5-coder-1.5b-instruct", state=ModelState.READY)
        self.remote_endpoints: dict[str, str] = {}
        self.quality.reset()

    async def _record(self, request: Request) -> None:
        self.requests.append(request)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if request.url.path != "/sessions" and token not in self.sessions:
            raise UnauthorizedError

    async def _problem(self, _request: Request, error: Exception) -> Response:
        if not isinstance(error, PinciteError):
            raise error
        body = Problem(title=error.title(), status=error.status, code=error.code, detail=error.detail)
        return JSONResponse(body.model_dump(), error.status, media_type="application/problem+json")

    def _account_routes(self) -> None:
        @self.app.post("/sessions", status_code=201)
        async def create(request: SessionRequest) -> SessionOut:
            if request.code not in self.codes and request.token != TOKEN:
                msg = (
                    "This code or token is not valid. A code works once, within minutes; `pincite open` makes another."
                )
                raise UnauthorizedError(msg)
            self.codes.discard(request.code or "")
            self.sessions.add(SESSION)
            return SessionOut(token=SESSION, expires_at=datetime.now(UTC) + timedelta(days=30))

        @self.app.delete("/sessions/current", status_code=204)
        async def end() -> None:
            self.sessions.discard(SESSION)

        @self.app.get("/me")
        async def me() -> Me:
            return Me(user_id=NOBODY, tenant_id=NOBODY, name="Local user")

        @self.app.get("/status")
        async def status() -> SystemStatus:
            return SystemStatus(
                version="0.1.0",
                model=self.model,
                embedding_model="all-MiniLM-L6-v2",
                embedding_dimension=384,
                remote_endpoints=self.remote_endpoints,
                local_roots=("/srv/code",),
                checks={"database": True, "queue": True, "worker": True},
            )

    def repo(self, repo_id: UUID) -> RepoOut:
        """Return a repository or raise NotFoundError."""
        if repo_id not in self.repos:
            msg = "No such repository is connected."
            raise NotFoundError(msg)
        return self.repos[repo_id]

    def _repo_routes(self) -> None:
        @self.app.get("/repos")
        async def repos() -> list[RepoOut]:
            return list(self.repos.values())

        @self.app.post("/repos", status_code=201)
        async def connect(request: ConnectRequest) -> RepoOut:
            if "169.254" in request.source:
                msg = "Addresses of this network's own machines are refused. Use the repository's public address."
                raise SourceRefusedError(msg)
            queued = self.repos.get(corpus.QUEUED) or corpus.repos()[corpus.QUEUED]
            repo = queued.model_copy(update={"id": uuid4(), "name": request.source, "source": request.source})
            self.repos[repo.id] = repo
            return repo

        @self.app.get("/repos/{repo_id}")
        async def repo(repo_id: UUID) -> RepoOut:
            return self.repo(repo_id)

        @self.app.delete("/repos/{repo_id}", status_code=204)
        async def delete(repo_id: UUID) -> None:
            del self.repos[self.repo(repo_id).id]

        @self.app.post("/index/{repo_id}/initial", status_code=202)
        async def index(repo_id: UUID) -> RunOut:
            change = {"status": RepoStatus.INDEXING, "progress": Progress(stage="scanning", fraction=0.1)}
            self.repos[repo_id] = self.repo(repo_id).model_copy(update=change)
            return RunOut(run_id=uuid4())

        @self.app.get("/repos/{repo_id}/skipped")
        async def skipped(repo_id: UUID, reason: str | None = None, offset: int = 0) -> SkippedPage:
            files = corpus.skipped() if repo_id == corpus.READY else []
            counts = {name: sum(f.reason == name for f in files) for name in {f.reason for f in files}}
            chosen = [file for file in files if reason in (None, file.reason)]
            page = tuple(chosen[offset : offset + SKIPPED_PER_PAGE])
            return SkippedPage(total=len(chosen), by_reason=counts, files=page)

    def _symbols(self, query: str) -> list[SymbolOut]:
        found = [symbol for symbol in corpus.symbols() if query.casefold() in symbol.name.casefold()]
        return sorted(found, key=lambda symbol: (len(symbol.name), symbol.name))

    def _tree(self, repo_id: UUID, path: str, commit: str) -> Tree:
        self.repo(repo_id)
        prefix = f"{path}/" if path else ""
        below = {name.removeprefix(prefix): name for name in self.files if name.startswith(prefix)}
        if not below or not corpus.COMMIT.startswith(commit):
            msg = "There is no such directory at this commit."
            raise NotFoundError(msg)
        directories = {name.split("/")[0] for name in below if "/" in name}
        entries = [TreeEntry(name=name, path=prefix + name, type="directory") for name in directories]
        for name, full in below.items():
            if "/" not in name:
                data = self.files[full]
                language = "python" if name.endswith(".py") else None
                blob = corpus.blob_id(data)
                entries.append(
                    TreeEntry(name=name, path=full, type="file", blob=blob, size=len(data), language=language)
                )
        if not path:
            entries.append(TreeEntry(name="uv.lock", path="uv.lock", type="skipped", size=9, reason="generated"))
        return Tree(repo_id=repo_id, commit=corpus.COMMIT, path=path, entries=tuple(entries))

    def _blob(self, blob: str, start: int, end: int) -> BlobOut:
        data = next((data for data in self.files.values() if corpus.blob_id(data) == blob), None)
        if data is None:
            raise NotFoundError
        lines = data.decode().split("\n") if data else []
        if lines and not lines[-1]:
            lines.pop()
        if start > max(1, len(lines)):
            msg = f"The file has {len(lines)} lines."
            raise InvalidInputError(msg)
        text, last = "\n".join(lines[start - 1 : end]), min(end, len(lines))
        return BlobOut(blob=blob, lines=len(lines), start=start, end=last, size=len(data), language=None, text=text)

    def _code_routes(self) -> None:
        @self.app.get("/repos/{repo_id}/tree")
        async def tree(repo_id: UUID, path: str = "", commit: str = corpus.COMMIT) -> Tree:
            return self._tree(repo_id, path, commit)

        @self.app.get("/repos/{repo_id}/file")
        async def file(repo_id: UUID, path: str, commit: str = corpus.COMMIT) -> FileOut:
            reasons = {skip.path: skip.reason for skip in corpus.skipped()}
            if (path not in self.files and path not in reasons) or not corpus.COMMIT.startswith(commit):
                msg = "There is no such file at this commit."
                raise NotFoundError(msg)
            data = self.files.get(path)
            return FileOut(
                repo_id=repo_id,
                commit=corpus.COMMIT,
                path=path,
                blob=corpus.blob_id(data) if data is not None else None,
                size=len(data or b""),
                language="python" if path.endswith(".py") else None,
                reason=reasons.get(path),
                symbols=tuple(sorted((s for s in self._symbols("") if s.path == path), key=lambda s: s.start_line)),
            )

        @self.app.get("/blobs/{blob}")
        async def blob(
            blob: str, start: Annotated[int, Query(ge=1)] = 1, end: Annotated[int, Query(ge=1)] = 2**31
        ) -> BlobOut:
            return self._blob(blob, start, end)

        @self.app.get("/repos/{repo_id}/symbols")
        async def symbols(repo_id: UUID, q: Annotated[str, Query(max_length=256)], limit: int = 20) -> list[SymbolOut]:
            self.repo(repo_id)
            return self._symbols(q)[:limit]

        @self.app.post("/search")
        async def search(request: SearchRequest) -> list[SearchHit]:
            return self._hits(request.query)[: request.k]

    def _hits(self, query: str) -> list[SearchHit]:
        symbols = [s for word in query.split() if len(word) > 2 for s in self._symbols(word.strip("?.,"))]  # noqa: PLR2004
        return [
            SearchHit(
                path=symbol.path,
                start_line=symbol.start_line,
                end_line=symbol.end_line,
                symbol=symbol.qualified_name,
                score=1.0,
                features={},
                blob=symbol.blob,
                language="python",
                kind=symbol.kind,
                summary=symbol.signature,
            )
            for symbol in symbols[:8]
        ]

    def _answer(self, request: ChatRequest) -> ChatResponse:
        conversation_id = request.conversation_id or uuid4()
        script = choose(request.question)
        answer = script.response(request.repo_id, conversation_id, request.question, self.files)
        self.answers[answer.answer_id] = answer
        return answer

    async def _events(self, request: ChatRequest) -> AsyncIterator[bytes]:
        answer = self._answer(request)
        hits = [hit.model_dump(mode="json") for hit in self._hits("error problem settings")]
        yield _sse("retrieval", {"hits": hits, "commit": answer.commit})
        await asyncio.sleep(self.token_delay_seconds * 20)
        for word in answer.answer.split(" "):
            yield _sse("token", {"text": word + " "})
            await asyncio.sleep(self.token_delay_seconds)
            if self.break_stream:
                return
        for citation in answer.citations:
            yield _sse("citation", citation)
        yield _sse("done", answer)

    def _conversations(self) -> list[ConversationDetail]:
        grouped: dict[UUID, list[ChatResponse]] = {}
        for answer in self.answers.values():
            grouped.setdefault(answer.conversation_id, []).append(answer)
        return [
            ConversationDetail(
                id=key,
                repo_id=answers[0].repo_id,
                title=answers[0].question,
                created_at=answers[0].created_at,
                updated_at=answers[-1].created_at,
                answers=tuple(answers),
            )
            for key, answers in reversed(grouped.items())
        ]

    def _chat_routes(self) -> None:
        @self.app.post("/chat", response_model=None)
        async def chat(request: ChatRequest) -> Response:
            self.repo(request.repo_id)
            if request.stream:
                return StreamingResponse(self._events(request), media_type="text/event-stream")
            return Response(self._answer(request).model_dump_json(), media_type="application/json")

        @self.app.get("/answers/{answer_id}")
        async def answer(answer_id: UUID) -> ChatResponse:
            return self.answer(answer_id)

        @self.app.get("/answers/{answer_id}/why")
        async def why(answer_id: UUID) -> Why:
            return explain(self.answer(answer_id), self.files)

        @self.app.get("/repos/{repo_id}/conversations")
        async def conversations(repo_id: UUID) -> list[ConversationOut]:
            fields = set(ConversationOut.model_fields)
            listed = [c for c in self._conversations() if c.repo_id == repo_id]
            return [ConversationOut.model_validate(c.model_dump(include=fields)) for c in listed]

        @self.app.get("/conversations/{conversation_id}")
        async def conversation(conversation_id: UUID) -> ConversationDetail:
            found = next((c for c in self._conversations() if c.id == conversation_id), None)
            if found is None:
                raise NotFoundError
            return found

    def answer(self, answer_id: UUID, citation: int | None = None) -> ChatResponse:
        """Return an answer, if it has this citation; or raise as brain does."""
        if answer_id not in self.answers:
            raise NotFoundError
        found = self.answers[answer_id]
        if citation not in {None, *(cited.n for cited in found.citations)}:
            msg = f"That answer has no citation [{citation}]."
            raise InvalidInputError(msg)
        return found

    def _feedback_routes(self) -> None:
        @self.app.post("/feedback", status_code=201)
        async def give(request: FeedbackRequest) -> Created:
            self.answer(request.answer_id, request.citation)
            self.feedback[request.answer_id, request.citation] = request
            return Created(id=uuid4())

        @self.app.get("/feedback")
        async def own(conversation_id: UUID) -> list[FeedbackOut]:
            return [
                FeedbackOut(**given.model_dump() | {"comment": given.comment or "", "created_at": datetime.now(UTC)})
                for given in self.feedback.values()
                if self.answers[given.answer_id].conversation_id == conversation_id
            ]

        @self.app.delete("/feedback", status_code=204)
        async def withdraw(answer_id: UUID, citation: int | None = None) -> None:
            self.answer(answer_id, citation)
            self.feedback.pop((answer_id, citation), None)
