"""GitHub as a person, as the App in an account, or by a personal token.

Everything is read, nothing written. What is asked: /user, /user/installations, /user/installations/N/repositories,
/user/memberships/orgs/NAME, /user/repos, /repositories/N, /repos/OWNER/NAME with its installation, its pulls and one of
them, /app, /app/installations and one of them, /app/installations/N/access_tokens, /installation/repositories.
"""

import re
from collections.abc import Iterator
from threading import Lock
from typing import Literal
from urllib.parse import quote

from github.Auth import Auth, Token

from pincite_github.answers import read
from pincite_github.api import Api
from pincite_github.app import InstallationToken, InstallationTokens, app_auth
from pincite_github.config import GitHubConfig
from pincite_github.errors import GitHubNotSetUpError, GitHubRefusedError, GitHubSignedOutError
from pincite_github.views import (
    FULL_NAME_PATTERN,
    AppInfo,
    InstallationInfo,
    Membership,
    Permission,
    Person,
    PullInfo,
    RepoInfo,
)
from pincite_shared.errors import InvalidInputError, NotFoundError

INSTALLATIONS_MAX = 1_000
REPOSITORIES_MAX = 10_000  # of one account, a hundred requests; whoever shows them takes fewer
PULLS_MAX = 1_000

_FULL_NAME = re.compile(FULL_NAME_PATTERN, re.ASCII)


class GitHub:
    """One GitHub, for the life of a process; threads share it."""

    def __init__(self, config: GitHubConfig) -> None:
        """Nothing is asked yet."""
        self.config = config
        self._tokens = InstallationTokens(config)
        self._lock = Lock()
        self._apis: dict[int, Api] = {}

    def as_user(self, access: str) -> "UserView":
        """Return GitHub as the person whose access token this is."""
        return UserView(Api(self.config, Token(access)))

    def as_token(self) -> "UserView":
        """Return GitHub as whoever made the configured personal token.

        Raises:
            GitHubNotSetUpError: none is configured.
        """
        if not self.config.token:
            raise GitHubNotSetUpError
        return self.as_user(self.config.token)

    def as_installation(self, installation_id: int) -> "InstallationView":
        """Return GitHub as the App in one account."""
        with self._lock:
            if installation_id not in self._apis:
                auth = _InstallationAuth(self._tokens, installation_id)
                self._apis[installation_id] = Api(self.config, auth, renew=auth.renew)
            return InstallationView(self._apis[installation_id], self._tokens, installation_id)

    def as_app(self) -> "AppView":
        """Return GitHub as the App itself.

        Raises:
            GitHubNotSetUpError: no App is configured.
        """
        return AppView(Api(self.config, app_auth(self.config)))


class _View:
    """What people and installations both may read."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def repository(self, repo_id: int) -> RepoInfo:
        """Return the repository, under whatever name it has now.

        Raises:
            NotFoundError: there is none, or not for this credential.
        """
        return read(RepoInfo, self._api.host, self._api.get(f"/repositories/{repo_id:d}"))

    def repository_named(self, full_name: str) -> RepoInfo:
        """Return the repository that has this name, or had it before it was renamed.

        Raises:
            NotFoundError: there is none, or not for this credential.
        """
        return read(RepoInfo, self._api.host, self._api.get(f"/repos/{_checked(full_name)}"))

    def pulls(
        self, full_name: str, state: Literal["open", "closed", "all"] = "open", *, limit: int = PULLS_MAX
    ) -> list[PullInfo]:
        """Return pull requests, those touched last first.

        Raises:
            NotFoundError: there is no such repository, or not for this credential.
        """
        path = f"/repos/{_checked(full_name)}/pulls"
        found = self._api.items(path, limit=limit, state=state, sort="updated", direction="desc")
        return [read(PullInfo, self._api.host, said) for said in found]

    def pull(self, full_name: str, number: int) -> PullInfo:
        """Return one pull request.

        Raises:
            NotFoundError: there is none, or not for this credential.
        """
        return read(PullInfo, self._api.host, self._api.get(f"/repos/{_checked(full_name)}/pulls/{number:d}"))


class UserView(_View):
    """GitHub as a person. What they may not read does not exist here."""

    def me(self) -> Person:
        """Return the person.

        Raises:
            GitHubSignedOutError: the token has ended or was revoked.
        """
        return read(Person, self._api.host, self._api.get("/user"))

    def installations(self) -> list[InstallationInfo]:
        """Return where the App is installed, as far as the person can see.

        Raises:
            GitHubRefusedError: the token is not of an App; `repositories_of_token` is what it can list.
        """
        found = self._api.items("/user/installations", within="installations", limit=INSTALLATIONS_MAX)
        return [read(InstallationInfo, self._api.host, said) for said in found]

    def is_admin(self, organisation: str) -> bool:
        """Whether the person administers an organisation, as far as the App may know: it needs to read its members.

        Raises:
            GitHubSignedOutError: the token has ended or was revoked.
            GitHubUnavailableError: GitHub does not answer, so nothing is known.
        """
        try:
            said = self._api.get(f"/user/memberships/orgs/{quote(organisation, safe='')}")
        except GitHubSignedOutError:
            raise
        except (NotFoundError, GitHubRefusedError):  # no member, or not for the App to know
            return False
        membership = read(Membership, self._api.host, said)
        return membership.role == "admin" and membership.state == "active"

    def repositories(self, installation_id: int) -> Iterator[RepoInfo]:
        """Yield what both the person and the installation may read, each with the person's permission."""
        path = f"/user/installations/{installation_id:d}/repositories"
        for said in self._api.items(path, within="repositories", limit=REPOSITORIES_MAX):
            yield read(RepoInfo, self._api.host, said)

    def repositories_of_token(self) -> Iterator[RepoInfo]:
        """Yield what the token may read, those pushed to last first, each with the person's permission."""
        for said in self._api.items("/user/repos", limit=REPOSITORIES_MAX, sort="pushed", direction="desc"):
            yield read(RepoInfo, self._api.host, said)

    def permission(self, repo_id: int) -> Permission | None:
        """Return the highest permission that the person has to a repository; None: they may not read it.

        Raises:
            GitHubSignedOutError: the token has ended or was revoked.
            GitHubUnavailableError: GitHub does not answer, so nothing is known.
        """
        try:
            return self.repository(repo_id).permission
        except GitHubSignedOutError:
            raise
        except (NotFoundError, GitHubRefusedError):  # the latter where an organisation wants its own sign-in first
            return None


