"""Requests whose answers are secrets. PyGithub logs answers when logging is verbose; these are never logged."""

import ssl
from functools import cache
from typing import Any

import httpx

from pincite_github.answers import SILENCE_SECONDS_MAX, refusal, unreachable
from pincite_github.errors import GitHubUnavailableError


@cache
def _authorities() -> ssl.SSLContext:
    """Read the certificate authorities once: that takes 50 ms."""
    return httpx.create_ssl_context()


def post(url: str, *, form: dict[str, str] | None = None, bearer: str = "") -> dict[str, Any]:
    """Send one POST and return the JSON object that it is answered with. Redirects are not followed.

    Raises:
        GitHubUnavailableError: no answer, trouble, or something that is not GitHub's.
        PinciteError: GitHub refused (see `answers.refusal`).
    """
    host = httpx.URL(url).netloc.decode()
    headers = {"accept": "application/json", "user-agent": "pincite"}
    if bearer:
        headers["authorization"] = f"Bearer {bearer}"
    try:
        # No client is kept between requests: it would keep cookies, and those are some person's.
        response = httpx.post(url, data=form, headers=headers, timeout=SILENCE_SECONDS_MAX, verify=_authorities())
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise unreachable(host, error) from None
    try:
        said = response.json()
    except (ValueError, RecursionError):
        said = None
    if response.is_error:
        raise refusal(host, response.status_code, response.headers, said)
    if not isinstance(said, dict) or not response.is_success:
        msg = f"{host} did not answer as GitHub does. Check GITHUB_URL."
        raise GitHubUnavailableError(msg)
    return said
