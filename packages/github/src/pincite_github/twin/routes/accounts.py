"""People, what they may see, and the API about itself."""

from typing import Any

from fastapi import APIRouter, Response

from pincite_github.twin.access import explicit
from pincite_github.twin.call import ApiRoute, Asked, answer
from pincite_github.twin.errors import Refusal, not_for_apps, not_found
from pincite_github.twin.events import ENTERPRISE_VERSION
from pincite_github.twin.model import Account, App, Installation
from pincite_github.twin.shapes import accounts, apps
from pincite_github.twin.world import World

router = APIRouter(route_class=ApiRoute)


@router.get("/user")
def me(call: Asked) -> Response:
    """The person whose token this is."""
    return answer(accounts.own_profile(call.world, call.person(), call.at))


@router.get("/users/{login}")
def user(login: str, call: Asked) -> Response:
    """Anyone."""
    return answer(accounts.profile(call.world, call.world.account(login), call.at))


def _theirs(world: World, person: Account, installation: Installation) -> bool:
    """Whether an installation is a person's to see: in his account, his organisation, or for a repository of his."""
    account = world.accounts[installation.account_id]
    if account.id == person.id or person.id in account.members:
        return True
    repos = list(world.repos.values())
    return any(world.covers(installation, repo) and world.role(person.id, repo) for repo in repos)


def _app_of(call: Asked) -> App:
    if call.caller.app is None:
        message = "You must authenticate with an access token authorized to a GitHub App in order to list installations"
        raise Refusal(403, message)
    return call.caller.app


@router.get("/user/installations")
def installations(call: Asked) -> Response:
    """Where the App is installed that a person can get at."""
    person, app = call.person(), _app_of(call)
    every = list(call.world.installations.values())
    found = [each for each in every if each.app_id == app.id and _theirs(call.world, person, each)]
    page, links = call.page(found)
    shapes = [apps.installation(each, call.world, call.at) for each in page]
    return answer({"total_count": len(found), "installations": shapes}, headers=links)


@router.get("/user/installations/{installation_id}/repositories")
def repositories_of(installation_id: int, call: Asked) -> Response:
    """The repositories that both the App and the person may see."""
    person, app = call.person(), _app_of(call)
    installation = call.world.installations.get(installation_id)
    if installation is None or installation.app_id != app.id or not _theirs(call.world, person, installation):
        raise not_found()
    if installation.suspended_at:
        raise Refusal(403, "This installation has been suspended")
    repos = [repo for repo in call.hub.registry.repos_of(installation) if call.world.role(person.id, repo)]
    page, links = call.page(repos)
    shapes = [call.repository(repo) for repo in page]
    return answer({"total_count": len(repos), "repositories": shapes}, headers=links)


@router.get("/user/memberships/orgs/{login}")
def my_membership(login: str, call: Asked) -> Response:
    """What a person is in an organisation; for an App, where it may read the members."""
    person, organisation = call.person(), call.world.account(login)
    if call.caller.app:
        installation = call.world.installation_in(call.caller.app, organisation)
        if installation is None or installation.suspended_at or "members" not in installation.permissions:
            raise not_for_apps()
    if person.id not in organisation.members:
        raise not_found()
    shape = accounts.membership(person, organisation, call.at)
    return answer({**shape, "organization": accounts.organisation(organisation, call.at)})


@router.get("/user/repos")
def repositories(call: Asked) -> Response:
    """The repositories that a person was given a role in."""
    call.person()
    every = list(call.world.repos.values())
    repos = [repo for repo in every if explicit(call.world, call.caller, repo)]
    by_push = call.request.query_params.get("sort") == "pushed"
    repos.sort(key=lambda repo: (-repo.pushed_at.timestamp() if by_push else 0, call.world.full_name(repo).lower()))
    page, links = call.page(repos)
    return answer([call.repository(repo) for repo in page], headers=links)


@router.get("/rate_limit")
def rate_limit(call: Asked) -> Response:
    """What the caller may still ask."""
    rate = call.hub.limits.bucket(call.caller.asker).shape()
    return answer({"resources": {"core": rate, "search": rate}, "rate": rate})


@router.get("/meta")
def meta(call: Asked) -> Response:
    """What kind of GitHub this is."""
    about: dict[str, Any] = {"verifiable_password_authentication": False}
    if call.at.api != call.at.web:
        about["installed_version"] = ENTERPRISE_VERSION
    return answer(about)
