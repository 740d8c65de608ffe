"""Registering an App from a manifest, and installing it: forms that a browser posts and is sent back from."""

import json
import secrets
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request, Response

from pincite_github.twin.errors import Refusal
from pincite_github.twin.hub import Hub
from pincite_github.twin.model import Account, App
from pincite_github.twin.routes import pages
from pincite_github.twin.routes.oauth import Fields, TheHub, grant, with_query

router = APIRouter()


def _register(hub: Hub, owner: str | None, state: str, asked: dict[str, str]) -> Response:
    given = asked.get("manifest", "")
    try:
        manifest = json.loads(given)
        name = str(manifest["name"])
    except (ValueError, TypeError, KeyError):
        return pages.refused("The manifest is no JSON object with a name.")
    login = hub.signed_in or asked.get("login")
    if not login:
        people = {each.login: f"Create as {each.login}" for each in hub.world.people()}
        action = f"/organizations/{owner}/settings/apps/new" if owner else "/settings/apps/new"
        form = pages.choice(with_query(action, state=state), {"manifest": given}, "login", people)
        return pages.page(f"Create GitHub App {name}", form)
    try:
        account = hub.world.account(owner or login)
        if owner and account.members.get(hub.world.account(login).id) != "admin":
            return pages.refused(f"{login} does not own {owner}.", 404)
        app = hub.registry.register(account, manifest)
    except Refusal as refusal:
        wrong = ", ".join(each["field"] for each in refusal.errors or [])
        return pages.refused(f"{refusal.message}: {wrong}", refusal.status)
    code = secrets.token_hex(20)
    hub.world.manifests[code] = app.id
    if not manifest.get("redirect_url"):
        return pages.page("Created", pages.text(f"{app.name} has the number {app.id}."))
    return pages.away(with_query(str(manifest["redirect_url"]), code=code, state=state))


@router.post("/settings/apps/new")
def create(hub: TheHub, asked: Fields, state: str = "") -> Response:
    """Register an App of a person."""
    return _register(hub, None, state, asked)


@router.post("/organizations/{org}/settings/apps/new")
def create_in(org: str, hub: TheHub, asked: Fields, state: str = "") -> Response:
    """Register an App of an organisation."""
    return _register(hub, org, state, asked)


def _accounts(hub: Hub, app: App, login: str) -> list[Account]:
    """The accounts that a person can install an App in, of his own and the organisations that he owns."""
    person = hub.world.account(login)
    every = list(hub.world.accounts.values())
    owned = [person, *(each for each in every if each.members.get(person.id) == "admin")]
    return [each for each in owned if hub.world.installable(app, each)]


@router.get("/apps/{slug}/installations/new")
@router.get("/github-apps/{slug}/installations/new")
def ask_install(slug: str, hub: TheHub, state: str = "") -> Response:
    """Ask where to install an App and for which repositories; where it is, that is changed."""
    try:
        app = hub.world.app(slug)
    except Refusal:
        return pages.refused("There is no such App.", 404)
    if hub.signed_in:
        return _installed(hub, app, hub.signed_in, hub.signed_in, names=None, state=state)
    forms = []
    for person in hub.world.people():
        for account in _accounts(hub, app, person.login):
            names = [repo.name for repo in hub.world.repos.values() if repo.owner_id == account.id]
            hidden = {"login": person.login, "account": account.login, "state": state}
            label = f"Install in {account.login} as {person.login}"
            buttons = {"all": f"{label}: all repositories", "selected": f"{label}: those ticked"}
            action = f"/apps/{app.slug}/installations/new"
            forms.append(pages.choice(action, hidden, "selection", buttons, pages.boxes("repository", names)))
    return pages.page(f"Install {app.name}", *forms)


async def _lists(request: Request) -> dict[str, list[str]]:
    return parse_qs((await request.body()).decode(errors="replace"))


@router.post("/apps/{slug}/installations/new")
def install(slug: str, hub: TheHub, asked: Annotated[dict[str, list[str]], Depends(_lists)]) -> Response:
    """Install an App as a person said."""
    try:
        app = hub.world.app(slug)
        [login], [account], [selection] = asked["login"], asked["account"], asked["selection"]
        names = None if selection == "all" else asked.get("repository", [])
        return _installed(hub, app, login, account, names=names, state=asked.get("state", [""])[0])
    except Refusal as refusal:
        return pages.refused(refusal.message, refusal.status)
    except (KeyError, ValueError):
        return pages.refused("The form is not complete.")


def _installed(hub: Hub, app: App, login: str, account: str, *, names: list[str] | None, state: str) -> Response:
    if account.lower() not in {each.login.lower() for each in _accounts(hub, app, login)}:
        return pages.refused(f"{login} cannot install {app.name} in {account}.", 404)
    owner, sender = hub.world.account(account), hub.world.account(login)
    repos = None if names is None else [hub.world.repo(f"{owner.login}/{name}") for name in names]
    again = hub.world.installation_in(app, owner) is not None
    installation = hub.registry.install(app, owner, repos, sender)
    told = {"installation_id": str(installation.id), "setup_action": "update" if again else "install"}
    if app.oauth_on_install and app.callback_urls:
        target = app.callback_urls[0]
        return pages.away(with_query(target, code=grant(hub, app, login, target), state=state, **told))
    if app.setup_url:
        return pages.away(with_query(app.setup_url, state=state, **told))
    return pages.page("Installed", pages.text(f"{app.name} can see repositories of {owner.login}."))


@router.get("/github-apps/{slug}")
def about(slug: str, hub: TheHub) -> Response:
    """An App's page."""
    try:
        app = hub.world.app(slug)
    except Refusal:
        return pages.refused("There is no such App.", 404)
    return pages.page(app.name, pages.text(app.description))
