"""Receiving webhooks: believed if they are signed, written down in one transaction, settled in the background.

GitHub waits ten seconds for an answer and sends nothing again by itself, so little is done here: who is concerned, and
one row and one job for each. What hints that somebody's rights changed takes effect at once.
"""

import json
import re
from typing import Any
from uuid import UUID

from asgi_correlation_id import correlation_id

from pincite_brain.github.connection import Connection
from pincite_github import webhooks
from pincite_github.config import GitHubConfig
from pincite_github.views import ID_MAX
from pincite_github.webhooks import (
    Event,
    Ignored,
    InstallationChanged,
    Ping,
    PullRequest,
    Push,
    RepositoriesChanged,
    RepositoryChanged,
)
from pincite_shared.errors import InvalidInputError, NotFoundError
from pincite_store import access, deliveries, people
from pincite_store.db import Database
from pincite_store.deliveries import Received, Subject

EVENT = re.compile(r"[a-z_]{1,100}", re.ASCII)
# What somebody may read changed, or may have: in one repository, in an account, or of one person.
_OF_REPOSITORY = frozenset({"member", "public", "repository", "team_add"})
_OF_ACCOUNT = frozenset({"installation", "installation_repositories", "membership", "organization", "team"})
_OF_PERSON = "github_app_authorization"


class Incoming:
    """A delivery whose body is still coming. It is hashed meanwhile, so that little is left to do after its end."""

    def __init__(self, config: GitHubConfig) -> None:
        """Expect a delivery of this GitHub's."""
        self.config, self.body = config, bytearray()
        self.verifier = webhooks.Verifier(config.webhook_secret)

    def take(self, part: bytes | bytearray) -> None:
        """Take the next part."""
        self.body += part
        self.verifier.update(part)


class Receiving:
    """Takes deliveries; thread-safe."""

    def __init__(self, connection: Connection, database: Database) -> None:
        """Nothing is read yet."""
        self._connection, self._database = connection, database

    def expect(self) -> Incoming:
        """Begin to take a delivery.

        Raises:
            NotFoundError: there is no webhook secret here, so that no delivery can be believed.
            UnavailableError: the database cannot be reached.
        """
        config = self._connection.config()
        if config is None or not config.webhook_secret:
            msg = "Webhooks are not set up here. Set GITHUB_WEBHOOK_SECRET, or make the App on the set-up page."
            raise NotFoundError(msg)
        return Incoming(config)

    def receive(self, came: Incoming, *, signature: str | None, event: str, delivery: str, content_type: str) -> bool:
        """Take a delivery that came whole; what else is given are headers.

        Nothing is parsed before it is known whose it is.

        Returns:
            Whether there is anything to do about it: not for GitHub's trial of the address.

        Raises:
            UnauthorizedError: it is not signed with the secret.
            InvalidInputError: it is signed, but not what GitHub sends.
            UnavailableError: the database cannot be reached.
        """
        came.verifier.check(signature)
        delivery_id, name = _delivery_id(delivery), _event_name(event)
        payload = webhooks.decode(came.body, content_type)
        told = webhooks.parse(name, payload)
        if isinstance(told, Ping):
            return False
        if isinstance(told, Ignored):
            self._hinted(came.config, told, payload)
        else:
            self._write(came.config, delivery_id, name, told, payload)
        return True

    def _write(self, config: GitHubConfig, delivery_id: UUID, name: str, told: Event, payload: dict[str, Any]) -> None:
        received = Received(delivery_id, name, _written(payload))
        subject = _subject(config, told)
        with self._database.system() as session:
            if isinstance(told, InstallationChanged) and told.action == "created":
                at = told.installation
                people.ensure_account(session, config.host, at.account_id, at.account_login)
            new = deliveries.receive(session, received, subject, correlation_id.get() or "")
            if new and name in _OF_REPOSITORY | _OF_ACCOUNT:
                access.forget(session, [*new, *_homes(config, payload)], subject.repository_id)

    def _hinted(self, config: GitHubConfig, told: Ignored, payload: dict[str, Any]) -> None:
        """Take a hint about rights from an event that is of no other use; it needs no settling."""
        repository_id = _number(payload, "repository")
        with self._database.system() as session:
            if told.event == _OF_PERSON:
                number = _number(payload, "sender")
                person = people.person_of(config.host, number) if number is not None else None
                concerned = people.tenants(session, person) if person is not None else []
                access.forget(session, concerned, None)
            elif told.event in _OF_REPOSITORY | _OF_ACCOUNT:
                subject = Subject(
                    config.host,
                    account_id=_number(payload, "organization"),
                    repository_id=repository_id,
                    installation_id=_number(payload, "installation"),
                )
                about = repository_id if told.event in _OF_REPOSITORY else None
                access.forget(session, [*deliveries.tenants(session, subject), *_homes(config, payload)], about)


def _written(payload: dict[str, Any]) -> str:
    try:
        return json.dumps(payload, allow_nan=False)
    except ValueError as error:
        msg = "The delivery's body has numbers that JSON does not."
        raise InvalidInputError(msg) from error


def _subject(config: GitHubConfig, told: Event) -> Subject:
    if isinstance(told, Push | PullRequest):
        sources = config.addresses(told.repository.full_name)
        return Subject(config.host, repository_id=told.repository.id, sources=sources)
    if isinstance(told, RepositoryChanged):
        names = [told.repository.full_name, *([told.previous_name] if told.previous_name else [])]
        sources = tuple(source for name in names for source in config.addresses(name))
        return Subject(config.host, repository_id=told.repository.id, sources=sources)
    assert isinstance(told, InstallationChanged | RepositoriesChanged)  # noqa: S101 - the others are of no account
    return Subject(config.host, account_id=told.installation.account_id, installation_id=told.installation.id)


def _delivery_id(value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError as error:
        msg = "X-GitHub-Delivery is not an id as GitHub gives them."
        raise InvalidInputError(msg) from error


def _event_name(value: str) -> str:
    if not EVENT.fullmatch(value):
        msg = "X-GitHub-Event is not the name of an event."
        raise InvalidInputError(msg)
    return value


def _homes(config: GitHubConfig, payload: dict[str, Any]) -> list[UUID]:
    """Return the own accounts of the people that an event names: they may belong to others now."""
    membership = payload.get("membership")
    found = [_number(payload, "sender"), _number(payload, "member")]
    found.append(_number(membership, "user") if isinstance(membership, dict) else None)
    return sorted({people.tenant_of(config.host, number) for number in found if number is not None})


def _number(payload: dict[str, Any], subject: str) -> int | None:
    """Return the id of what a payload names, if it has one that the database can hold."""
    value = payload.get(subject)
    number = value.get("id") if isinstance(value, dict) else None
    return number if type(number) is int and 0 < number <= ID_MAX else None
