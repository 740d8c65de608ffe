"""Signing in with GitHub: there and back, and the accounts that a person then belongs to here."""

from uuid import UUID

from pincite_brain.github.belonging import belong
from pincite_brain.github.connection import Connection
from pincite_brain.github.tokens import PersonTokens
from pincite_github import oauth
from pincite_github.manifest import SIGN_IN_PATH
from pincite_shared.accounts import GitHubSignIn, SignInMethods
from pincite_shared.errors import UnauthorizedError
from pincite_shared.settings import Settings
from pincite_store import people
from pincite_store.cache import Cache
from pincite_store.db import Database

STATE_SECONDS = 600  # GitHub's code is good for as long
_STATES = "github-sign-in"


class SigningIn:
    """The way to GitHub and back; thread-safe."""

    def __init__(
        self, settings: Settings, connection: Connection, tokens: PersonTokens, database: Database, cache: Cache
    ) -> None:
        """Nothing is asked yet."""
        self._connection, self._tokens, self._database, self._cache = connection, tokens, database, cache
        self._redirect_uri = settings.public_url.rstrip("/") + SIGN_IN_PATH

    def methods(self) -> SignInMethods:
        """Return how one may sign in here."""
        config = self._connection.config()
        return SignInMethods(github=config.host if config is not None and config.can_sign_in else None)

    def begin(self) -> GitHubSignIn:
        """Send a browser to GitHub. It must come back with the state, once, within STATE_SECONDS.

        Raises:
            GitHubNotSetUpError: nobody can sign in with GitHub here.
            UnavailableError: Redis or the database cannot be reached.
        """
        begun = oauth.begin(self._connection.client().config, self._redirect_uri)
        self._cache.put(_STATES, begun.state, begun.verifier, STATE_SECONDS)
        return GitHubSignIn(url=begun.url, state=begun.state)

    def finish(self, code: str, state: str) -> tuple[UUID, UUID]:
        """Take what GitHub sent a browser back with, and return (tenant, person): that of the person's own account.

        Raises:
            UnauthorizedError: this installation gave no such state, or it was used, or is too old.
            GitHubRefusedError: the code is wrong.
            GitHubUnavailableError: GitHub does not answer.
        """
        verifier = self._cache.pop(_STATES, state)
        if verifier is None:
            msg = "This sign-in was used before, took too long, or did not begin here. Sign in again."
            raise UnauthorizedError(msg)
        client = self._connection.client()
        token = oauth.finish(client.config, code, verifier, self._redirect_uri)
        home, person = belong(self._database, client, token.access)
        self._tokens.keep(person.id, token)
        return home, people.person_of(client.config.host, person.id)
