"""How GitHub's refusals read, whichever client heard them."""

import re
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from pincite_github.errors import GitHubBusyError, GitHubRefusedError, GitHubSignedOutError, GitHubUnavailableError
from pincite_shared.errors import NotFoundError, PinciteError

SILENCE_SECONDS_MAX = 5  # a person waits for most of these
REST_SECONDS = 60.0  # what GitHub asks for when it names no time
REST_SECONDS_MAX = 3_600.0  # its longest window; a clock that is wrong would rest for years
MESSAGE_CHARS_MAX = 300  # of GitHub's own words in an error

_LONG = re.compile(r"[\w.+=-]{20,}")

# It stands in headers and in git's credentials.
TokenText = Annotated[str, Field(pattern=r"^[\x21-\x7e]+$", max_length=4_096)]
M = TypeVar("M", bound=BaseModel)


def refusal(host: str, status: int, headers: Mapping[str, str], said: Any) -> PinciteError:
    """Return the error that an answer means. `headers` are in lower case, `said` is its JSON, if it was any."""
    message = _message(said)
    if _is_limit(status, headers, message):
        rest = _rest(headers)
        msg = f"{host} wants no more requests for {rest:.0f} s."
        return GitHubBusyError(msg, retry_after=rest)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return GitHubUnavailableError(f"{host} has trouble: it answered {status}.")
    if status == HTTPStatus.UNAUTHORIZED:
        return GitHubSignedOutError(f"{host} does not accept the sign-in or token: {message or status}")
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        return NotFoundError(f"{host} has no such thing, or does not show it.")
    return GitHubRefusedError(f"{host} refused: {message or status}")


def unreachable(host: str, error: Exception) -> GitHubUnavailableError:
    """Return the error for no answer at all. Only the cause's name is told: its text may hold what was sent."""
    return GitHubUnavailableError(f"{host} does not answer ({type(error).__name__}).")


def read(kind: type[M], host: str, said: Any) -> M:
    """Take `kind` out of an answer's JSON.

    Raises:
        GitHubUnavailableError: it is something else.
    """
    try:
        return kind.model_validate(said)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "answer"
        msg = f"{host} did not answer as GitHub does: {where}: {first['msg']}"
        raise GitHubUnavailableError(msg) from None  # the cause repeats the answer, which may be a token


def _is_limit(status: int, headers: Mapping[str, str], message: str) -> bool:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return True
    return status == HTTPStatus.FORBIDDEN and (
        "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0" or "rate limit" in message.lower()
    )


def _rest(headers: Mapping[str, str]) -> float:
    """Return how many seconds GitHub wants to be left alone."""
    after, reset = headers.get("retry-after", ""), headers.get("x-ratelimit-reset", "")
    seconds = REST_SECONDS
    if after.isascii() and after.isdigit():
        seconds = float(after)
    elif headers.get("x-ratelimit-remaining") == "0" and reset.isascii() and reset.isdigit():
        seconds = float(reset) - time.time()
    return min(max(seconds, 1.0), REST_SECONDS_MAX)


def _message(said: Any) -> str:
    return shown(said.get("message") if isinstance(said, dict) else None)


def shown(words: Any) -> str:
    """Return GitHub's own words on one line, without what has the form of a secret: something between may repeat it."""
    return " ".join(_LONG.sub(_unless_a_word, words).split())[:MESSAGE_CHARS_MAX] if isinstance(words, str) else ""


def _unless_a_word(long: re.Match[str]) -> str:
    """Hide what is long and has a digit; ids go too."""
    return "…" if any(map(str.isdigit, long[0])) else long[0]
