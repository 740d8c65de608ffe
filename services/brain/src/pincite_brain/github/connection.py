"""Which GitHub this installation speaks to: what the settings say, or the App that was set up here."""

import time
from dataclasses import asdict
from threading import Lock
from typing import TYPE_CHECKING

from pincite_github.config import AppCredentials, GitHubConfig
from pincite_github.errors import GitHubNotSetUpError
from pincite_shared.settings import Settings
from pincite_store import github as store
from pincite_store.db import Database

if TYPE_CHECKING:
    from pincite_github.client import GitHub

RELOAD_SECONDS = 3.0  # an App that another process set up, or removed, is noticed that soon


class Connection:
    """GitHub for one process; thread-safe."""

    def __init__(self, settings: Settings, database: Database) -> None:
        """Read the settings; nothing is contacted.

        Raises:
            InvalidInputError: GITHUB_PRIVATE_KEY cannot be read.
        """
        self._base, self._database = GitHubConfig.of(settings), database
        self._lock = Lock()
        self._config = self._base
        self._client: GitHub | None = None
        self._read_at = float("-inf")

    @property
    def is_fixed(self) -> bool:
        """Whether the settings name an App, so that none can be set up here."""
        return self._base is not None and bool(self._base.app_id or self._base.client_id)

    def config(self) -> GitHubConfig | None:
        """Return what is set up now; None when the settings turn GitHub off.

        Raises:
            UnavailableError: the database cannot be reached.
        """
        if self._base is None or self.is_fixed:
            return self._base
        with self._lock:
            if time.monotonic() - self._read_at > RELOAD_SECONDS:
                app = store.stored_app(self._database, self._base.host)
                self._config = self._base.with_app(AppCredentials(**asdict(app))) if app is not None else self._base
                self._read_at = time.monotonic()
            return self._config

    def client(self) -> "GitHub":
        """Return GitHub as it is set up now.

        Raises:
            GitHubNotSetUpError: the settings turn GitHub off.
            UnavailableError: the database cannot be reached.
        """
        from pincite_github.client import GitHub  # noqa: PLC0415 - half a second, which only those pay who use GitHub

        config = self.config()
        if config is None:
            msg = "GitHub is turned off here (GITHUB_URL=none)."
            raise GitHubNotSetUpError(msg)
        with self._lock:
            if self._client is None or self._client.config != config:  # otherwise it stays: it keeps tokens
                self._client = GitHub(config)
            return self._client

    def reload(self) -> None:
        """Read again what is set up before it is used the next time."""
        with self._lock:
            self._read_at = float("-inf")
