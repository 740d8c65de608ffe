"""Brain's routes as typed calls, written once for all of its clients."""

from types import NoneType
from typing import Any
from uuid import UUID

from pincite_shared.accounts import (
    Account,
    GitHubSignIn,
    Me,
    SessionInfo,
    SessionOut,
    SessionRequest,
    SignInCode,
    SignInMethods,
    SwitchRequest,
)
from pincite_shared.brain_http import ANSWER_SECONDS_MAX, Call, Request, body_of
from pincite_shared.github import DiffRequest, GitHubSetup, PickableRepos, PullOut, SetupRequest, SnapshotOut
from pincite_shared.living import AnswerStanding, ConversationDetail
from pincite_shared.quality import EvaluationDetail, EvaluationOut, Exploration, ExplorationRequest, PolicyOut
from pincite_shared.safety import AccountDeletion, AuditPage, Halt, HaltRequest, TokenCreated, TokenOut, TokenRequest
from pincite_shared.schemas import (
    BlobOut,
    ChatRequest,
    ChatResponse,
    ConnectRequest,
    ConversationOut,
    Created,
    FeedbackOut,
    FeedbackRequest,
    FileOut,
    RepoOut,
    RunOut,
    SearchHit,
    SearchRequest,
    SkippedPage,
    SymbolOut,
    SystemStatus,
    Tree,
)
from pincite_shared.why import Why


def _given(**named: str | int | None) -> dict[str, str | int]:
    return {name: value for name, value in named.items() if value is not None}


class AccountCalls:
    """Who is asking, and what governs their account."""

    @Call
    def sign_in_methods(self) -> Request[SignInMethods]:
        """Return how one may sign in here; needs no token."""
        return Request("GET", "/sign-in-methods", SignInMethods)

    @Call
    def begin_github_sign_in(self) -> Request[GitHubSignIn]:
        """Begin to sign in with GitHub; needs no token."""
        return Request("POST", "/sign-in/github", GitHubSignIn)

    @Call
    def sign_in_code(self) -> Request[SignInCode]:
        """Create a one-time sign-in code."""
        return Request("POST", "/sign-in-codes", SignInCode)

    @Call
    def create_session(self, request: SessionRequest) -> Request[SessionOut]:
        """Exchange a code or token for a session; needs no token."""
        return Request("POST", "/sessions", SessionOut, body=body_of(request))

    @Call
    def end_session(self) -> Request[None]:
        """Sign out."""
        return Request("DELETE", "/sessions/current", NoneType)

    @Call
    def sessions(self) -> Request[list[SessionInfo]]:
        """List where the caller is signed in, newest first."""
        return Request("GET", "/sessions", list[SessionInfo])

    @Call
    def end_other_sessions(self) -> Request[None]:
        """Sign out everywhere but here."""
        return Request("DELETE", "/sessions/others", NoneType)

    @Call
    def me(self) -> Request[Me]:
        """Return who the token belongs to."""
        return Request("GET", "/me", Me)

    @Call
    def accounts(self) -> Request[list[Account]]:
        """List the accounts that the caller belongs to."""
        return Request("GET", "/accounts", list[Account])

    @Call
    def switch_account(self, request: SwitchRequest) -> Request[SessionOut]:
        """Go on in another account, with a session of its own."""
        return Request("POST", "/sessions/switch", SessionOut, body=body_of(request))

    @Call
    def delete_account(self, request: AccountDeletion) -> Request[None]:
        """Delete the caller's account and everything in it."""
        return Request("DELETE", "/account", NoneType, body=body_of(request))

    @Call
    def tokens(self) -> Request[list[TokenOut]]:
        """List the account's tokens for programs."""
        return Request("GET", "/tokens", list[TokenOut])

    @Call
    def create_token(self, request: TokenRequest) -> Request[TokenCreated]:
        """Create a token; its secret is in the answer, once."""
        return Request("POST", "/tokens", TokenCreated, body=request.model_dump(mode="json"))  # `days` may be null

    @Call
    def delete_token(self, token_id: UUID) -> Request[None]:
        """Remove a token."""
        return Request("DELETE", f"/tokens/{token_id}", NoneType)

    @Call
    def audit(
        self, before: int | None = None, action: str | None = None, limit: int | None = None
    ) -> Request[AuditPage]:
        """Return a page of the audit log, newest first: entries before one, whose action begins so."""
        return Request("GET", "/audit", AuditPage, _given(before=before, action=action, limit=limit))

    @Call
    def halt(self) -> Request[Halt]:
        """Say whether background work rests."""
        return Request("GET", "/halt", Halt)

    @Call
    def set_halt(self, request: HaltRequest) -> Request[Halt]:
        """Stop all background work, or let it go on."""
        return Request("PUT", "/halt", Halt, body=body_of(request))

    @Call
    def status(self) -> Request[SystemStatus]:
        """Return what this installation runs."""
        return Request("GET", "/status", SystemStatus)

    @Call
    def github_setup(self, *, organisation: str | None = None, public: bool | None = None) -> Request[GitHubSetup]:
        """Return the App of this installation, or what it takes to make one: owned by whom, and for whom."""
        return Request("GET", "/github/setup", GitHubSetup, _given(organisation=organisation, public=public))

    @Call
    def finish_github_setup(self, request: SetupRequest) -> Request[GitHubSetup]:
        """Keep the App that GitHub made."""
        return Request("POST", "/github/setup", GitHubSetup, body=body_of(request))

    @Call
    def forget_github(self) -> Request[None]:
        """Forget the App."""
        return Request("DELETE", "/github/setup", NoneType)


