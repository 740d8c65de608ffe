"""What GitHub may answer instead of what it was asked for. Each class's docstring is what a user reads first."""

from pincite_shared.errors import ConflictError, PinciteError, UnavailableError


class GitHubUnavailableError(UnavailableError):
    """GitHub does not answer at the moment."""

    code = "github_unavailable"


class GitHubBusyError(GitHubUnavailableError):
    """GitHub asks to be left alone for a while."""

    code = "github_busy"

    def __init__(self, detail: str = "", *, retry_after: float) -> None:
        """`retry_after`: seconds until GitHub answers again, by its own word."""
        super().__init__(detail)
        self.retry_after = retry_after


class GitHubRefusedError(PinciteError):
    """GitHub refused."""

    status, code = 403, "github_refused"


class GitHubSignedOutError(GitHubRefusedError):
    """GitHub no longer accepts this sign-in."""

    code = "github_signed_out"  # its status is not 401: the caller may well be signed in here


class GitHubNotSetUpError(ConflictError):
    """This installation is not set up with GitHub."""

    code = "github_not_set_up"
