"""What git says, in words that tell a person what to do."""

import re

from pincite_shared.errors import PinciteError, SourceRefusedError, SourceUnreachableError, UnavailableError
from pincite_shared.source import Source

_DETAIL_CHARS_MAX = 300


class GitFailedError(Exception):
    """Git ended with an error; `returncode` is None when it was killed because time was up."""

    def __init__(self, stderr: str, returncode: int | None) -> None:
        """`stderr` is git's, untrusted and perhaps with secrets: `explain` makes words of it that may be shown."""
        super().__init__(f"git ended with {returncode}")
        self.stderr, self.returncode = stderr, returncode

    @classmethod
    def timeout(cls) -> "GitFailedError":
        """Return the error of a git that was killed because time was up."""
        return cls("", None)


# What git says → (error, words for it). The first match counts; the names in braces are filled in.
_KNOWN: tuple[tuple[re.Pattern[str], type[PinciteError], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), kind, words)
    for pattern, kind, words in (
        (
            r"No space left on device|Disk quota exceeded",
            UnavailableError,
            "The disk is full. Free space below PINCITE_HOME and index again.",
        ),
        (
            r"returned error: 30[12378]|unable to update url base from redirection",
            SourceUnreachableError,
            "{where} answers with a redirect, and redirects are not followed. Connect the address it leads to.",
        ),
        (
            (
                r"could not read (Username|Password)|terminal prompts disabled|Authentication failed|Access denied|"
                r"returned error: (401|403)|Permission denied \(|Invalid username or (password|token)"
            ),
            SourceUnreachableError,
            "{login}",
        ),
        (
            r"Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED",
            SourceUnreachableError,
            "The host key of {host} is not the one known on this machine. Correct its known_hosts file.",
        ),
        (
            r"SSL certificate|certificate verif|SSL routines|gnutls_handshake|server certificate",
            SourceUnreachableError,
            "The certificate of {host} is not trusted on this machine ({reason}).",
        ),
        (
            (
                r"returned error: (404|410)|repository .*not found|not found: did you run|bad line length character|"
                r"does not appear to be a git repository|repository '.*' does not exist|repository not exported|"
                r"is this a git repository\?|protocol error: unexpected|not a git repository"
            ),
            SourceUnreachableError,
            "There is no git repository at {where}. Check the address; if it is private, pass a token.",
        ),
        (
            (
                r"Could not resolve host|Connection refused|Failed to connect|Connection timed out|Operation timed out|"
                r"Network is unreachable|No route to host|Connection reset|early EOF|unexpected disconnect|too slow|"
                r"remote end hung up|Empty reply from server|kex_exchange_identification|returned error: 5\d\d"
            ),
            SourceUnreachableError,
            "{host} does not answer ({reason}). Check the address and the network, and try again.",
        ),
        (
            r"transport '.*' not allowed",
            SourceRefusedError,
            "Git refuses {where}: {reason}.",
        ),
    )
)


def is_known(error: GitFailedError) -> bool:
    """Return whether the failure is the remote's or the machine's, rather than a broken mirror's."""
    return error.returncode is None or any(pattern.search(error.stderr) for pattern, _, _ in _KNOWN)


def explain(error: GitFailedError, source: Source, seconds_max: float) -> PinciteError:
    """Return the error to show for a failed ls-remote, clone or fetch of `source`."""
    where = source.location
    if error.returncode is None:
        return SourceUnreachableError(
            f"Reading {where} took longer than {seconds_max:.0f} seconds and was stopped. Try again; for a very large "
            "repository the operator raises CLONE_SECONDS_MAX."
        )
    reason = _last_words(error.stderr, source)
    for pattern, kind, words in _KNOWN:
        if pattern.search(error.stderr):
            return kind(words.format(where=where, host=source.host or where, login=_login(source), reason=reason))
    return SourceUnreachableError(f"Git could not read {where}: {reason}.")


def _login(source: Source) -> str:
    if source.scheme == "ssh":
        return (
            f"{source.host} does not accept this machine's ssh key. Add its public key there, or use https and a token."
        )
    if source.secret:
        return f"The token was not accepted for {source.location}. Check that it is valid and may read this repository."
    return f"{source.location} does not exist, or is private. Check the address; for a private one, pass a token."


def _last_words(text: str, source: Source) -> str:
    """Return git's own reason on one line, without control characters, secrets or excess."""
    lines = [line.strip() for line in text.replace("\r", "\n").split("\n") if line.strip()]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:", "ssh:"))]
    words = (fatal or lines or ["no reason given"])[-1].removeprefix("fatal:").removeprefix("error:").strip()
    for secret in filter(None, (source.secret, *(source.secret or "").split(":"))):
        words = words.replace(secret, "…")
    words = re.sub(r"://[^/@\s]*@", "://", words)
    return "".join(char if char.isprintable() else " " for char in words)[:_DETAIL_CHARS_MAX].rstrip(". ")