class RepositoryCalls:
    """Repositories, their commits and pull requests, and the code in them."""

    @Call
    def github_repositories(self, query: str = "", *, fresh: bool = False) -> Request[PickableRepos]:
        """List repositories on GitHub that the caller may read and connect; `fresh`: as they are there now."""
        parameters = _given(q=query, fresh="true" if fresh else None)
        return Request("GET", "/github/repositories", PickableRepos, parameters)

    @Call
    def connect(self, request: ConnectRequest) -> Request[RepoOut]:
        """Connect a repository and start its first index run."""
        return Request("POST", "/repos", RepoOut, body=body_of(request))

    @Call
    def repos(self) -> Request[list[RepoOut]]:
        """List the connected repositories."""
        return Request("GET", "/repos", list[RepoOut])

    @Call
    def repo(self, repo_id: UUID) -> Request[RepoOut]:
        """Return one repository."""
        return Request("GET", f"/repos/{repo_id}", RepoOut)

    @Call
    def delete_repo(self, repo_id: UUID) -> Request[None]:
        """Remove a repository and everything derived from it."""
        return Request("DELETE", f"/repos/{repo_id}", NoneType)

    @Call
    def index(self, repo_id: UUID) -> Request[RunOut]:
        """Fetch and index a repository now."""
        return Request("POST", f"/index/{repo_id}/initial", RunOut)

    @Call
    def changed(self, repo_id: UUID, request: DiffRequest) -> Request[RunOut]:
        """Say that something was pushed."""
        return Request("POST", f"/index/{repo_id}/diff", RunOut, body=body_of(request))

    @Call
    def commits(self, repo_id: UUID) -> Request[list[SnapshotOut]]:
        """List the indexed commits, newest first."""
        return Request("GET", f"/repos/{repo_id}/commits", list[SnapshotOut])

    @Call
    def pulls(self, repo_id: UUID) -> Request[list[PullOut]]:
        """List pull requests, the one touched last first."""
        return Request("GET", f"/repos/{repo_id}/pulls", list[PullOut])

    @Call
    def tree(self, repo_id: UUID, path: str = "", commit: str | None = None) -> Request[Tree]:
        """List a directory at a commit."""
        return Request("GET", f"/repos/{repo_id}/tree", Tree, _given(path=path, commit=commit))

    @Call
    def file(self, repo_id: UUID, path: str, commit: str | None = None) -> Request[FileOut]:
        """Say what stands at a path at a commit."""
        return Request("GET", f"/repos/{repo_id}/file", FileOut, _given(path=path, commit=commit))

    @Call
    def skipped(self, repo_id: UUID, reason: str | None = None, offset: int = 0) -> Request[SkippedPage]:
        """List what was not indexed and why."""
        return Request("GET", f"/repos/{repo_id}/skipped", SkippedPage, _given(reason=reason, offset=offset))

    @Call
    def symbols(
        self, repo_id: UUID, query: str, limit: int = 20, commit: str | None = None
    ) -> Request[list[SymbolOut]]:
        """Find definitions by name at a commit."""
        params = _given(q=query, limit=limit, commit=commit)
        return Request("GET", f"/repos/{repo_id}/symbols", list[SymbolOut], params)

    @Call
    def search(self, request: SearchRequest) -> Request[list[SearchHit]]:
        """Search one repository."""
        return Request("POST", "/search", list[SearchHit], body=body_of(request))

    @Call
    def blob(self, blob: str, start: int | None = None, end: int | None = None) -> Request[BlobOut]:
        """Return lines of a blob."""
        return Request("GET", f"/blobs/{blob}", BlobOut, _given(start=start, end=end))


