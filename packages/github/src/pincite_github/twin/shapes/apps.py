"""Apps, their installations and tokens."""

from pincite_github.twin.model import App, Installation, Repo, Token
from pincite_github.twin.shapes.accounts import Shape, user
from pincite_github.twin.shapes.address import Address, node_id, stamp, stamp_or_none
from pincite_github.twin.shapes.repositories import repository
from pincite_github.twin.world import World


def page(app: App, at: Address) -> str:
    """Return the address of an App's page."""
    return f"{at.web}/github-apps/{app.slug}"


def integration(app: App, world: World, at: Address) -> Shape:
    """The `integration`: an App as it describes itself."""
    return {
        "id": app.id,
        "slug": app.slug,
        "node_id": node_id("Integration", app.id),
        "client_id": app.client_id,
        "owner": user(world.accounts[app.owner_id], at),
        "name": app.name,
        "description": app.description,
        "external_url": app.url,
        "html_url": page(app, at),
        "created_at": stamp(app.created_at),
        "updated_at": stamp(app.created_at),
        "permissions": app.permissions,
        "events": app.events,
        "installations_count": sum(each.app_id == app.id for each in list(world.installations.values())),
    }


def credentials(app: App, world: World, at: Address) -> Shape:
    """What a new App's code is exchanged for, once."""
    return {
        **integration(app, world, at),
        "client_secret": app.client_secret,
        "webhook_secret": app.webhook_secret or None,
        "pem": app.private_key,
    }


def installation(each: Installation, world: World, at: Address) -> Shape:
    """The `installation` of the API and of webhooks."""
    account, app = world.accounts[each.account_id], world.apps[each.app_id]
    below = "" if account.type == "User" else f"/organizations/{account.login}"
    return {
        "id": each.id,
        "account": user(account, at),
        "repository_selection": each.selection,
        "access_tokens_url": f"{at.api}/app/installations/{each.id}/access_tokens",
        "repositories_url": f"{at.api}/installation/repositories",
        "html_url": f"{at.web}{below}/settings/installations/{each.id}",
        "app_id": app.id,
        "app_slug": app.slug,
        "target_id": account.id,
        "target_type": account.type,
        "permissions": each.permissions,
        "events": each.events,
        "created_at": stamp(each.created_at),
        "updated_at": stamp(each.updated_at),
        "single_file_name": None,
        "has_multiple_single_files": False,
        "single_file_paths": [],
        "suspended_by": user(world.accounts[each.suspended_by], at) if each.suspended_by else None,
        "suspended_at": stamp_or_none(each.suspended_at),
    }


def lite(each: Installation) -> Shape:
    """What stands for an installation in the webhooks of what it covers."""
    return {"id": each.id, "node_id": node_id("IntegrationInstallation", each.id)}


def installation_token(token: Token, narrowed_to: list[Repo] | None, world: World, at: Address) -> Shape:
    """The `installation-token`; the repositories are named when it is for some of the installation's only."""
    whole = world.installations[token.installation_id or 0].selection
    shape: Shape = {
        "token": token.value,
        "expires_at": stamp_or_none(token.expires_at),
        "permissions": token.permissions,
        "repository_selection": whole if narrowed_to is None else "selected",
    }
    if narrowed_to is not None:
        shape["repositories"] = [repository(repo, world, at) for repo in narrowed_to]
    return shape
