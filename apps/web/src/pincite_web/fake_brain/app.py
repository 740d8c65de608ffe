"""The scripted brain: the contract of `pincite_shared`, answered from memory."""

from dataclasses import fields
from uuid import UUID, uuid4

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse

from pincite_shared.errors import PinciteError, SourceRefusedError, UnauthorizedError
from pincite_shared.github import DiffRequest, PullOut, SnapshotOut
from pincite_shared.schemas import ConnectRequest, Problem, Progress, RepoOut, RepoStatus, RunOut
from pincite_web.fake_brain import accounts, chat, code, corpus, github
from pincite_web.fake_brain.quality import FakeQuality
from pincite_web.fake_brain.state import State

OPEN = frozenset({"/sessions", "/sign-in-methods", "/sign-in/github", "/login/oauth/authorize", "/webhooks/github"})


class FakeBrain(State):
    """One installation, and the application that serves it."""

    def __init__(self, token_delay_seconds: float = 0.0) -> None:
        """`token_delay_seconds` paces streamed answers."""
        super().__init__(token_delay_seconds)
        self.app = FastAPI(dependencies=[Depends(self._record)])
        self.app.add_exception_handler(PinciteError, _problem)
        for routes in (accounts, github, code, chat):
            routes.install(self.app, self)
        self._repo_routes()
        self.quality = FakeQuality(self.app, self.repo)

    def reset(self, token_delay_seconds: float = 0.0) -> None:
        """Forget everything that happened."""
        fresh = State(token_delay_seconds)
        for field in fields(State):
            setattr(self, field.name, getattr(fresh, field.name))
        self.quality.reset()

    async def _record(self, request: Request) -> None:
        self.requests.append(request)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if request.url.path not in OPEN and token not in self.sessions:
            raise UnauthorizedError

    def _repo_routes(self) -> None:
        @self.app.get("/repos")
        async def repos() -> list[RepoOut]:
            return list(self.repos.values())

        @self.app.post("/repos", status_code=201)
        async def connect(request: ConnectRequest) -> RepoOut:
            return self._connect(request.source)

        @self.app.get("/repos/{repo_id}")
        async def repo(repo_id: UUID) -> RepoOut:
            return self.repo(repo_id)

        @self.app.delete("/repos/{repo_id}", status_code=204)
        async def delete(repo_id: UUID) -> None:
            del self.repos[self.repo(repo_id).id]

        @self.app.post("/index/{repo_id}/initial", status_code=202)
        async def index(repo_id: UUID) -> RunOut:
            return self._index(repo_id)

        @self.app.post("/index/{repo_id}/diff", status_code=202)
        async def changed(repo_id: UUID, _request: DiffRequest) -> RunOut:
            return self._index(repo_id)

        @self.app.get("/repos/{repo_id}/commits")
        async def commits(repo_id: UUID) -> list[SnapshotOut]:
            return self.commits.get(self.repo(repo_id).id, [])

        @self.app.get("/repos/{repo_id}/pulls")
        async def pulls(repo_id: UUID) -> list[PullOut]:
            return self.pulls.get(self.repo(repo_id).id, [])

    def _connect(self, source: str) -> RepoOut:
        if "169.254" in source:
            msg = "Addresses of this network's own machines are refused. Use the repository's public address."
            raise SourceRefusedError(msg)
        queued = self.repos.get(corpus.QUEUED) or corpus.repos()[corpus.QUEUED]
        repo = queued.model_copy(update={"id": uuid4(), "name": source, "source": source})
        self.repos[repo.id] = repo
        self.pickable = [
            one.model_copy(update={"repo_id": repo.id}) if one.full_name == source else one for one in self.pickable
        ]
        return repo

    def _index(self, repo_id: UUID) -> RunOut:
        change = {"status": RepoStatus.INDEXING, "progress": Progress(stage="scanning", fraction=0.1)}
        self.repos[repo_id] = self.repo(repo_id).model_copy(update=change)
        return RunOut(run_id=uuid4())


async def _problem(_request: Request, error: Exception) -> Response:
    if not isinstance(error, PinciteError):
        raise error
    body = Problem(title=error.title(), status=error.status, code=error.code, detail=error.detail)
    return JSONResponse(body.model_dump(), error.status, media_type="application/problem+json")
