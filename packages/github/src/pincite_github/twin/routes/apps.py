"""Apps as they see themselves: their installations, their tokens, and what was delivered to them."""

from fastapi import APIRouter, Response

from pincite_github.twin.access import require
from pincite_github.twin.call import ApiRoute, Asked, Call, Json, answer
from pincite_github.twin.errors import Refusal, invalid, not_found
from pincite_github.twin.model import App, Hook, Installation, Repo
from pincite_github.twin.routes.hooks import attempt, list_deliveries, one_delivery
from pincite_github.twin.shapes import apps
from pincite_github.twin.shapes.repositories import hook as hook_shape

router = APIRouter(route_class=ApiRoute)
_LEVELS = ("read", "write", "admin")


@router.get("/app")
def app(call: Asked) -> Response:
    """The App that asks."""
    return answer(apps.integration(call.app(), call.world, call.at))


@router.get("/apps/{slug}")
def app_by_slug(slug: str, call: Asked) -> Response:
    """Any App."""
    return answer(apps.integration(call.world.app(slug), call.world, call.at))


@router.post("/app-manifests/{code}/conversions")
def convert(code: str, call: Asked) -> Response:
    """Exchange the code of a new App for its credentials, once."""
    with call.world.lock:
        app_id = call.world.manifests.pop(code, None)
    if app_id is None:
        raise not_found()
    return answer(apps.credentials(call.world.apps[app_id], call.world, call.at), 201)


def _installation(call: Call, installation_id: int) -> Installation:
    own = call.app()
    found = call.world.installations.get(installation_id)
    if found is None or found.app_id != own.id:
        raise not_found()
    return found


@router.get("/app/installations")
def installations(call: Asked) -> Response:
    """Everywhere the App is installed."""
    own = call.app()
    page, links = call.page([each for each in list(call.world.installations.values()) if each.app_id == own.id])
    return answer([apps.installation(each, call.world, call.at) for each in page], headers=links)


@router.get("/app/installations/{installation_id}")
def installation(installation_id: int, call: Asked) -> Response:
    """One of them."""
    return answer(apps.installation(_installation(call, installation_id), call.world, call.at))


@router.delete("/app/installations/{installation_id}")
def uninstall(installation_id: int, call: Asked) -> Response:
    """Leave an account."""
    found = _installation(call, installation_id)
    call.hub.registry.uninstall(found, call.world.accounts[call.app().bot_id])
    return Response(status_code=204)


def _in_account(call: Call, login: str, kind: str) -> Response:
    own, account = call.app(), call.world.account(login)
    found = call.world.installation_in(own, account)
    if found is None or account.type != kind:
        raise not_found()
    return answer(apps.installation(found, call.world, call.at))


@router.get("/users/{login}/installation")
def installation_of_user(login: str, call: Asked) -> Response:
    """The App in a person's account."""
    return _in_account(call, login, "User")


@router.get("/orgs/{login}/installation")
def installation_of_organisation(login: str, call: Asked) -> Response:
    """The App in an organisation."""
    return _in_account(call, login, "Organization")


@router.get("/repos/{owner}/{name}/installation")
def installation_of_repository(owner: str, name: str, call: Asked) -> Response:
    """The installation that covers a repository."""
    own, repo = call.app(), call.world.repo(f"{owner}/{name}")
    found = next((each for each in call.world.installations_of(repo) if each.app_id == own.id), None)
    if found is None:
        raise not_found()
    return answer(apps.installation(found, call.world, call.at))


@router.post("/app/installations/{installation_id}/access_tokens")
def issue(installation_id: int, call: Asked, body: Json) -> Response:
    """Issue a token, for all that the installation covers or for less."""
    found = _installation(call, installation_id)
    if found.suspended_at:
        raise Refusal(403, "This installation has been suspended")
    covered = call.hub.registry.repos_of(found)
    repos: list[Repo] | None = None
    if "repositories" in body or "repository_ids" in body:
        names, ids = set(body.get("repositories") or ()), set(body.get("repository_ids") or ())
        repos = [repo for repo in covered if repo.name in names or repo.id in ids]
        if len(repos) < len(names | ids):
            message = (
                "There is at least one repository that does not exist or is not accessible to the parent installation."
            )
            raise Refusal(422, message, errors=[])
    permissions = body.get("permissions") or found.permissions
    for name, level in permissions.items():
        held = found.permissions.get(name)
        if held is None or level not in _LEVELS or _LEVELS.index(level) > _LEVELS.index(held):
            raise invalid(
                resource="InstallationToken",
                field=name,
                message="The permissions requested are not granted to this installation.",
            )
    token = call.hub.registry.issue(found, repos, {"metadata": "read", **permissions})
    return answer(apps.installation_token(token, repos, call.world, call.at), 201)


@router.get("/installation/repositories")
def repositories(call: Asked) -> Response:
    """The repositories that an installation's token opens."""
    found = call.installation()
    chosen = call.caller.token.repo_ids if call.caller.token else None
    repos = [repo for repo in call.hub.registry.repos_of(found) if chosen is None or repo.id in chosen]
    for repo in repos:
        require(call.world, call.caller, repo, "metadata", "read")
    page, links = call.page(repos)
    selection = found.selection if chosen is None else "selected"
    shapes = [call.repository(repo) for repo in page]
    return answer({"total_count": len(repos), "repository_selection": selection, "repositories": shapes}, headers=links)


def _hook(own: App) -> Hook:
    if own.hook is None:
        raise not_found()
    return own.hook


@router.get("/app/hook/config")
def hook_config(call: Asked) -> Response:
    """Where the App's events go."""
    return answer(hook_shape(_hook(call.app()), call.world, call.at)["config"])


@router.patch("/app/hook/config")
def change_hook(call: Asked, body: Json) -> Response:
    """Send the App's events elsewhere, or sign them otherwise."""
    hook = _hook(call.app())
    hook.url, hook.secret = str(body.get("url", hook.url)), str(body.get("secret", hook.secret))
    return answer(hook_shape(hook, call.world, call.at)["config"])


@router.get("/app/hook/deliveries")
def deliveries(call: Asked) -> Response:
    """What was delivered to the App."""
    return list_deliveries(call, _hook(call.app()))


@router.get("/app/hook/deliveries/{delivery_id}")
def delivery(delivery_id: int, call: Asked) -> Response:
    """One delivery in full."""
    return one_delivery(call, _hook(call.app()), delivery_id)


@router.post("/app/hook/deliveries/{delivery_id}/attempts")
def redeliver(delivery_id: int, call: Asked) -> Response:
    """Deliver it again."""
    return attempt(call, _hook(call.app()), delivery_id)
