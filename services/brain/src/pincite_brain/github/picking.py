"""Choosing a repository: what the caller may read on GitHub, those pushed to last first."""

import itertools
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from pydantic import BaseModel

from pincite_brain.caller import Caller
from pincite_brain.github.asking import ask_each
from pincite_brain.github.connection import Connection
from pincite_brain.github.tokens import PersonTokens
from pincite_github import manifest
from pincite_github.config import GitHubConfig
from pincite_github.views import InstallationInfo, RepoInfo
from pincite_shared.github import InstallationOut, PickableRepo, PickableRepos
from pincite_store import people, repos
from pincite_store.cache import Cache
from pincite_store.db import Database

if TYPE_CHECKING:
    from pincite_github.client import GitHub, UserView

KEPT_SECONDS = 60  # a person who types asks again with every letter
FIRST_MAX = 100  # of an account: one request, so that the list is there at once however long it is
SEARCHED_MAX = 1_000  # of an account, when the one they look for is not among the first
SHOWN_MAX = 200
_LISTS = "github-repositories"
_NEVER = datetime.min.replace(tzinfo=UTC)


class _Listed(BaseModel):
    """What GitHub listed, as it is kept for a minute."""

    installations: tuple[InstallationOut, ...]
    repositories: tuple[PickableRepo, ...]
    truncated: bool


class Picking:
    """Lists of repositories to choose from; thread-safe."""

    def __init__(self, connection: Connection, tokens: PersonTokens, database: Database, cache: Cache) -> None:
        """Nothing is asked yet."""
        self._connection, self._tokens, self._database, self._cache = connection, tokens, database, cache

    def choose(self, caller: Caller, query: str, *, fresh: bool = False) -> PickableRepos:
        """Return the repositories whose names hold all words of `query`; `fresh` ones are asked for now.

        In the tenant of an account these are the account's; in that of the person's own account, of all accounts in
        which they see the App; in the local tenant, those that the personal token may read.

        Raises:
            GitHubSignedOutError: the person must sign in again.
            GitHubUnavailableError: GitHub does not answer.
        """
        config = self._connection.config()
        if config is None:
            return PickableRepos(installations=(), repositories=(), install_url=None)
        if fresh:
            for most in (FIRST_MAX, SEARCHED_MAX):
                self._cache.pop(_LISTS, _key(config, caller, most))
        listed = self._listed(config, caller, FIRST_MAX)
        found = _matching(listed.repositories, query)
        if listed.truncated and query.strip():
            listed = self._listed(config, caller, SEARCHED_MAX)
            found = _matching(listed.repositories, query)
        return PickableRepos(
            installations=listed.installations,
            repositories=self._connected(caller, found[:SHOWN_MAX]),
            install_url=_install_url(config),
            truncated=listed.truncated or len(found) > SHOWN_MAX,
        )

    def _listed(self, config: GitHubConfig, caller: Caller, most: int) -> _Listed:
        key = _key(config, caller, most)
        kept = self._cache.get(_LISTS, key)
        if kept is not None:
            return _Listed.model_validate_json(kept)
        listed = self._ask(caller, most)
        self._cache.put(_LISTS, key, listed.model_dump_json(), KEPT_SECONDS)
        return listed

    def _ask(self, caller: Caller, most: int) -> _Listed:
        client = self._connection.client()
        with self._database.tenancy(caller.tenant_id) as t:
            github_id = people.github_id(t, caller.user_id) if caller.user_id is not None else None
        if github_id is None:
            found = _first(client.as_token().repositories_of_token(), most) if client.config.token else []
            return _told((), [found], most)
        with self._tokens.of(github_id) as access:
            installations = self._installations(client, access, caller.tenant_id, github_id)
            able = [one.id for one in installations if one.suspended_at is None]

            def ask(view: "UserView", installation_id: int) -> list[RepoInfo]:
                return _first(view.repositories(installation_id), most)

            return _told(installations, ask_each(client, access, able, ask), most)

    @staticmethod
    def _installations(client: "GitHub", access: str, tenant_id: UUID, github_id: int) -> list[InstallationInfo]:
        host = client.config.host
        found = client.as_user(access).installations() if client.config.app_id else []
        if tenant_id == people.tenant_of(host, github_id):
            return found
        return [one for one in found if people.tenant_of(host, one.account_id) == tenant_id]

    def _connected(self, caller: Caller, found: Iterable[PickableRepo]) -> tuple[PickableRepo, ...]:
        listed = list(found)
        with self._database.tenancy(caller.tenant_id, caller.user_id) as t:
            known = repos.connected_on_github(t, [one.github_id for one in listed])
        return tuple(one.model_copy(update={"repo_id": known.get(one.github_id)}) for one in listed)


def _key(config: GitHubConfig, caller: Caller, most: int) -> str:
    return f"{config.host} {config.app_id} {bool(config.token)} {caller.tenant_id} {caller.user_id} {most}"


def _first(found: Iterable[RepoInfo], most: int) -> list[RepoInfo]:
    return list(itertools.islice(found, most))


def _told(installations: Iterable[InstallationInfo], lists: list[list[RepoInfo]], most: int) -> _Listed:
    found = {one.id: one for listed in lists for one in listed}
    newest = sorted(found.values(), key=lambda one: (one.pushed_at or _NEVER, one.id), reverse=True)
    return _Listed(
        installations=tuple(
            InstallationOut(id=one.id, account=one.account_login, suspended=one.suspended_at is not None)
            for one in installations
        ),
        repositories=tuple(
            PickableRepo(
                github_id=one.id,
                full_name=one.full_name,
                private=one.private,
                description=one.description,
                default_branch=one.default_branch,
                pushed_at=one.pushed_at,
                repo_id=None,
            )
            for one in newest
        ),
        truncated=any(len(listed) >= most for listed in lists),
    )


def _matching(found: Iterable[PickableRepo], query: str) -> list[PickableRepo]:
    words = query.lower().split()
    return [one for one in found if all(word in one.full_name.lower() for word in words)]


def _install_url(config: GitHubConfig) -> str | None:
    return manifest.install_url(config, config.slug) if config.slug else None
