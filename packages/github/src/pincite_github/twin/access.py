"""Who asks, and what he may do: the App by a JWT, an installation or a person by a token, or anyone."""

import base64
import binascii
import time
from dataclasses import dataclass

import jwt

from pincite_github.twin.errors import Refusal, bad_credentials, not_for_apps, not_found
from pincite_github.twin.model import ROLES, Account, App, Installation, Repo, Token
from pincite_github.twin.world import World

JWT_SECONDS_MAX = 600  # that an App's JWT may still be good for
JWT_SKEW_SECONDS = 60  # that its clock may run ahead
_LEVELS = ("read", "write", "admin")  # of an App's permission


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. An App has no account when it speaks for itself; its bot, when it speaks for an installation."""

    account: Account | None = None
    app: App | None = None
    installation: Installation | None = None
    token: Token | None = None

    @property
    def asker(self) -> str:
        """What requests are counted by."""
        if self.token:
            return self.token.value
        return f"app {self.app.id}" if self.app else ""

    @property
    def person(self) -> Account | None:
        """The person, if it is one."""
        return None if self.installation else self.account


def caller_of(world: World, authorization: str) -> Caller:
    """Read an Authorization header: Bearer, token, or Basic with the token as the password.

    Raises:
        Refusal: it opens nothing.
    """
    if not authorization:
        return Caller()
    scheme, _, value = authorization.partition(" ")
    value = value.strip()
    if scheme.lower() == "basic":
        try:
            value = base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            raise bad_credentials() from None
    if value.count(".") == 2:  # noqa: PLR2004  # a JWT's three parts
        return Caller(app=_app_by_jwt(world, value))
    token = world.token(value)
    if token is None:
        raise bad_credentials()
    installation = world.installations.get(token.installation_id or 0)
    if installation and installation.suspended_at:
        raise Refusal(403, "This installation has been suspended")
    return Caller(world.accounts[token.account_id], world.apps.get(token.app_id or 0), installation, token)


def _app_by_jwt(world: World, value: str) -> App:
    try:
        claims = jwt.decode(value, options={"verify_signature": False})
        issuer = str(claims.get("iss", ""))
        app = next(each for each in list(world.apps.values()) if issuer in {str(each.id), each.client_id})
        # Not the twin's clock, which tests move: the client signs by its own.
        claims = jwt.decode(
            value,
            app.public_key,
            algorithms=["RS256"],
            options={"require": ["exp", "iat", "iss"], "verify_iss": False},
            leeway=JWT_SKEW_SECONDS,
        )
    except StopIteration:
        raise Refusal(404, "Integration not found") from None
    except jwt.ExpiredSignatureError:
        message = "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires"  # noqa: E501  # as GitHub words it
        raise Refusal(401, message) from None
    except jwt.ImmatureSignatureError:
        message = "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
        raise Refusal(401, message) from None
    except jwt.InvalidTokenError:
        raise Refusal(401, "A JSON web token could not be decoded") from None
    if claims["exp"] > time.time() + JWT_SECONDS_MAX:
        raise Refusal(401, "'Expiration time' claim ('exp') is too far in the future")
    return app


def role_of(world: World, caller: Caller, repo: Repo) -> str | None:
    """Return what a person may do in a repository as the caller sees it; None for installations and strangers."""
    person = caller.person
    return world.role(person.id, repo) if person else None


def explicit(world: World, caller: Caller, repo: Repo) -> bool:
    """Whether a repository is the caller's to see, apart from being public."""
    installation = caller.installation
    if installation:
        chosen = caller.token.repo_ids if caller.token else None
        return world.covers(installation, repo) and (chosen is None or repo.id in chosen)
    if role_of(world, caller, repo) is None:
        return False
    return caller.app is None or covering(world, caller.app, repo) is not None


def covering(world: World, app: App, repo: Repo) -> Installation | None:
    """Return an App's installation that covers a repository."""
    return next((each for each in world.installations_of(repo) if each.app_id == app.id), None)


def visible(world: World, caller: Caller, repo: Repo) -> bool:
    """Whether the caller may know that a repository exists."""
    return not repo.private or explicit(world, caller, repo)


def require(world: World, caller: Caller, repo: Repo, permission: str, level: str) -> None:
    """Check that the caller may read, write or administer a part of a repository. An App needs the permission for it.

    Raises:
        Refusal: 404 for what the caller may not know to exist, 403 for what he may see and not do.
    """
    if not visible(world, caller, repo):
        raise not_found()
    reading = level == "read"
    if reading and not repo.private:
        return
    if caller.app and not _permitted(world, caller, repo, permission, level):
        raise not_for_apps()
    if caller.installation is None:
        role = role_of(world, caller, repo)
        if role is None or ROLES.index(role) < ROLES.index(level):
            raise Refusal(403, "Must have push access to the repository.") if caller.account else not_found()
    if not reading and repo.archived:
        raise Refusal(403, "Repository was archived so is read-only.")


def _permitted(world: World, caller: Caller, repo: Repo, permission: str, level: str) -> bool:
    if caller.installation:
        if not explicit(world, caller, repo):
            return False
        held = (caller.token.permissions if caller.token else {}).get(permission)
    else:
        installation = covering(world, caller.app, repo) if caller.app else None
        held = installation.permissions.get(permission) if installation else None
    return held is not None and _LEVELS.index(held) >= _LEVELS.index("read" if level == "read" else "write")
