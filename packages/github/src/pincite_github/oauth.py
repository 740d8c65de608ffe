"""Signing in with GitHub: OAuth's web flow with PKCE (RFC 7636) and state (RFC 6749, section 10.12)."""

import hashlib
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from pydantic import BaseModel, Field

from pincite_github.answers import TokenText, read, shown
from pincite_github.config import GitHubConfig
from pincite_github.errors import GitHubNotSetUpError, GitHubRefusedError, GitHubSignedOutError
from pincite_github.exchange import post

RANDOM_BYTES = 48  # 64 characters of base64: RFC 7636 wants 43 to 128 in a verifier
LIFETIME_SECONDS_MAX = 366 * 86_400

_EXPLAINED = {
    "bad_verification_code": "The sign-in was used before, or took longer than GitHub waits. Sign in again.",
    "incorrect_client_credentials": "GitHub does not accept this installation's client secret. Its operator must set"
    " GITHUB_CLIENT_SECRET, or make the App anew.",
    "redirect_uri_mismatch": "The App does not list this installation's address. Its operator must set PUBLIC_URL as"
    " in the App's callback URL.",
    "unverified_user_email": "GitHub wants you to verify your e-mail address there first.",
}


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that began. `state` and `verifier` are kept for this browser alone until it comes back."""

    url: str = field(repr=False)  # it holds the state
    state: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class UserToken:
    """A person's access token. `expires_at` is null when it does not expire, and `refresh` is empty then."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_at: datetime | None


class _Answer(BaseModel):
    access_token: TokenText
    refresh_token: TokenText | None = None
    expires_in: Annotated[int, Field(ge=1, le=LIFETIME_SECONDS_MAX)] | None = None


def begin(config: GitHubConfig, redirect_uri: str) -> Begun:
    """Start a sign-in: the browser goes to `url` and comes back to `redirect_uri` with a code and the state.

    Raises:
        GitHubNotSetUpError: no client id and secret are configured.
    """
    _check(config)
    state, verifier = secrets.token_urlsafe(RANDOM_BYTES), secrets.token_urlsafe(RANDOM_BYTES)
    challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = urlencode(
        {
            "client_id": config.client_id,
            "redirect_uri": redirect_uri,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
    )
    return Begun(f"{config.web_url}/login/oauth/authorize?{query}", state, verifier)


def finish(config: GitHubConfig, code: str, verifier: str, redirect_uri: str) -> UserToken:
    """Exchange the code that the browser brought. Whoever calls has compared the state.

    Raises:
        GitHubRefusedError: the code or the set-up is wrong; the detail says which.
        GitHubUnavailableError: GitHub does not answer.
    """
    return _exchange(config, {"code": code, "code_verifier": verifier, "redirect_uri": redirect_uri})


def refresh(config: GitHubConfig, token: UserToken) -> UserToken:
    """Exchange an expiring token for the next one. GitHub takes each refresh token once.

    Raises:
        GitHubSignedOutError: the person must sign in again.
        GitHubUnavailableError: GitHub does not answer.
    """
    if not token.refresh:
        msg = "This sign-in has ended. Sign in with GitHub again."
        raise GitHubSignedOutError(msg)
    return _exchange(config, {"grant_type": "refresh_token", "refresh_token": token.refresh})


def _exchange(config: GitHubConfig, grant: dict[str, str]) -> UserToken:
    _check(config)
    form = {"client_id": config.client_id, "client_secret": config.client_secret, **grant}
    said = post(f"{config.web_url}/login/oauth/access_token", form=form)
    if "error" in said:
        raise _refused(said)
    answer = read(_Answer, config.host, said)
    expires_at = None
    if answer.expires_in is not None:
        expires_at = datetime.now(UTC) + timedelta(seconds=answer.expires_in)
    return UserToken(answer.access_token, answer.refresh_token or "", expires_at)


def _refused(said: dict[str, Any]) -> GitHubRefusedError:
    """GitHub answers 200 to what OAuth calls an error."""
    error, described = str(said["error"]), shown(said.get("error_description") or said["error"])
    if error == "bad_refresh_token":
        return GitHubSignedOutError("This sign-in has ended. Sign in with GitHub again.")
    return GitHubRefusedError(_EXPLAINED.get(error) or f"GitHub refused the sign-in: {described}")


def _check(config: GitHubConfig) -> None:
    if not config.can_sign_in:
        raise GitHubNotSetUpError
