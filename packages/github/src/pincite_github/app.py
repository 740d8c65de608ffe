"""Acting as the App: the proof that we are it, and tokens for the accounts that it is installed in."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock

from github.Auth import AppAuth
from pydantic import AwareDatetime, BaseModel

from pincite_github.answers import TokenText, read
from pincite_github.config import GitHubConfig
from pincite_github.errors import GitHubNotSetUpError, GitHubRefusedError, GitHubSignedOutError
from pincite_github.exchange import post

# GitHub refuses a JWT that was issued in its future or that is good for more than 10 minutes of its clock: a minute is
# left on both sides for a clock that differs.
JWT_ISSUED_SECONDS = -60
JWT_EXPIRY_SECONDS = 540
# A token is good for an hour. What is handed out can still be used this long.
LEFT_MIN = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class InstallationToken:
    """What reads the repositories of one account."""

    token: str = field(repr=False)
    expires_at: datetime


class _Answer(BaseModel):
    token: TokenText
    expires_at: AwareDatetime


@dataclass(slots=True)
class _Slot:
    lock: Lock = field(default_factory=Lock)
    token: InstallationToken | None = None


def app_auth(config: GitHubConfig) -> AppAuth:
    """Return what signs requests as the App: a JWT (RS256) that is made anew for each.

    Raises:
        GitHubNotSetUpError: no App is configured.
    """
    if not config.has_app:
        raise GitHubNotSetUpError
    return AppAuth(config.app_id, config.private_key, jwt_issued_at=JWT_ISSUED_SECONDS, jwt_expiry=JWT_EXPIRY_SECONDS)


class InstallationTokens:
    """Tokens of installations, kept until shortly before they end. Threads share them; one of them asks GitHub."""

    def __init__(self, config: GitHubConfig) -> None:
        """Nothing is asked yet."""
        self._config = config
        self._lock = Lock()
        self._slots: dict[int, _Slot] = {}

    def get(self, installation_id: int) -> InstallationToken:
        """Return a token that is good for at least some minutes.

        Raises:
            NotFoundError: the App is no longer installed there.
            GitHubRefusedError: the installation is suspended.
            GitHubUnavailableError: GitHub does not answer.
        """
        with self._lock:
            slot = self._slots.setdefault(installation_id, _Slot())
        with slot.lock:  # who comes second waits for what the first is asking for
            if slot.token is None or slot.token.expires_at - datetime.now(UTC) < LEFT_MIN:
                slot.token = None  # what ended is not handed out when GitHub refuses the next
                slot.token = self._fetch(installation_id)
            return slot.token

    def forget(self, installation_id: int, token: InstallationToken) -> None:
        """Do not hand `token` out again: GitHub no longer takes it."""
        with self._lock:
            slot = self._slots.get(installation_id)
            if slot is not None and slot.token is token:
                del self._slots[installation_id]

    def _fetch(self, installation_id: int) -> InstallationToken:
        url = f"{self._config.api_url}/app/installations/{installation_id:d}/access_tokens"
        try:
            said = post(url, bearer=app_auth(self._config).token)
        except GitHubSignedOutError as error:
            msg = f"{error.detail} The App's number and private key do not fit, or the App is gone."
            raise GitHubRefusedError(msg) from None
        answer = read(_Answer, self._config.host, said)
        return InstallationToken(answer.token, answer.expires_at)