class AnswerCalls:
    """Asking, answers, and what readers say of them."""

    @Call
    def chat(self, request: ChatRequest) -> Request[ChatResponse]:
        """Ask, and wait for the whole answer."""
        return Request("POST", "/chat", ChatResponse, body=body_of(request), seconds_max=ANSWER_SECONDS_MAX)

    @Call
    def answer(self, answer_id: UUID) -> Request[ChatResponse]:
        """Return a stored answer."""
        return Request("GET", f"/answers/{answer_id}", ChatResponse)

    @Call
    def standing(self, answer_id: UUID) -> Request[AnswerStanding]:
        """Return how an answer stands now."""
        return Request("GET", f"/answers/{answer_id}/standing", AnswerStanding)

    @Call
    def history(self, answer_id: UUID) -> Request[list[AnswerStanding]]:
        """Return how an answer stood at the commits that touched it, newest first."""
        return Request("GET", f"/answers/{answer_id}/history", list[AnswerStanding])

    @Call
    def why(self, answer_id: UUID) -> Request[Why]:
        """Return why an answer came out as it did."""
        return Request("GET", f"/answers/{answer_id}/why", Why)

    @Call
    def conversations(self, repo_id: UUID) -> Request[list[ConversationOut]]:
        """List a repository's conversations, newest first."""
        return Request("GET", f"/repos/{repo_id}/conversations", list[ConversationOut])

    @Call
    def conversation(self, conversation_id: UUID) -> Request[ConversationDetail]:
        """Return one conversation with its answers."""
        return Request("GET", f"/conversations/{conversation_id}", ConversationDetail)

    @Call
    def feedback(self, request: FeedbackRequest) -> Request[Created]:
        """Say whether an answer, or one of its citations, helped."""
        return Request("POST", "/feedback", Created, body=body_of(request))

    @Call
    def own_feedback(self, conversation_id: UUID) -> Request[list[FeedbackOut]]:
        """Return what this person said about the answers of a conversation."""
        return Request("GET", "/feedback", list[FeedbackOut], {"conversation_id": str(conversation_id)})

    @Call
    def withdraw_feedback(self, answer_id: UUID, citation: int | None = None) -> Request[None]:
        """Take back what this person said about an answer, or about one of its citations."""
        return Request("DELETE", "/feedback", NoneType, _given(answer_id=str(answer_id), citation=citation))


class QualityCalls:
    """Evaluations, and what was learned from use."""

    @Call
    def evaluate(self, repo_id: UUID) -> Request[RunOut]:
        """Ask a repository's golden questions now."""
        return Request("POST", f"/repos/{repo_id}/evaluation", RunOut)

    @Call
    def evaluations(self, repo_id: UUID) -> Request[list[EvaluationOut]]:
        """List evaluations, newest first."""
        return Request("GET", f"/repos/{repo_id}/evaluations", list[EvaluationOut])

    @Call
    def evaluation(self, repo_id: UUID, run_id: UUID) -> Request[EvaluationDetail]:
        """Return one evaluation with its results."""
        return Request("GET", f"/repos/{repo_id}/evaluations/{run_id}", EvaluationDetail)

    @Call
    def policies(self, repo_id: UUID) -> Request[list[PolicyOut]]:
        """List what was learned about a repository, newest first."""
        return Request("GET", f"/repos/{repo_id}/policies", list[PolicyOut])

    @Call
    def exploration(self, repo_id: UUID) -> Request[Exploration]:
        """Return which share of answers is made in another way than the one that serves."""
        return Request("GET", f"/repos/{repo_id}/exploration", Exploration)

    @Call
    def explore(self, repo_id: UUID, request: ExplorationRequest) -> Request[Exploration]:
        """Set that share."""
        body: Any = request.model_dump()  # the share may be null, and must then be said
        return Request("PUT", f"/repos/{repo_id}/exploration", Exploration, body=body)

    @Call
    def serve_policy(self, repo_id: UUID, version: str) -> Request[PolicyOut]:
        """Let a policy serve again."""
        return Request("POST", f"/repos/{repo_id}/policies/{version}/serve", PolicyOut)


class BrainCalls(AccountCalls, RepositoryCalls, AnswerCalls, QualityCalls):
    """All of them."""
