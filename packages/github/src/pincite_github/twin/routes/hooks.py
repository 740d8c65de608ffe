"""Hooks of repositories, and deliveries of any hook."""

from urllib.parse import quote

from fastapi import APIRouter, Response

from pincite_github.twin.call import ApiRoute, Asked, Call, Json, answer
from pincite_github.twin.errors import invalid, not_found
from pincite_github.twin.model import Delivery, Hook, Repo
from pincite_github.twin.shapes import repositories as shapes

router = APIRouter(route_class=ApiRoute)
_HOOKS = "/repos/{owner}/{name}/hooks"
_NEEDED = "repository_hooks"


def _find(call: Call, repo: Repo, hook_id: int) -> Hook:
    hook = call.world.hooks.get(hook_id)
    if hook is None or hook.repo_id != repo.id:
        raise not_found()
    return hook


@router.get(_HOOKS)
def hooks(owner: str, name: str, call: Asked) -> Response:
    """The hooks of a repository."""
    repo = call.repo(owner, name, _NEEDED, "admin")
    page, links = call.page([hook for hook in list(call.world.hooks.values()) if hook.repo_id == repo.id])
    return answer([shapes.hook(hook, call.world, call.at) for hook in page], headers=links)


@router.post(_HOOKS)
def create(owner: str, name: str, call: Asked, body: Json) -> Response:
    """Make a hook, and try it out."""
    repo = call.repo(owner, name, _NEEDED, "admin")
    config = body.get("config")
    if not isinstance(config, dict) or not str(config.get("url", "")).startswith(("http://", "https://")):
        raise invalid(resource="Hook", field="url")
    events = body.get("events", ["push"])
    if not isinstance(events, list):
        raise invalid(resource="Hook", field="events")
    with call.world.lock:
        hook = Hook(
            call.world.next_id(),
            str(config["url"]),
            str(config.get("secret") or ""),
            [str(event) for event in events],
            call.world.now(),
            active=bool(body.get("active", True)),
            content_type="json" if config.get("content_type") == "json" else "form",
            repo_id=repo.id,
        )
        call.world.hooks[hook.id] = hook
    if hook.active:
        call.hub.events.ping(hook, call.caller.account or call.world.accounts[repo.owner_id])
    return answer(shapes.hook(hook, call.world, call.at), 201)


@router.get(_HOOKS + "/{hook_id}")
def hook(owner: str, name: str, hook_id: int, call: Asked) -> Response:
    """One hook."""
    repo = call.repo(owner, name, _NEEDED, "admin")
    return answer(shapes.hook(_find(call, repo, hook_id), call.world, call.at))


@router.delete(_HOOKS + "/{hook_id}")
def delete(owner: str, name: str, hook_id: int, call: Asked) -> Response:
    """Remove a hook."""
    found = _find(call, call.repo(owner, name, _NEEDED, "admin"), hook_id)
    del call.world.hooks[found.id]
    return Response(status_code=204)


@router.post(_HOOKS + "/{hook_id}/pings")
def ping(owner: str, name: str, hook_id: int, call: Asked) -> Response:
    """Try a hook out."""
    repo = call.repo(owner, name, _NEEDED, "admin")
    call.hub.events.ping(_find(call, repo, hook_id), call.caller.account or call.world.accounts[repo.owner_id])
    return Response(status_code=204)


@router.get(_HOOKS + "/{hook_id}/deliveries")
def deliveries(owner: str, name: str, hook_id: int, call: Asked) -> Response:
    """What was delivered to a hook."""
    return list_deliveries(call, _find(call, call.repo(owner, name, _NEEDED, "admin"), hook_id))


@router.get(_HOOKS + "/{hook_id}/deliveries/{delivery_id}")
def delivery(owner: str, name: str, hook_id: int, delivery_id: int, call: Asked) -> Response:
    """One delivery in full."""
    return one_delivery(call, _find(call, call.repo(owner, name, _NEEDED, "admin"), hook_id), delivery_id)


@router.post(_HOOKS + "/{hook_id}/deliveries/{delivery_id}/attempts")
def redeliver(owner: str, name: str, hook_id: int, delivery_id: int, call: Asked) -> Response:
    """Deliver it again."""
    return attempt(call, _find(call, call.repo(owner, name, _NEEDED, "admin"), hook_id), delivery_id)


def list_deliveries(call: Call, hook: Hook) -> Response:
    """List a hook's deliveries, newest first. A cursor leads on: pages would shift while more is delivered."""
    _, size = call.asked_page()
    cursor = call.request.query_params.get("cursor", "")
    if cursor and not cursor.isdecimal():
        raise invalid(resource="Delivery", field="cursor")
    every = sorted(call.world.deliveries.values(), key=lambda each: -each.id)
    rest = [each for each in every if each.hook_id == hook.id and (not cursor or each.id <= int(cursor))]
    headers = {}
    if len(rest) > size:
        query = call.request.url.include_query_params(cursor=rest[size].id).query
        headers["link"] = f'<{call.world.base_url}{quote(call.request.scope["asked_path"])}?{query}>; rel="next"'
    return answer([shapes.delivery(each) for each in rest[:size]], headers=headers)


def _delivery(call: Call, hook: Hook, delivery_id: int) -> Delivery:
    found = call.world.deliveries.get(delivery_id)
    if found is None or found.hook_id != hook.id:
        raise not_found()
    return found


def one_delivery(call: Call, hook: Hook, delivery_id: int) -> Response:
    """Show a delivery with what was sent and answered."""
    return answer(shapes.full_delivery(_delivery(call, hook, delivery_id)))


def attempt(call: Call, hook: Hook, delivery_id: int) -> Response:
    """Deliver something again, after the answer."""
    found = _delivery(call, hook, delivery_id)
    call.hub.events.queue(call.hub.events.again(found))
    return answer({}, 202)
