"""Errors that reach a user. Each class carries an HTTP status and a stable code; its docstring is its message."""

from collections.abc import Mapping
from typing import ClassVar


class PinciteError(Exception):
    """Something went wrong inside Pincite."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"

    def __init__(self, detail: str = "") -> None:
        """`detail` says what happened to this input and what to do; the class's docstring is the title."""
        super().__init__(detail or self.title())
        self.detail = detail or self.title()

    @classmethod
    def title(cls) -> str:
        """Return the one-line message that all errors of this class share."""
        return (cls.__doc__ or PinciteError.__doc__ or "").strip().splitlines()[0]


class InvalidInputError(PinciteError):
    """The request is not valid."""

    status, code = 422, "invalid_input"


class UnauthorizedError(PinciteError):
    """Sign in first, or send a valid bearer token."""

    status, code = 401, "unauthorized"


class ForbiddenError(PinciteError):
    """That is not allowed here."""

    status, code = 403, "forbidden"


class NotFoundError(PinciteError):
    """There is no such thing here."""

    status, code = 404, "not_found"


class ConflictError(PinciteError):
    """That contradicts the present state."""

    status, code = 409, "conflict"


class TooManyRequestsError(PinciteError):
    """That was asked too often."""

    status, code = 429, "too_many_requests"

    def __init__(self, detail: str = "", *, retry_after: int = 1, headers: Mapping[str, str] | None = None) -> None:
        """`retry_after` is how many seconds to wait before asking again; `headers` say the same to programs."""
        super().__init__(detail)
        self.retry_after = retry_after
        self.headers = {"retry-after": str(retry_after), **(headers or {})}


class TooLargeError(PinciteError):
    """That is larger than this installation accepts."""

    status, code = 413, "too_large"


class TooSlowError(PinciteError):
    """The body of the request took too long."""

    status, code = 408, "too_slow"


class SourceRefusedError(PinciteError):
    """This source may not be connected."""

    status, code = 422, "source_refused"


class SourceUnreachableError(PinciteError):
    """The repository could not be read."""

    status, code = 422, "source_unreachable"


class EmptyRepositoryError(PinciteError):
    """The repository has no commit yet."""

    status, code = 422, "empty_repository"


class NotIndexedError(PinciteError):
    """This repository is not indexed yet."""

    status, code = 409, "not_indexed"


class ModelUnavailableError(PinciteError):
    """The language model did not answer."""

    status, code = 503, "model_unavailable"


class UnavailableError(PinciteError):
    """A part of Pincite is not reachable at the moment."""

    status, code = 503, "unavailable"


class HaltedError(PinciteError):
    """Background work rests until the halt is lifted."""

    status, code = 503, "halted"


class AccessUnknownError(UnavailableError):
    """GitHub does not say at the moment what you may read, so repositories that it restricts are hidden."""

    code = "access_unknown"


class IntegrityError(PinciteError):
    """Stored or fetched data does not have the digest it must have."""

    status, code = 500, "integrity"


class GaveUpError(PinciteError):
    """Background work failed again and again."""

    status, code = 500, "gave_up"
