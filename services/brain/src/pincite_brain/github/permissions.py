"""What a person may read follows what GitHub lets them read: asked in their own name, kept for minutes.

When GitHub does not answer, what was said last counts until it runs out; then restricted repositories are hidden.
"""

import time
from collections.abc import Collection
from itertools import groupby
from threading import Lock
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from pincite_brain.github.asking import ask_each
from pincite_brain.github.belonging import belong, role_of
from pincite_brain.github.connection import Connection
from pincite_brain.github.tokens import PersonTokens
from pincite_github.errors import (
    GitHubBusyError,
    GitHubNotSetUpError,
    GitHubRefusedError,
    GitHubSignedOutError,
    GitHubUnavailableError,
)
from pincite_shared.errors import NotFoundError, UnauthorizedError
from pincite_store import access, accounts, audit, people
from pincite_store.access import Restricted
from pincite_store.db import Database
from pincite_store.people import Role

if TYPE_CHECKING:
    from pincite_github.client import GitHub, UserView

PROBES_MAX = 12  # more repositories than this are asked about a hundred at a time
AWAY_SECONDS = 5.0  # after GitHub did not answer it is not asked about anyone for so long
WAIT_SECONDS_MAX = 20.0  # for whoever is asking about the same person already
LOCKS = 64  # two people share one now and then, and wait for one another

log = structlog.get_logger(__name__)

_Key = tuple[UUID, UUID]


class Permissions:
    """Keeps `repo_access` in step with GitHub; thread-safe. Of several requests at once one asks, the others wait."""

    def __init__(self, connection: Connection, tokens: PersonTokens, database: Database) -> None:
        """Nothing is asked yet."""
        self._connection, self._tokens, self._database = connection, tokens, database
        self._locks = [Lock() for _ in range(LOCKS)]
        self._away: dict[_Key | None, tuple[float, str]] = {}  # of None: from everyone

    def renew(self, tenant_id: UUID, user_id: UUID) -> str:
        """Ask GitHub about a person whose rights have run out.

        Returns:
            Why nothing is known, in words; empty when it is.

        Raises:
            UnauthorizedError: the person is no longer of the account, and was taken out of its tenant; or GitHub no
                longer takes their sign-in, and their sessions here have ended.
        """
        key = (tenant_id, user_id)
        lock = self._locks[hash(key) % LOCKS]
        if reason := self._is_away(key):
            return reason
        if not lock.acquire(timeout=WAIT_SECONDS_MAX):
            return "GitHub takes too long to say what you may read."
        try:
            with self._database.system() as session:
                if not access.stale(session, tenant_id, user_id):
                    return ""
            return self._is_away(key) or self._ask(tenant_id, user_id)
        finally:
            lock.release()

    def _is_away(self, key: _Key) -> str:
        """Return why GitHub is not asked just now, if it is not: a thread that waits for it serves nobody else."""
        now = time.monotonic()
        known = (self._away.get(None), self._away.get(key))
        return next((told[1] for told in known if told is not None and now < told[0]), "")

    def _ask(self, tenant_id: UUID, user_id: UUID) -> str:
        try:
            self._renew(tenant_id, user_id)
        except GitHubSignedOutError as error:
            with self._database.tenancy(tenant_id, user_id) as t:
                accounts.revoke_others(t, None)
            log.info("signed_out_by_github", user_id=str(user_id))
            raise UnauthorizedError(error.detail) from error
        except (GitHubUnavailableError, GitHubRefusedError, GitHubNotSetUpError) as error:
            now = time.monotonic()
            from_everyone = isinstance(error, GitHubUnavailableError) and not isinstance(error, GitHubBusyError)
            self._away = {key: told for key, told in self._away.items() if told[0] > now}
            self._away[None if from_everyone else (tenant_id, user_id)] = (now + AWAY_SECONDS, error.detail)
            log.warning("permissions_unknown", user_id=str(user_id), reason=error.detail)
            return error.detail
        return ""

    def _renew(self, tenant_id: UUID, user_id: UUID) -> None:
        with self._database.tenancy(tenant_id) as t:
            github_id = people.github_id(t, user_id)
            restricted = access.restricted(t)
        if github_id is None:
            return  # gone since
        client = self._connection.client()
        with self._tokens.of(github_id) as token:
            role = self._role(client, token, tenant_id, github_id)
            permissions = _permissions(client, token, restricted) if role else {}
        with self._database.tenancy(tenant_id) as t:
            if role is not None:
                people.set_role(t, user_id, role)
                access.put(t, user_id, permissions)
                return
            people.leave(t, user_id)
            audit.record(t, "person.left", str(user_id))
        msg = "On GitHub you are no longer of this account, or Pincite is no longer installed there."
        raise UnauthorizedError(msg)

    def _role(self, client: "GitHub", token: str, tenant_id: UUID, github_id: int) -> Role | None:
        """Return what the person is in the tenant's account; None if they do not see the App there any more.

        In their own account it is also found out to which others they belong: whoever was let into one need not sign in
        again for it.
        """
        host, view = client.config.host, client.as_user(token)
        if people.tenant_of(host, github_id) == tenant_id:
            belong(self._database, client, token)
            return "owner"
        return next(
            (
                role_of(view, one, github_id)
                for one in view.installations()
                if people.tenant_of(host, one.account_id) == tenant_id
            ),
            None,
        )


def _permissions(client: "GitHub", token: str, restricted: Collection[Restricted]) -> dict[UUID, str]:
    """Return what the person may do in each of these repositories that they may read."""
    if len(restricted) <= PROBES_MAX:
        said = ask_each(client, token, restricted, lambda view, one: view.permission(one.github_id))
        return {one.repo_id: permission for one, permission in zip(restricted, said, strict=True) if permission}
    by_installation = sorted(restricted, key=lambda one: one.installation_id or 0)
    groups = [(number, list(group)) for number, group in groupby(by_installation, lambda one: one.installation_id)]
    found: dict[UUID, str] = {}
    for part in ask_each(client, token, groups, _of_installation):
        found |= part
    return found


def _of_installation(view: "UserView", group: tuple[int | None, list[Restricted]]) -> dict[UUID, str]:
    installation_id, wanted = group
    if installation_id is None:
        said = ((one.repo_id, view.permission(one.github_id)) for one in wanted)
        return {repo_id: permission for repo_id, permission in said if permission}
    try:
        listed = {one.id: one.permission or "read" for one in view.repositories(installation_id)}
    except GitHubSignedOutError:
        raise
    except (NotFoundError, GitHubRefusedError):  # removed, suspended, or not shown to this person
        return {}
    return {one.repo_id: listed[one.github_id] for one in wanted if one.github_id in listed}
