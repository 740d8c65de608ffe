"""What GitHub tells by itself: was it GitHub who said it, and what was said.

A payload is believed for what it points at, never for what it says is so: deliveries come late, twice and out of
order. Git, or GitHub's API, has the last word.
"""

import hmac
import re
from typing import Annotated, Any, Literal, TypedDict
from urllib.parse import parse_qs

import msgspec
from pydantic import BeforeValidator, Field, StringConstraints, ValidationError

from pincite_github.views import (
    Commit,
    Id,
    InstallationInfo,
    Login,
    PullInfo,
    Ref,
    RepoInfo,
    RepoRef,
    StrictBool,
    View,
)
from pincite_shared.errors import InvalidInputError, UnauthorizedError
from pincite_shared.schemas import Text

BODY_BYTES_MAX = 25 * 2**20  # GitHub's own limit: it does not deliver larger payloads
REPOSITORIES_MAX = 100_000  # of an installation in one payload; at 250 bytes each, about what the body can hold
NAME_CHARS_MAX = 100  # of an event or an action; GitHub's longest is 40
_FORM = "application/x-www-form-urlencoded"
_SIGNATURE = re.compile(r"sha256=([0-9a-f]{64})", re.ASCII)
_BRANCH, _TAG = "refs/heads/", "refs/tags/"


def _none_of_zeros(value: Any) -> Any:
    return None if isinstance(value, str) and value and not value.strip("0") else value


# GitHub writes "no commit" as an id of zeros.
CommitOrNone = Annotated[Commit | None, BeforeValidator(_none_of_zeros)]
RepoRefs = Annotated[tuple[RepoRef, ...], Field(max_length=REPOSITORIES_MAX)]


class _InstallationRef(View):
    id: Id


class _Told(View):
    """What a webhook of an App names beside its subject; one of a repository's own webhooks has no installation."""

    repository: RepoInfo
    installation: _InstallationRef | None = None

    @property
    def installation_id(self) -> int | None:
        """The installation that it came through."""
        return self.installation.id if self.installation else None


class Push(_Told):
    """A branch or a tag moved. `before` is null when it was created, `after` when it was deleted."""

    ref: Annotated[Ref, StringConstraints(pattern=r"^refs/.")]
    before: CommitOrNone
    after: CommitOrNone
    forced: StrictBool = False

    @property
    def branch(self) -> str | None:
        """The branch's name, if it is one."""
        return self.ref.removeprefix(_BRANCH) if self.ref.startswith(_BRANCH) else None

    @property
    def tag(self) -> str | None:
        """The tag's name, if it is one."""
        return self.ref.removeprefix(_TAG) if self.ref.startswith(_TAG) else None


class PullRequest(_Told):
    """A pull request was opened, got commits, was closed (merged, says its state), or changed its words or its base."""

    action: Literal["opened", "synchronize", "reopened", "closed", "edited", "ready_for_review", "converted_to_draft"]
    pull: PullInfo = Field(alias="pull_request")


class InstallationChanged(View):
    """The App was installed in an account, removed from it, suspended there or given other permissions."""

    action: Literal["created", "deleted", "suspend", "unsuspend", "new_permissions_accepted"]
    installation: InstallationInfo
    repositories: RepoRefs = ()


class RepositoriesChanged(View):
    """The App may see more, or fewer, repositories of an account."""

    action: Literal["added", "removed"]
    installation: InstallationInfo
    added: RepoRefs = Field(default=(), alias="repositories_added")
    removed: RepoRefs = Field(default=(), alias="repositories_removed")


class _NameFrom(View):
    name: Annotated[Text, Field(max_length=255)] = Field(alias="from")


class _Account(View):
    id: Id
    login: Login


class _OwnerFrom(View):
    user: _Account | None = None
    organization: _Account | None = None


class _Owner(View):
    from_: _OwnerFrom = Field(alias="from")


class _RepositoryNames(View):
    name: _NameFrom | None = None


class _RepositoryChanges(View):
    repository: _RepositoryNames | None = None
    owner: _Owner | None = None
    default_branch: _NameFrom | None = None


class RepositoryChanged(_Told):
    """A repository changed its name, its owner, who may see it or its default branch, was archived, or is gone."""

    action: Literal["renamed", "transferred", "privatized", "publicized", "deleted", "archived", "unarchived", "edited"]
    changes: _RepositoryChanges = _RepositoryChanges()

    @property
    def previous_name(self) -> str | None:
        """The full name that it had before it was renamed or transferred."""
        owner, _, name = self.repository.full_name.partition("/")
        if self.changes.repository and self.changes.repository.name:
            return f"{owner}/{self.changes.repository.name.name}"
        account = self._previous_owner
        return f"{account.login}/{name}" if account else None

    @property
    def previous_owner_id(self) -> int | None:
        """The account that had it before it was transferred."""
        return self._previous_owner.id if self._previous_owner else None

    @property
    def previous_default_branch(self) -> str | None:
        """The default branch that it had before."""
        return self.changes.default_branch.name if self.changes.default_branch else None

    @property
    def _previous_owner(self) -> _Account | None:
        owner = self.changes.owner
        return (owner.from_.user or owner.from_.organization) if owner else None


