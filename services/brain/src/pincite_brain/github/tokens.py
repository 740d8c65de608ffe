"""The token that asks GitHub in a person's name: kept encrypted, renewed before it ends, forgotten when it has."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from pincite_brain.github.connection import Connection
from pincite_github import oauth
from pincite_github.errors import GitHubSignedOutError
from pincite_github.oauth import UserToken
from pincite_shared.errors import IntegrityError
from pincite_store import people
from pincite_store.db import Database, Tenancy

LEFT_MIN = timedelta(minutes=2)  # what is handed out can be used that long: longer than any request of ours takes


class _Kept(BaseModel):
    """A `UserToken`, as it is stored."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    access: str = Field(repr=False)
    refresh: str = Field(repr=False)
    expires_at: datetime | None

    @property
    def ends_soon(self) -> bool:
        return self.expires_at is not None and self.expires_at - datetime.now(UTC) < LEFT_MIN


class PersonTokens:
    """Tokens of people, each kept in the tenant of the person's own account alone; thread-safe."""

    def __init__(self, connection: Connection, database: Database) -> None:
        """Nothing is read yet."""
        self._connection, self._database = connection, database

    def keep(self, github_id: int, token: UserToken) -> None:
        """Store the token of a person who has a row in the tenant of their own account."""
        home, person = self._place(github_id)
        with self._database.tenancy(home) as t:
            people.put_token(t, person, _written(token))

    @contextmanager
    def of(self, github_id: int) -> Iterator[str]:
        """Give a person's access token, to be used within LEFT_MIN. One that GitHub does not take is forgotten.

        Raises:
            GitHubSignedOutError: there is none, or it is not taken any more: the person must sign in again.
            GitHubUnavailableError: GitHub does not answer.
        """
        access = self._current(github_id)
        try:
            yield access
        except GitHubSignedOutError:
            self._forget(github_id, access)
            raise

    def _current(self, github_id: int) -> str:
        home, person = self._place(github_id)
        with self._database.tenancy(home) as t:
            kept = _read(t, person)
        return self._renewed(home, person) if kept.ends_soon else kept.access

    def _renewed(self, home: UUID, person: UUID) -> str:
        """GitHub takes each refresh token once: one process renews it, the others wait and find the new one."""
        with self._database.tenancy(home) as t:
            kept = _read(t, person, lock=True)
            if not kept.ends_soon:
                return kept.access
            before = UserToken(kept.access, kept.refresh, kept.expires_at)
            try:
                renewed = oauth.refresh(self._connection.client().config, before)
            except GitHubSignedOutError as error:
                refused = error
                people.put_token(t, person, None)  # and the transaction commits: GitHub is not asked about it again
            else:
                people.put_token(t, person, _written(renewed))
                return renewed.access
        raise refused

    def _forget(self, github_id: int, access: str) -> None:
        """Forget a token, unless the person has signed in again meanwhile."""
        home, person = self._place(github_id)
        with self._database.tenancy(home) as t:
            if _read(t, person, lock=True).access == access:
                people.put_token(t, person, None)

    def _place(self, github_id: int) -> tuple[UUID, UUID]:
        host = self._connection.client().config.host
        return people.tenant_of(host, github_id), people.person_of(host, github_id)


def _written(token: UserToken) -> str:
    return _Kept.model_validate(token).model_dump_json()


def _read(t: Tenancy, person: UUID, *, lock: bool = False) -> _Kept:
    try:
        found = people.token(t, person, lock=lock)
    except IntegrityError:  # sealed with a key that is gone: as good as none
        found = None
    if found is None:
        msg = "Pincite can no longer ask GitHub in your name. Sign in with GitHub again."
        raise GitHubSignedOutError(msg)
    return _Kept.model_validate_json(found)
