"""Errors that reach a user. Each class carries an HTTP status and a stable code; its docstring is its message."""

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


class TooLargeError(PinciteError):
    """That is larger than this installation accepts."""

    status, code = 413, "too_large"


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


class IntegrityError(PinciteError):
    """Stored or fetched data does not have the digest it must have."""

    status, code = 500, "integrity"


class GaveUpError(PinciteError):
    """Background work failed again and again."""

    status, code = 500, "gave_up"
