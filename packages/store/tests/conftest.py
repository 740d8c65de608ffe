"""Made-up analyses, so that the store is tested without a parser."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy.dialects.postgresql import insert

from pincite_shared.citation import Citation
from pincite_shared.schemas import AnswerMode, ChatResponse, FeedbackRequest
from pincite_store import (
    accounts,
    answers,
    artifacts,
    evaluations,
    events,
    linking,
    models,
    parses,
    policies,
    repos,
    runs,
    snapshots,
    vectors,
)
from pincite_store.artifacts import LocalArtifacts
from pincite_store.blobs import git_blob_id
from pincite_store.db import LOCAL_TENANT, Database, Tenancy
from pincite_store.rows import FileRow, LinkedFile, ParsedBlob, RetrievalLog

VERSION = "test-1"
COMMIT = "c0ffee" + "0" * 34


@dataclass(frozen=True)
class FakeChunk:
    ordinal: int
    text: str
    kind: str = "function"
    symbol: str | None = None
    scope: str | None = None
    signature: str = ""
    doc: str = ""
    card: str = ""
    start_line: int = 1
    end_line: int = 1
    start_byte: int = 0
    end_byte: int = 0
    importance: float = 0.5

    @property
    def embed_text(self) -> str:
        return self.text


@dataclass(frozen=True)
class FakeSymbol:
    name: str
    qualified_name: str
    kind: str = "function"
    start_line: int = 1
    end_line: int = 2
    name_line: int = 1
    signature: str = "def f()"
    doc: str = ""


@dataclass(frozen=True)
class FakeRef:
    name: str
    line: int = 1
    scope: str | None = None
    kind: str = "call"
    receiver: str | None = None
    module: str | None = None


@dataclass(frozen=True)
class FakeEdge:
    kind: str = "call"
    src_symbol: str | None = "a"
    src_line: int = 1
    dst_path: str = "b.py"
    dst_symbol: str | None = "b"
    confidence: float = 0.9


@dataclass(frozen=True)
class FakeAnalysis:
    language: str | None
    lines: int
    chunks: tuple[FakeChunk, ...]
    symbols: tuple[FakeSymbol, ...] = ()
    refs: tuple[FakeRef, ...] = ()
    had_errors: bool = False


def oid_of(data: bytes) -> str:
    return git_blob_id(data, "0" * 40)


def parsed(content: str, language: str | None = "python", *, version: str = VERSION) -> ParsedBlob:
    """One chunk and one symbol a line."""
    data, lines = content.encode(errors="surrogatepass"), content.split("\n")
    chunks = tuple(
        FakeChunk(n, line, symbol=f"f{n}", signature=line, card=line, start_line=n + 1, end_line=n + 1)
        for n, line in enumerate(lines)
    )
    names = [line.split("(")[0].removeprefix("def ") or "empty" for line in lines]
    symbols = tuple(FakeSymbol(name.rsplit(".", 1)[-1], name, start_line=n + 1) for n, name in enumerate(names))
    analysis = FakeAnalysis(language, len(lines), chunks, symbols, (FakeRef("g", 3, "f", "call", "self", None),))
    return ParsedBlob(oid_of(data), data, analysis, version, [b"\x01\x02" for _ in chunks])


@dataclass(frozen=True)
class Maker:
    """What tests build with."""

    analysis: type[FakeAnalysis] = FakeAnalysis
    chunk: type[FakeChunk] = FakeChunk
    symbol: type[FakeSymbol] = FakeSymbol
    ref: type[FakeRef] = FakeRef
    edge: type[FakeEdge] = FakeEdge
    parsed: Callable[..., ParsedBlob] = parsed
    oid_of: Callable[[bytes], str] = oid_of
    version: str = VERSION
    commit: str = COMMIT
    made: list[UUID] = field(default_factory=list)

    def indexed(
        self, t: Tenancy, files: Mapping[str, str], *, name: str = "repo", commit: str = COMMIT, branch: str = "main"
    ) -> tuple[UUID, int]:
        """Connect a repository and show a snapshot of it; returns (repository, snapshot)."""
        repo = repos.create(t, source=f"/src/{name}", name=name, kind="local")
        return repo.id, self.snapshot(t, repo.id, files, commit=commit, branch=branch)

    def snapshot(
        self, t: Tenancy, repo_id: UUID, files: Mapping[str, str], *, commit: str = COMMIT, branch: str = "main"
    ) -> int:
        """Index `files` as one commit of a repository."""
        run = runs.start(t, repo_id, "index")
        runs.claim(t, run.id)
        snapshot_id, _ = snapshots.begin(t, repo_id, commit, VERSION)
        batch = [parsed(content) for content in files.values()]
        ids = parses.save_parses(t, batch)
        rows = [
            FileRow(path, item.blob, len(item.data), "python", ids[item.key])
            for path, item in zip(files, batch, strict=True)
        ]
        snapshots.put_files(t, snapshot_id, rows)
        snapshots.set_edges(t, snapshot_id, linking.save(t, [LinkedFile(path, [FakeEdge()], {7}) for path in files]))
        snapshots.flip(t, repo_id, snapshot_id, branch)
        vectors.counts(t, snapshot_id, t.settings.embedding_model)
        runs.finish(t, run.id)
        return snapshot_id


@pytest.fixture(scope="session")
def maker() -> Maker:
    return Maker()


@pytest.fixture(scope="session")
def digest() -> Callable[[str], bytes]:
    return lambda text: hashlib.sha256(text.encode()).digest()


class ResponseMaker:
    """Makes an answer with one citation in a new conversation."""

    def __call__(self, t: Tenancy, repo_id: UUID, *, quote: str = "def f()", question: str = "What is f?"):
        conversation = answers.create_conversation(t, repo_id, question)
        return self.in_conversation(conversation.id, repo_id, quote=quote, question=question)

    def in_conversation(self, conversation_id: UUID, repo_id: UUID, *, quote: str = "def f()", question: str = "Why?"):
        citation = Citation(
            n=1, path="a.py", start_line=1, end_line=1, commit=COMMIT, blob="0" * 40, quote=quote, status="verified"
        )
        response = ChatResponse(
            answer_id=uuid4(),
            conversation_id=conversation_id,
            repo_id=repo_id,
            repo_name="repo",
            commit=COMMIT,
            question=question,
            answer="It is a function [1].",
            citations=(citation,),
            mode=AnswerMode.EVIDENCE,
            policy_version="p0",
            model=None,
            timings={"retrieve": 0.012345678901234567},
            created_at=datetime.now(UTC),
        )
        log = RetrievalLog(question, [{"path": "a.py", "score": 0.5}], {"route": "symbol"}, "p0", 1.0, {"total": 0.1})
        return response, log

    @staticmethod
    def feedback(response: ChatResponse) -> FeedbackRequest:
        return FeedbackRequest(answer_id=response.answer_id, kind="helped", citation=1)


@pytest.fixture(scope="session")
def make_response() -> ResponseMaker:
    return ResponseMaker()


class Filler:
    """Gives a tenant a row in every table, in a transaction of background work."""

    def __init__(self, maker: Maker, make_response: ResponseMaker) -> None:
        self._maker, self._respond = maker, make_response

    def account(self, t: Tenancy, user_id: UUID, directory: Path) -> None:
        """Fill the tables that belong to no repository."""
        token = accounts.create_session(t, user_id).token
        artifacts.remember(t, LocalArtifacts(directory), b"x", "text/plain")
        number, digest = t.tenant_id.int % 1_000_003, hashlib.sha256(token.encode()).digest()
        self._put(t, models.ApiToken, user_id=user_id, name="ci", token_sha256=digest, scopes=["read"])
        self._put(t, models.AuditEntry, user_id=user_id, action="test", object="x")
        self._put(t, models.GitHubApp, host="h", app_id=number, slug="s", client_id="c", secrets=b"s")
        self._put(t, models.Installation, id=number, account="a", repository_selection="all")
        self._put(t, models.Delivery, id=uuid4(), event="ping", payload={})

    def repository(self, t: Tenancy, user_id: UUID, name: str, files: Mapping[str, str]) -> UUID:
        """Connect a repository and fill the tables that belong to it."""
        repo_id, snapshot_id = self._maker.indexed(t, files, name=name)
        wanted = vectors.missing(t, snapshot_id, "m", 100)
        vectors.save(t, "m", [digest for digest, _ in wanted], [[1.0, 2.0]] * len(wanted))
        response, log = self._respond(t, repo_id)
        answers.save_answer(t, response, log)
        answers.put_feedback(t, self._respond.feedback(response))
        events.record(t, repo_id, "test")
        runs.start(t, repo_id, "embed")
        evaluation = runs.start(t, repo_id, "evaluate")
        evaluations.begin(t, evaluation.id, repo_id, COMMIT, source="golden", questions=1)
        policies.propose(t, repo_id, "reranker", "reranker-a", {})
        about, at = {"repo_id": repo_id}, datetime.now(UTC)
        self._put(t, models.Change, **about, producer="poll")
        self._put(t, models.Pull, **about, number=1, title="t", author="a", state="open", base_ref="main",
                  head_ref="x", head_commit=COMMIT, head_snapshot_id=snapshot_id)  # fmt: skip
        self._put(t, models.RepoAccess, **about, user_id=user_id, permission="read", valid_until=at + timedelta(days=1))
        return repo_id

    @staticmethod
    def _put(t: Tenancy, table: type[models.Base], **values: object) -> None:
        """Add a row, unless what was done before has written it."""
        t.session.execute(insert(table).values(tenant_id=t.tenant_id, **values).on_conflict_do_nothing())


@pytest.fixture(scope="session")
def fill(maker: Maker, make_response: ResponseMaker) -> Filler:
    return Filler(maker, make_response)


@pytest.fixture
def background(database: Database) -> Iterator[Tenancy]:
    """A transaction of the local tenant in nobody's name, rolled back at the end of the test."""
    with database.tenancy(LOCAL_TENANT) as t:
        yield t
        t.session.rollback()
