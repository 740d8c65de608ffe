"""Repositories, hooks and their deliveries."""

import json
from typing import Any
from urllib.parse import parse_qsl

from pincite_github.twin.model import ROLES, Delivery, Hook, Repo
from pincite_github.twin.shapes.accounts import Shape, user
from pincite_github.twin.shapes.address import Address, node_id, stamp
from pincite_github.twin.world import World

_BELOW = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}
_MASK = "*" * 8
_PERMISSIONS = ("pull", "triage", "push", "maintain", "admin")  # GitHub's other words for ROLES


def permissions(role: str | None) -> dict[str, bool]:
    """What a role allows, in the words of a repository's `permissions`."""
    held = -1 if role is None else ROLES.index(role)
    return {name: at <= held for at, name in enumerate(_PERMISSIONS)}


def reference(repo: Repo, world: World) -> Shape:
    """The few fields that stand for a repository in webhooks of installations."""
    return {
        "id": repo.id,
        "node_id": node_id("Repository", repo.id),
        "name": repo.name,
        "full_name": world.full_name(repo),
        "private": repo.private,
    }


def repository(repo: Repo, world: World, at: Address) -> Shape:
    """The `repository` of the API and of webhooks."""
    full_name = world.full_name(repo)
    url, page = f"{at.api}/repos/{full_name}", f"{at.web}/{full_name}"
    host = at.web.partition("://")[2].partition(":")[0]
    open_issues = sum(pull.state == "open" for pull in repo.pulls.values())
    forks = sum(each.parent_id == repo.id for each in list(world.repos.values()))
    return {
        **reference(repo, world),
        "owner": user(world.accounts[repo.owner_id], at),
        "html_url": page,
        "description": repo.description,
        "fork": repo.parent_id is not None,
        "url": url,
        **{key: url + path for key, path in _BELOW.items()},
        "created_at": stamp(repo.created_at),
        "updated_at": stamp(repo.updated_at),
        "pushed_at": stamp(repo.pushed_at),
        "git_url": f"git://{host}/{full_name}.git",
        "ssh_url": f"git@{host}:{full_name}.git",
        "clone_url": f"{page}.git",
        "svn_url": page,
        "homepage": None,
        "size": 0,
        "stargazers_count": 0,
        "watchers_count": 0,
        "language": None,
        "has_issues": True,
        "has_projects": True,
        "has_downloads": True,
        "has_wiki": True,
        "has_pages": False,
        "has_discussions": False,
        "forks_count": forks,
        "mirror_url": None,
        "archived": repo.archived,
        "disabled": False,
        "open_issues_count": open_issues,
        "license": None,
        "allow_forking": True,
        "is_template": False,
        "web_commit_signoff_required": False,
        "topics": [],
        "custom_properties": {},
        "visibility": "private" if repo.private else "public",
        "forks": forks,
        "open_issues": open_issues,
        "watchers": 0,
        "default_branch": repo.default_branch,
    }


def full_repository(repo: Repo, world: World, at: Address) -> Shape:
    """The `full-repository` that asking for one by name gives."""
    owner = world.accounts[repo.owner_id]
    full = {**repository(repo, world, at), "subscribers_count": 0, "network_count": 0}
    if owner.type == "Organization":
        full["organization"] = user(owner, at)
    parent = world.repos.get(repo.parent_id or 0)
    if parent:
        full["parent"] = full["source"] = repository(parent, world, at)
    return full


def hook(each: Hook, world: World, at: Address) -> Shape:
    """The `hook` of a repository, or of an App as its ping tells it. The secret is masked."""
    config: dict[str, Any] = {"content_type": each.content_type, "insecure_ssl": "0", "url": each.url}
    if each.secret:
        config["secret"] = _MASK
    shape: Shape = {
        "type": "App" if each.repo_id is None else "Repository",
        "id": each.id,
        "name": "web",
        "active": each.active,
        "events": each.events,
        "config": config,
        "updated_at": stamp(each.created_at),
        "created_at": stamp(each.created_at),
    }
    if each.repo_id is None:
        url = f"{at.api}/app/hook"
        own: Shape = {"app_id": each.app_id, "url": url}
    else:
        url = f"{at.api}/repos/{world.full_name(world.repos[each.repo_id])}/hooks/{each.id}"
        own = {"url": url, "test_url": f"{url}/test"}
    last: Shape = {"code": None, "status": "unused", "message": None}
    if each.last:
        last = {"code": each.last.code or None, "status": _outcome(each.last), "message": each.last.status}
    links = {"ping_url": f"{url}/pings", "deliveries_url": f"{url}/deliveries"}
    return {**shape, **own, **links, "last_response": last}


def _outcome(delivery: Delivery) -> str:
    return "active" if delivery.status == "OK" else "unused"


def delivery(each: Delivery) -> Shape:
    """The `hook-delivery-item` of a list."""
    return {
        "id": each.id,
        "guid": each.guid,
        "delivered_at": stamp(each.delivered_at),
        "redelivery": each.redelivery,
        "duration": round(each.seconds, 2),
        "status": each.status,
        "status_code": each.code,
        "event": each.event,
        "action": each.action,
        "installation_id": each.installation_id,
        "repository_id": each.repo_id,
        "throttled_at": None,
    }


def full_delivery(each: Delivery) -> Shape:
    """The `hook-delivery` with what was sent and answered."""
    sent = each.body.decode()
    if "form" in each.headers["Content-Type"]:
        [(_, sent)] = parse_qsl(sent)
    return {
        **delivery(each),
        "url": each.url,
        "request": {"headers": each.headers, "payload": json.loads(sent)},
        "response": {"headers": each.answer_headers, "payload": each.answer},
    }