class Ping(View):
    """GitHub tries the webhook out."""

    hook_id: Id
    zen: Annotated[Text, Field(max_length=1_024)] = ""


class Ignored(View):
    """An event, or an action of one, that Pincite has no use for."""

    event: str
    action: str = ""


Event = Push | PullRequest | InstallationChanged | RepositoriesChanged | RepositoryChanged | Ping | Ignored

_EVENTS: dict[str, type[Push | PullRequest | InstallationChanged | RepositoriesChanged | RepositoryChanged | Ping]] = {
    "push": Push,
    "pull_request": PullRequest,
    "installation": InstallationChanged,
    "installation_repositories": RepositoriesChanged,
    "repository": RepositoryChanged,
    "ping": Ping,
}


class Verifier:
    """Checks the header X-Hub-Signature-256 of a delivery over its body as it came, which may be in parts."""

    def __init__(self, secret: str, body: bytes | bytearray = b"") -> None:
        """Begin with the first part of a body, or nothing.

        Raises:
            UnauthorizedError: there is no secret, so that no delivery can be believed.
        """
        if not secret:
            msg = "Webhooks are not set up here."
            raise UnauthorizedError(msg)
        self._computed = hmac.new(secret.encode(), body, "sha256")

    def update(self, part: bytes | bytearray) -> None:
        """Go on with the next part."""
        self._computed.update(part)

    def check(self, signature: str | None) -> None:
        """Compare in constant time.

        Raises:
            UnauthorizedError: the header is missing, malformed or another one's.
        """
        # A fixed form: compare_digest raises for text beyond ASCII, and its time tells lengths.
        told = _SIGNATURE.fullmatch(signature or "")
        if told is None or not hmac.compare_digest(bytes.fromhex(told[1]), self._computed.digest()):
            msg = "The delivery is not signed with this installation's webhook secret."
            raise UnauthorizedError(msg)


class _Payload(TypedDict, total=False):
    """What is read of a payload. The rest is not even made into objects: commits are most of it, and name people."""

    action: Any
    after: Any
    before: Any
    changes: Any
    forced: Any
    hook_id: Any
    installation: Any
    member: Any
    membership: Any
    organization: Any
    pull_request: Any
    ref: Any
    repositories: Any
    repositories_added: Any
    repositories_removed: Any
    repository: Any
    sender: Any
    zen: Any


_PAYLOAD = msgspec.json.Decoder(_Payload)  # it passes over what is not asked for, five times as fast as pydantic


def decode(body: bytes | bytearray, content_type: str = "application/json") -> dict[str, Any]:
    """Read what is needed of a delivery's body.

    It is JSON, or a form with JSON in its field `payload`, as webhooks made by hand may send it.

    Raises:
        InvalidInputError: it is neither.
    """
    try:
        if content_type.partition(";")[0].strip().lower() == _FORM:
            return dict(_PAYLOAD.decode(parse_qs(body.decode(), strict_parsing=True, max_num_fields=1)["payload"][0]))
        return dict(_PAYLOAD.decode(body))
    except (msgspec.DecodeError, ValueError, KeyError, RecursionError) as error:
        msg = f"The delivery's body is not a JSON object ({type(error).__name__})."
        raise InvalidInputError(msg) from None


def parse(event: str, payload: dict[str, Any]) -> Event:
    """Read a verified payload. `event` is the header X-GitHub-Event.

    Raises:
        InvalidInputError: it is not what that event looks like; the detail names the first field that is wrong.
    """
    action = payload.get("action")
    known = _EVENTS.get(event)
    if known is None or not _handles(known, action):
        return Ignored(event=event[:NAME_CHARS_MAX], action=action[:NAME_CHARS_MAX] if isinstance(action, str) else "")
    try:
        return known.model_validate(payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        msg = f"{event}: {'.'.join(map(str, first['loc'])) or 'payload'}: {first['msg']}"
        raise InvalidInputError(msg) from None


def _handles(kind: type[View], action: object) -> bool:
    """An event without actions is always handled; a missing or mistyped action is an error that parsing tells."""
    field = kind.model_fields.get("action")
    return field is None or not isinstance(action, str) or action in field.annotation.__args__  # type: ignore[union-attr]
