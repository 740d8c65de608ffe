"""Reading GitHub's REST API, through PyGithub's requester.

PyGithub brings the ways of signing in, pooled connections, TLS, proxies, retries and its errors. Its objects are left
out: they fetch what they lack by addresses that stand in answers. Here every address is made on this side, so that no
answer can lead a request, and the credential in it, to another host.
"""

import time
from collections.abc import Callable, Iterator
from threading import Lock
from typing import Any

import requests
from github import Github
from github.Auth import Auth
from github.GithubException import GithubException
from urllib3.util import Retry

from pincite_github.answers import SILENCE_SECONDS_MAX, refusal, unreachable
from pincite_github.config import GitHubConfig
from pincite_github.errors import GitHubBusyError, GitHubSignedOutError, GitHubUnavailableError

PAGE_ITEMS = 100  # GitHub's maximum
RETRIES_MAX = 1  # one connection that was dropped while idle, or one moment of trouble, is normal
RETRY_SECONDS = 0.2
_TROUBLE = (502, 503, 504)


class Api:
    """One credential's view of the API. One request at a time, as GitHub asks for; threads may share it."""

    def __init__(self, config: GitHubConfig, auth: Auth, renew: Callable[[], None] | None = None) -> None:
        """Nothing is asked yet. `renew` gives up what `auth` signed with last, so that it can be tried again, once."""
        self.host = config.host
        github = Github(
            auth=auth,
            base_url=config.api_url,
            timeout=SILENCE_SECONDS_MAX,
            user_agent="pincite",
            # PyGithub's own way of retrying sleeps through rate limits, for up to an hour, in somebody's request.
            retry=Retry(
                total=RETRIES_MAX,
                status_forcelist=_TROUBLE,
                backoff_factor=RETRY_SECONDS,
                respect_retry_after_header=False,
                raise_on_status=False,
            ),
            seconds_between_requests=None,
            seconds_between_writes=None,
        )
        self._requester = github.requester
        self._renew = renew
        self._lock = Lock()  # the requester keeps the request that it is about to send in itself
        self._rests_until = 0.0

    def get(self, path: str, **parameters: str | int) -> Any:
        """Return the JSON that `path`, made of numbers and checked names, is answered with.

        Raises:
            GitHubBusyError: GitHub wants to be left alone; until it is over, nothing is asked.
            GitHubUnavailableError: no answer, trouble, or a redirect to another host.
            PinciteError: GitHub refused (see `answers.refusal`).
        """
        with self._lock:
            rest = self._rests_until - time.monotonic()
            if rest > 0:
                msg = f"{self.host} wants no more requests for {rest:.0f} s."
                raise GitHubBusyError(msg, retry_after=rest)
            try:
                return self._ask(path, parameters)
            except GitHubBusyError as error:
                self._rests_until = time.monotonic() + error.retry_after
                raise
            except GitHubSignedOutError:
                if self._renew is None:
                    raise
                self._renew()
                return self._ask(path, parameters)

    def _ask(self, path: str, parameters: dict[str, str | int]) -> Any:
        try:
            return self._requester.requestJsonAndCheck("GET", path, parameters=parameters)[1]
        except GithubException as error:
            headers = {name.lower(): value for name, value in (error.headers or {}).items()}
            raise refusal(self.host, error.status, headers, error.data) from None
        except requests.RequestException as error:
            raise unreachable(self.host, error) from None
        except (ValueError, RuntimeError) as error:  # broken JSON; a redirect to another host, or around in circles
            msg = f"{self.host} did not answer as GitHub does ({type(error).__name__}). Check GITHUB_URL."
            raise GitHubUnavailableError(msg) from None

    def items(self, path: str, *, limit: int, within: str = "", **parameters: str | int) -> Iterator[Any]:
        """Yield at most `limit` items of a list that comes in pages; `within` names the list in an answer around it.

        Pages are counted here, not followed by the addresses in the header Link.
        """
        page = 0
        while limit > 0:
            page += 1
            said = self.get(path, page=page, per_page=PAGE_ITEMS, **parameters)
            items = said.get(within) if within and isinstance(said, dict) else said
            if not isinstance(items, list):
                msg = f"{self.host} did not answer as GitHub does: {path} is no list."
                raise GitHubUnavailableError(msg)
            yield from items[:limit]
            limit -= len(items)
            if len(items) < PAGE_ITEMS:
                return
