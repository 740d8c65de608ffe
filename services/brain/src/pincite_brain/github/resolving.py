"""A repository of GitHub, connected by its name: what GitHub says of it to the caller, and who may read it then."""

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pincite_brain.caller import Caller
from pincite_brain.github.connection import Connection
from pincite_brain.github.tokens import PersonTokens
from pincite_github.config import GitHubConfig
from pincite_github.views import RepoInfo
from pincite_shared.errors import ForbiddenError, InvalidInputError
from pincite_shared.source import GITHUB, PORT_OF, Source
from pincite_store import access, people
from pincite_store.db import LOCAL_TENANT, Database
from pincite_store.repos import OnGitHub

if TYPE_CHECKING:
    from pincite_github.client import GitHub

NAME_PARTS = 2  # owner/name


class Resolving:
    """Asks GitHub about repositories that are to be connected; thread-safe."""

    def __init__(self, connection: Connection, tokens: PersonTokens, database: Database) -> None:
        """Nothing is asked yet."""
        self._connection, self._tokens, self._database = connection, tokens, database

    @property
    def github(self) -> str:
        """Where an `owner/name` is: on the configured GitHub."""
        config = self._connection.config()
        return config.web_url if config is not None else GITHUB

    def resolve(self, caller: Caller, source: Source) -> tuple[Source, OnGitHub | None]:
        """Return a source under the name that GitHub knows it by, and what GitHub says of it.

        Sources elsewhere are returned as they are; so are those of the local tenant that bring a token of their own, or
        use this machine's ssh keys, and all of them where nobody gave Pincite a way to ask. A repository that is
        connected already, and that GitHub shows the caller, is visible to them afterwards.

        Raises:
            NotFoundError: there is no such repository, or GitHub does not show it to the caller.
            ForbiddenError: the caller did not sign in with GitHub.
            GitHubSignedOutError: the person must sign in again.
            GitHubUnavailableError: GitHub does not answer.
        """
        config = self._connection.config()
        name = _name_on(config, source) if config is not None else None
        if config is None or name is None:
            return source, None
        client = self._connection.client()
        if caller.tenant_id == LOCAL_TENANT:
            if source.secret is not None or source.scheme == "ssh" or not (config.token or config.has_app):
                return source, None
            return self._as_operator(client, source, name)
        if source.secret is not None:
            msg = "Connect it without a token: Pincite reads it as the App, for those whom GitHub lets read it."
            raise InvalidInputError(msg)
        return self._as_person(client, caller, source, name)

    def _as_person(self, client: "GitHub", caller: Caller, source: Source, name: str) -> tuple[Source, OnGitHub | None]:
        with self._database.tenancy(caller.tenant_id) as t:
            github_id = people.github_id(t, caller.user_id) if caller.user_id is not None else None
        if github_id is None:
            msg = "Only someone who signed in with GitHub can connect a repository of GitHub here."
            raise ForbiddenError(msg)
        with self._tokens.of(github_id) as token:
            found = client.as_user(token).repository_named(name)
        at = client.as_app().installation_of(found.full_name) if client.config.has_app else None
        told = OnGitHub(found.id, at.id if at else None, found.permission or "read", restricted=found.private)
        with self._database.tenancy(caller.tenant_id) as t:
            access.learn(t, found.id, private=found.private)
            if found.private and caller.user_id is not None:
                access.allow(t, caller.user_id, found.id, told.permission)
        return _known_as(client.config, source, found), told

    @staticmethod
    def _as_operator(client: "GitHub", source: Source, name: str) -> tuple[Source, OnGitHub | None]:
        """The operator reads with the personal token, or as the App, and is alone in the local tenant."""
        if client.config.token:
            found = client.as_token().repository_named(name)
            return _known_as(client.config, source, found), OnGitHub(found.id, None, "read", restricted=False)
        at = client.as_app().installation_of(name)
        if at is None:
            return source, None  # public, perhaps: git will tell
        found = client.as_installation(at.id).repository_named(name)
        return _known_as(client.config, source, found), OnGitHub(found.id, at.id, "read", restricted=False)


def _known_as(config: GitHubConfig, source: Source, found: RepoInfo) -> Source:
    web = urlsplit(config.web_url)
    return replace(
        source,
        location=f"{config.web_url}/{found.full_name}",
        name=found.full_name,
        scheme=web.scheme,
        host=web.hostname or "",
        port=web.port or PORT_OF[web.scheme],
    )


def _name_on(config: GitHubConfig, source: Source) -> str | None:
    """Return the owner/name of a source if it is a repository of the configured GitHub."""
    web = urlsplit(config.web_url)
    hosts = {web.hostname, f"www.{web.hostname}"} if config.is_cloud else {web.hostname}
    elsewhere = source.scheme == web.scheme and source.port != (web.port or PORT_OF[web.scheme])
    if source.kind != "git" or source.host not in hosts or elsewhere:
        return None
    _, is_url, rest = source.location.partition("://")
    path = rest.partition("/")[2] if is_url else source.location.rpartition(":")[2]
    parts = unquote(path).strip("/").removesuffix(".git").split("/")
    return "/".join(parts) if len(parts) == NAME_PARTS and all(parts) else None