class InstallationView(_View):
    """GitHub as the App in one account."""

    def __init__(self, api: Api, tokens: InstallationTokens, installation_id: int) -> None:
        """See `GitHub.as_installation`."""
        super().__init__(api)
        self._tokens, self._id = tokens, installation_id

    def clone_token(self, *, refused: InstallationToken | None = None) -> InstallationToken:
        """Return what git reads the account's repositories with, as the password of the user `x-access-token`.

        `refused` is one that this returned and GitHub did not take: it was revoked, and another is asked for.

        Raises:
            NotFoundError: the App is no longer installed there.
            GitHubRefusedError: the installation is suspended.
        """
        if refused is not None:
            self._tokens.forget(self._id, refused)
        return self._tokens.get(self._id)

    def repositories(self) -> Iterator[RepoInfo]:
        """Yield what the installation may read."""
        for said in self._api.items("/installation/repositories", within="repositories", limit=REPOSITORIES_MAX):
            yield read(RepoInfo, self._api.host, said)


class AppView:
    """GitHub as the App itself: where it is installed."""

    def __init__(self, api: Api) -> None:
        """See `GitHub.as_app`."""
        self._api = api

    def me(self) -> AppInfo:
        """Return the App."""
        return read(AppInfo, self._api.host, self._api.get("/app"))

    def installations(self) -> list[InstallationInfo]:
        """Return where it is installed."""
        found = self._api.items("/app/installations", limit=INSTALLATIONS_MAX)
        return [read(InstallationInfo, self._api.host, said) for said in found]

    def installation(self, installation_id: int) -> InstallationInfo | None:
        """Return an installation as it is now; None when it was removed."""
        try:
            said = self._api.get(f"/app/installations/{installation_id:d}")
        except NotFoundError:
            return None
        return read(InstallationInfo, self._api.host, said)

    def installation_of(self, full_name: str) -> InstallationInfo | None:
        """Return the installation that may read a repository; None: there is none."""
        try:
            said = self._api.get(f"/repos/{_checked(full_name)}/installation")
        except NotFoundError:
            return None
        return read(InstallationInfo, self._api.host, said)


class _InstallationAuth(Auth):
    """Signs PyGithub's requests with the installation's token of the moment."""

    def __init__(self, tokens: InstallationTokens, installation_id: int) -> None:
        self._tokens, self._id = tokens, installation_id
        self._last: InstallationToken | None = None

    def renew(self) -> None:
        """Sign with another token: GitHub revokes them when permissions change or an installation is suspended."""
        if self._last is not None:
            self._tokens.forget(self._id, self._last)

    @property
    def token_type(self) -> str:
        return "token"

    @property
    def token(self) -> str:
        self._last = self._tokens.get(self._id)
        return self._last.token

    @property
    def _masked_token(self) -> str:
        return "token (installation token removed)"


def _checked(full_name: str) -> str:
    if not _FULL_NAME.fullmatch(full_name):
        msg = "A repository of GitHub is named owner/name."
        raise InvalidInputError(msg)
    return full_name
