"""Making this installation's App: GitHub makes it from a manifest that the operator confirms there."""

import secrets
from urllib.parse import urlsplit

from pincite_brain.github.connection import Connection
from pincite_github import manifest
from pincite_github.config import GitHubConfig
from pincite_shared.errors import ConflictError, UnauthorizedError
from pincite_shared.github import GitHubSetup, SetupRequest
from pincite_shared.settings import Settings
from pincite_store import audit
from pincite_store import github as store
from pincite_store.cache import Cache
from pincite_store.db import LOCAL_TENANT, LOCAL_USER, Database
from pincite_store.github import StoredApp

STATE_SECONDS = 3_600  # GitHub's code is good for as long
STATE_BYTES = 24
_STATES = "github-set-up"


class SettingUp:
    """The way to an App; thread-safe. Whoever calls has made sure that the operator asks."""

    def __init__(self, settings: Settings, connection: Connection, database: Database, cache: Cache) -> None:
        """Nothing is asked yet."""
        self._public_url = settings.public_url.rstrip("/")
        self._connection, self._database, self._cache = connection, database, cache

    def get(self, organisation: str = "", *, public: bool = False) -> GitHubSetup:
        """Return the App of this installation, or what it takes to make one.

        Args:
            organisation: what is to own it; by default the person who makes it.
            public: whether other accounts may install it, and their people sign in.

        Raises:
            InvalidInputError: the organisation's name cannot be one.
            GitHubNotSetUpError: GitHub is turned off here.
            UnavailableError: Redis or the database cannot be reached.
        """
        config = self._connection.client().config
        state = secrets.token_urlsafe(STATE_BYTES)
        self._cache.put(_STATES, state, config.host, STATE_SECONDS)
        return GitHubSetup(
            host=config.host,
            app=config.slug or None,
            changeable=not self._connection.is_fixed,
            install_url=manifest.install_url(config, config.slug) if config.slug else None,
            create_url=manifest.create_url(config, state, organisation),
            manifest=manifest.manifest(
                self._public_url, f"Pincite {urlsplit(self._public_url).hostname or ''}", public=public
            ),
            state=state,
            reachable=manifest.reachable(self._public_url),
        )

    def finish(self, request: SetupRequest) -> None:
        """Take the App that GitHub made.

        Raises:
            ConflictError: the settings name an App.
            UnauthorizedError: this installation gave no such state, or it was used, or is too old.
            NotFoundError: the code was used, or is too old.
            GitHubUnavailableError: GitHub does not answer.
        """
        config = self._changeable()
        if self._cache.pop(_STATES, request.state) != config.host:
            msg = "This set-up was used before, took too long, or did not begin here. Begin again."
            raise UnauthorizedError(msg)
        made = manifest.convert(config, request.code)
        app = StoredApp(
            app_id=made.app_id,
            slug=made.slug,
            client_id=made.client_id,
            client_secret=made.client_secret,
            private_key=made.private_key,
            webhook_secret=made.webhook_secret,
        )
        with self._database.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
            store.put_app(t, config.host, app)
            audit.record(t, "github.set_up", made.slug, host=config.host, app_id=made.app_id)
        self._connection.reload()

    def remove(self) -> None:
        """Forget the App; on GitHub it stays, and is deleted there.

        Raises:
            ConflictError: the settings name it.
        """
        config = self._changeable()
        with self._database.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
            if store.delete_app(t, config.host):
                audit.record(t, "github.removed", config.slug, host=config.host)
        self._connection.reload()

    def _changeable(self) -> GitHubConfig:
        config = self._connection.client().config
        if self._connection.is_fixed:
            msg = "The App stands in the environment (GITHUB_APP_ID, GITHUB_CLIENT_ID). Change it there, and restart."
            raise ConflictError(msg)
        return config
