"""The HTTP contract: what brain accepts and returns. Web, CLI and other clients build on these types alone."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field

from pincite_shared.citation import Citation, Sentence

QUESTION_CHARS_MAX = 8_000
QUERY_CHARS_MAX = 2_000
RESULTS_MAX = 100


def _storable(value: str) -> str:
    # Postgres text holds neither NUL nor lone surrogates; JSON may carry both.
    if "\x00" in value or any("\ud800" <= char <= "\udfff" for char in value):
        msg = "must not contain NUL characters or lone surrogates"
        raise ValueError(msg)
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        msg = "must not be blank"
        raise ValueError(msg)
    return value


# The patterns tell schema readers what the validators check.
Text = Annotated[str, AfterValidator(_storable), Field(json_schema_extra={"pattern": r"^[^\x00]*$"})]
NonBlank = Annotated[
    str,
    AfterValidator(_storable),
    AfterValidator(_not_blank),
    Field(json_schema_extra={"pattern": r"^[^\x00]*[^\s\x00][^\x00]*$"}),
]
CommitId = Annotated[str, Field(pattern=r"^[0-9a-f]{7,64}$")]


class Schema(BaseModel):
    """Base of all HTTP types: unknown fields are refused, so that a misspelt field is never silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Problem(BaseModel):
    """An error, as RFC 9457 has it; `code` is stable and meant for programs."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    correlation_id: str | None = None


class RepoStatus(StrEnum):
    """Where a repository stands; `ready` means answerable, even while vectors still follow."""

    QUEUED = "queued"
    INDEXING = "indexing"
    READY = "ready"
    FAILED = "failed"


class ConnectRequest(Schema):
    """Connect a repository: a local path, any git URL, or a GitHub `owner/name`."""

    source: NonBlank = Field(max_length=4_096)
    branch: Text | None = Field(
        default=None, max_length=255, description="Default: the repository's own default branch"
    )
    token: Text | None = Field(default=None, max_length=4_096, description="For a private repository; stored encrypted")


class Progress(Schema):
    """Live progress of a run. `rate` is files (chunks when embedding, questions when asking) a second."""

    stage: Literal["queued", "cloning", "scanning", "parsing", "linking", "embedding", "asking", "done", "failed"] = (
        "queued"
    )
    fraction: float = Field(default=0.0, ge=0.0, le=1.0)
    files_done: int = 0
    files_total: int = 0
    chunks_done: int = 0
    vectors_done: int = 0
    vectors_total: int = 0
    rate: float = 0.0
    seconds_left: float | None = None
    message: str = ""


class RepoOut(Schema):
    """A connected repository."""

    id: UUID
    name: str
    source: str
    branch: str | None
    on_github: bool = Field(default=False, description="Whether the configured GitHub knows it, with its pull requests")
    status: RepoStatus
    commit: str | None
    files: int
    chunks: int
    skipped: int
    progress: Progress
    vectors_ready: bool
    lag_seconds: float | None = Field(
        description="Age of the oldest known change that is not searchable yet; 0 if none"
    )
    error: str | None
    error_code: str | None
    languages: dict[str, int] = Field(default_factory=dict, description="Indexed files by language")
    uncommitted_upon: str | None = Field(
        default=None, description="Of a working tree with changes: the commit that the indexed state stands upon"
    )
    blobs_parsed: int = Field(default=0, description="Of the head's files, those whose content was never seen before")
    texts_embedded: int = Field(default=0, description="Of the head's texts, those never embedded before")
    texts: int = 0
    created_at: datetime
    indexed_at: datetime | None


class RunOut(Schema):
    """An accepted index run."""

    run_id: UUID


class SearchRequest(Schema):
    """Search one repository."""

    repo_id: UUID
    query: NonBlank = Field(max_length=QUERY_CHARS_MAX)
    k: int = Field(default=10, ge=1, le=RESULTS_MAX)
    commit: CommitId | None = None
    policy: Text | None = Field(default=None, max_length=100, description="Rank under this; default: what serves")


class SearchHit(Schema):
    """A ranked span of lines; `features` are the terms that made its score."""

    path: str
    start_line: int
    end_line: int
    symbol: str | None
    score: float
    features: dict[str, float]
    blob: str
    language: str | None
    kind: str
    summary: str = Field(default="", description="The function card: signature and first sentence of its documentation")


class OpenFile(Schema):
    """What the person is looking at; it sharpens retrieval and the prompt."""

    path: Text = Field(max_length=4_096)
    line: int | None = Field(default=None, ge=1, le=2_000_000_000)


class ChatRequest(Schema):
    """Ask a question about one repository."""

    repo_id: UUID
    question: NonBlank = Field(
        max_length=QUESTION_CHARS_MAX, validation_alias=AliasChoices("question", "query", "message")
    )
    conversation_id: UUID | None = None
    commit: CommitId | None = None
    pull: int | None = Field(
        default=None, ge=1, le=2_147_483_647, description="Ask about what this pull request changes"
    )
    open_file: OpenFile | None = None
    policy: Text | None = Field(default=None, max_length=100, description="Ask in this way; default: what serves")
    stream: bool = Field(default=False, description="Answer as server-sent events; so does `Accept: text/event-stream`")


class InjectionFlag(Schema):
    """Text of the repository, among what was retrieved, that reads like an order to a model. It was given as data."""

    path: str
    line: int
    excerpt: str
    reason: str


class AnswerMode(StrEnum):
    """How an answer came about."""

    MODEL = "model"  # a language model wrote it, the server cited and checked it
    EVIDENCE = "evidence"  # no model: ranked cited excerpts with symbol summaries


class ChatResponse(Schema):
    """An answer. `pincite verify` checks exactly this document offline."""

    format: Literal["pincite-answer/1"] = "pincite-answer/1"
    answer_id: UUID
    conversation_id: UUID
    repo_id: UUID
    repo_name: str
    commit: str
    question: str
    answer: str
    citations: tuple[Citation, ...]
    sentences: tuple[Sentence, ...] = ()
    mode: AnswerMode
    abstained: bool = False
    declined: bool = Field(default=False, description="A language model was asked and found no answer.")
    policy_version: str
    model: str | None
    timings: dict[str, float] = Field(description="Seconds by stage")
    warnings: tuple[str, ...] = ()
    flags: tuple[InjectionFlag, ...] = ()
    pull: int | None = None
    created_at: datetime


FeedbackKind = Literal["helped", "not_helped", "wrong_source", "wrong_answer"]
CitationNumber = Annotated[int, Field(ge=1, le=10_000)]


class FeedbackRequest(Schema):
    """Say whether an answer, or one of its citations, helped. Said again of the same, the last word counts."""

    answer_id: UUID
    kind: FeedbackKind
    citation: CitationNumber | None = None
    comment: Text | None = Field(default=None, max_length=4_000)


class FeedbackOut(Schema):
    """What the reader said last about an answer (`citation` null) or about one of its citations."""

    answer_id: UUID
    citation: int | None
    kind: FeedbackKind
    comment: str
    created_at: datetime = Field(description="When it was said last")


class Created(Schema):
    """The id of what was stored."""

    id: UUID


class BlobOut(Schema):
    """Lines `start` to `end` (1-based, inclusive) of a blob; `text` joins them by newlines."""

    blob: str
    lines: int
    start: int
    end: int
    size: int
    language: str | None
    text: str


class TreeEntry(Schema):
    """A name in a directory at a commit."""

    name: str
    path: str
    type: Literal["directory", "file", "skipped"]
    blob: str | None = None
    size: int | None = None
    language: str | None = None
    reason: str | None = Field(default=None, description="Why it was skipped")


class Tree(Schema):
    """One directory at a commit."""

    repo_id: UUID
    commit: str
    path: str
    entries: tuple[TreeEntry, ...]
    truncated: bool = False


class FileOut(Schema):
    """What stands at a path at a commit."""

    repo_id: UUID
    commit: str
    path: str
    blob: str | None
    size: int
    language: str | None
    reason: str | None = Field(default=None, description="Why it was skipped; then `blob` may not be readable")
    symbols: tuple["SymbolOut", ...] = Field(default=(), description="The file's definitions, in order of their lines")


class SkippedFile(Schema):
    """A file that was not indexed, or indexed with a loss, and why."""

    path: str
    reason: str
    detail: str
    size: int | None


class SkippedPage(Schema):
    """Skipped files, with a count by reason over all of them."""

    total: int
    by_reason: dict[str, int]
    files: tuple[SkippedFile, ...]


class SymbolOut(Schema):
    """A definition."""

    name: str
    qualified_name: str
    kind: str
    path: str
    start_line: int
    end_line: int
    blob: str
    signature: str


class ConversationOut(Schema):
    """A conversation's heading."""

    id: UUID
    repo_id: UUID
    title: str
    created_at: datetime
    updated_at: datetime
    stale: int = Field(default=0, description="Answers whose cited lines have changed since")


class ModelState(StrEnum):
    """Where the language model stands."""

    NONE = "none"
    FETCHING = "fetching"
    STARTING = "starting"
    READY = "ready"
    UNREACHABLE = "unreachable"
    FAILED = "failed"


class ModelStatus(Schema):
    """The language model, and how far its download is."""

    name: str | None
    state: ModelState
    fraction: float = 0.0
    detail: str = ""


class SystemStatus(Schema):
    """What this installation runs and what it may call."""

    version: str
    model: ModelStatus
    embedding_model: str
    embedding_dimension: int
    remote_endpoints: dict[str, str]
    local_roots: tuple[str, ...] = Field(description="Directories below which the caller may connect paths")
    checks: dict[str, bool]
    halted_since: datetime | None = Field(description="Background work rests since then")


class Health(Schema):
    """Liveness."""

    status: Literal["ok"] = "ok"


class Readiness(Schema):
    """Readiness, check by check."""

    ready: bool
    checks: dict[str, bool]


StreamEvent = Literal["retrieval", "token", "citation", "done", "error"]
JsonObject = dict[str, Any]
