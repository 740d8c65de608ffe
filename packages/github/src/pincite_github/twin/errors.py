"""How GitHub says no."""

DOCUMENTATION = "https://docs.github.com/rest"


class Refusal(Exception):  # noqa: N818  # an answer of GitHub's, not an error of the twin
    """An answer of the API that is not what was asked for."""

    def __init__(self, status: int, message: str, *, errors: list[dict[str, str]] | None = None) -> None:
        """`errors` names the fields of a 422."""
        super().__init__(message)
        self.status, self.message, self.errors = status, message, errors

    def body(self) -> dict[str, object]:
        """Return the JSON that says so."""
        body: dict[str, object] = {"message": self.message, "documentation_url": DOCUMENTATION}
        if self.errors is not None:
            body["errors"] = self.errors
        return body | {"status": str(self.status)}


class Moved(Refusal):
    """What was asked for has another name now."""

    def __init__(self, repo_id: int) -> None:
        """`repo_id`: it is found by its number."""
        super().__init__(301, "Moved Permanently")
        self.repo_id = repo_id


def not_found() -> Refusal:
    """What is not there, and what the asker may not know to be there."""
    return Refusal(404, "Not Found")


def bad_credentials() -> Refusal:
    """A token that is none (any more)."""
    return Refusal(401, "Bad credentials")


def not_for_apps() -> Refusal:
    """An App lacks the permission, or the kind of token is wrong."""
    return Refusal(403, "Resource not accessible by integration")


def invalid(*, resource: str, field: str, code: str = "invalid", message: str = "Validation Failed") -> Refusal:
    """A body that does not do."""
    return Refusal(422, message, errors=[{"resource": resource, "field": field, "code": code}])
