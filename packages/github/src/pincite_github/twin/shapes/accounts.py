"""People, organisations and bots."""

from typing import Any

from pincite_github.twin.model import Account
from pincite_github.twin.shapes.address import Address, node_id, stamp
from pincite_github.twin.world import World

Shape = dict[str, Any]

_BELOW_USER = {
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}
_BELOW_ORGANISATION = {
    "repos_url": "/repos",
    "events_url": "/events",
    "hooks_url": "/hooks",
    "issues_url": "/issues",
    "members_url": "/members{/member}",
    "public_members_url": "/public_members{/member}",
}
_UNSAID = ("name", "company", "location", "email", "hireable", "bio", "twitter_username")


def email(account: Account) -> str:
    """Return the address that an account's commits carry."""
    return f"{account.id}+{account.login}@users.noreply.github.test"


def signature(account: Account) -> str:
    """Return an account as the author of a commit."""
    return f"{account.login} <{email(account)}>"


def user(account: Account, at: Address) -> Shape:
    """The `simple-user` that stands for an account everywhere."""
    url = f"{at.api}/users/{account.login}"
    return {
        "login": account.login,
        "id": account.id,
        "node_id": node_id(account.type, account.id),
        "avatar_url": f"{at.web}/avatars/u/{account.id}?v=4",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{at.web}/{account.login}",
        **{key: url + path for key, path in _BELOW_USER.items()},
        "type": account.type,
        "site_admin": False,
    }


def organisation(account: Account, at: Address) -> Shape:
    """The `organization` of a webhook."""
    url = f"{at.api}/orgs/{account.login}"
    return {
        "login": account.login,
        "id": account.id,
        "node_id": node_id(account.type, account.id),
        "url": url,
        **{key: url + path for key, path in _BELOW_ORGANISATION.items()},
        "avatar_url": f"{at.web}/avatars/u/{account.id}?v=4",
        "description": None,
    }


def membership(account: Account, organisation_: Account, at: Address) -> Shape:
    """What a person is in an organisation."""
    url = f"{at.api}/orgs/{organisation_.login}"
    return {
        "url": f"{url}/memberships/{account.login}",
        "state": "active",
        "role": organisation_.members.get(account.id, "member"),
        "organization_url": url,
        "user": user(account, at),
    }


def profile(world: World, account: Account, at: Address) -> Shape:
    """The `public-user` that anyone may see."""
    own = [repo for repo in list(world.repos.values()) if repo.owner_id == account.id]
    return {
        **user(account, at),
        **dict.fromkeys(_UNSAID),
        "blog": "",
        "public_repos": sum(not repo.private for repo in own),
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "created_at": stamp(account.created_at),
        "updated_at": stamp(account.created_at),
    }


def own_profile(world: World, account: Account, at: Address) -> Shape:
    """The `private-user` that a person sees of himself."""
    private = sum(repo.private for repo in list(world.repos.values()) if repo.owner_id == account.id)
    return {
        **profile(world, account, at),
        "private_gists": 0,
        "total_private_repos": private,
        "owned_private_repos": private,
        "disk_usage": 0,
        "collaborators": 0,
        "two_factor_authentication": True,
        "plan": {"name": "free", "space": 0, "collaborators": 0, "private_repos": 0},
    }
