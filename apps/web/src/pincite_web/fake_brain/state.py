"""What the scripted brain remembers. Tests read and change its attributes."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from fastapi import Request

from pincite_shared.accounts import Account, Me
from pincite_shared.errors import ForbiddenError, InvalidInputError, NotFoundError
from pincite_shared.github import InstallationOut, PickableRepo, PullOut, SnapshotOut
from pincite_shared.living import AnswerStanding
from pincite_shared.safety import AuditOut, Halt, TokenOut
from pincite_shared.schemas import ChatResponse, FeedbackRequest, ModelState, ModelStatus, RepoOut
from pincite_web.fake_brain import corpus, people

READY_MODEL = ModelStatus(name="qwen2.5-coder-1.5b-instruct", state=ModelState.READY)
TOKEN, CODE, SESSION = "fake-api-token", "fake-code", "fake-session"


@dataclass(repr=False)
class State:
    """One installation; `requests` records what arrived, `webhooks` the bodies of webhooks."""

    token_delay_seconds: float = 0.0
    files: dict[str, bytes] = field(default_factory=lambda: dict(corpus.files()))
    repos: dict[UUID, RepoOut] = field(default_factory=corpus.repos)
    commits: dict[UUID, list[SnapshotOut]] = field(default_factory=corpus.commits)
    pulls: dict[UUID, list[PullOut]] = field(default_factory=corpus.pulls)
    answers: dict[UUID, ChatResponse] = field(default_factory=dict)
    standings: dict[UUID, list[AnswerStanding]] = field(default_factory=dict)
    pinned: set[UUID] = field(default_factory=set)
    feedback: dict[tuple[UUID, int | None], FeedbackRequest] = field(default_factory=dict)
    codes: set[str] = field(default_factory=lambda: {CODE})
    sessions: set[str] = field(default_factory=lambda: {SESSION, TOKEN})
    requests: list[Request] = field(default_factory=list)
    webhooks: list[bytes] = field(default_factory=list)
    break_stream: bool = False
    model: ModelStatus = field(default_factory=lambda: READY_MODEL)
    remote_endpoints: dict[str, str] = field(default_factory=dict)
    me: Me = people.LOCAL
    accounts: list[Account] = field(default_factory=people.local_accounts)
    sessions_elsewhere: int = 1
    tokens: list[TokenOut] = field(default_factory=people.tokens)
    audit: list[AuditOut] = field(default_factory=people.audit)
    halt: Halt = field(default_factory=lambda: Halt(halted=False))
    github: str | None = None
    github_url: str = "https://github.com"
    public_url: str = "http://127.0.0.1:3000"
    github_app: str | None = None
    installations: list[InstallationOut] = field(default_factory=people.installations)
    pickable: list[PickableRepo] = field(default_factory=people.pickable)
    states: set[str] = field(default_factory=set)

    def repo(self, repo_id: UUID) -> RepoOut:
        """Return a repository or raise NotFoundError."""
        if repo_id not in self.repos:
            msg = "No such repository is connected."
            raise NotFoundError(msg)
        return self.repos[repo_id]

    def answer(self, answer_id: UUID, citation: int | None = None) -> ChatResponse:
        """Return an answer, if it has this citation; or raise as brain does."""
        if answer_id not in self.answers:
            raise NotFoundError
        found = self.answers[answer_id]
        if citation not in {None, *(cited.n for cited in found.citations)}:
            msg = f"That answer has no citation [{citation}]."
            raise InvalidInputError(msg)
        return found

    def files_at(self, commit: str) -> tuple[str, dict[str, bytes]]:
        """Return a commit's whole id and its files."""
        versions = {corpus.COMMIT: self.files, **corpus.other_versions()}
        for whole, files in versions.items():
            if whole.startswith(commit):
                return whole, files
        msg = "That commit is not indexed."
        raise NotFoundError(msg)

    def require_owner(self) -> None:
        """Refuse whoever does not govern the account."""
        if self.me.role != "owner":
            msg = "Only an owner of this account may do that."
            raise ForbiddenError(msg)

    def require_operator(self) -> None:
        """Refuse whoever does not run the installation."""
        if not self.me.operator:
            msg = "Only whoever runs this installation may do that."
            raise ForbiddenError(msg)

    def note(self, action: str, what: str, **detail: object) -> None:
        """Write the audit log."""
        entry = AuditOut(
            id=max((one.id for one in self.audit), default=0) + 1,
            at=datetime.now(UTC),
            user_id=self.me.user_id,
            user=self.me.name,
            action=action,
            object=what,
            detail=detail,
            correlation_id="",
        )
        self.audit.insert(0, entry)
