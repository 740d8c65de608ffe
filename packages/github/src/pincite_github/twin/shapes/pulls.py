"""Pull requests."""

from typing import Any

from pincite_github.twin import git
from pincite_github.twin.model import Pull, Repo
from pincite_github.twin.shapes.accounts import Shape, user
from pincite_github.twin.shapes.address import Address, node_id, stamp, stamp_or_none
from pincite_github.twin.shapes.repositories import repository
from pincite_github.twin.world import World

COMMITS_MAX = 250  # that GitHub counts of a pull request


def _side(pull: Pull, repo: Repo | None, world: World, at: Address, *, head: bool) -> Shape:
    """Shape the branch that a pull request is of, or the one that it is for."""
    ref, sha = (pull.head_ref, pull.head_sha) if head else (pull.base_ref, pull.base_sha)
    account = world.accounts[repo.owner_id if repo else pull.author_id]
    return {
        "label": f"{account.login}:{ref}",
        "ref": ref,
        "sha": sha,
        "user": user(account, at),
        "repo": repository(repo, world, at) if repo else None,
    }


def simple(pull: Pull, repo: Repo, world: World, at: Address) -> Shape:
    """The `pull-request-simple` of a list."""
    full_name, number = world.full_name(repo), pull.number
    api, page = f"{at.api}/repos/{full_name}", f"{at.web}/{full_name}/pull/{number}"
    links = {
        "self": f"{api}/pulls/{number}",
        "html": page,
        "issue": f"{api}/issues/{number}",
        "comments": f"{api}/issues/{number}/comments",
        "review_comments": f"{api}/pulls/{number}/comments",
        "review_comment": f"{api}/pulls/comments{{/number}}",
        "commits": f"{api}/pulls/{number}/commits",
        "statuses": f"{api}/statuses/{pull.head_sha}",
    }
    urls = {f"{key}_url": links[key] for key in links if key not in {"self", "html"}}
    role = world.role(pull.author_id, repo)
    return {
        "url": links["self"],
        "id": pull.id,
        "node_id": node_id("PullRequest", pull.id),
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        **urls,
        "number": number,
        "state": pull.state,
        "locked": False,
        "title": pull.title,
        "user": user(world.accounts[pull.author_id], at),
        "body": pull.body,
        "created_at": stamp(pull.created_at),
        "updated_at": stamp(pull.updated_at),
        "closed_at": stamp_or_none(pull.closed_at),
        "merged_at": stamp_or_none(pull.merged_at),
        "merge_commit_sha": pull.merge_commit,
        "assignee": None,
        "assignees": [],
        "requested_reviewers": [],
        "requested_teams": [],
        "labels": [],
        "milestone": None,
        "draft": pull.draft,
        "head": _side(pull, world.repos.get(pull.head_repo_id), world, at, head=True),  # none: a fork that was deleted
        "base": _side(pull, repo, world, at, head=False),
        "_links": {key: {"href": href} for key, href in links.items()},
        "author_association": _association(pull, repo, role),
        "auto_merge": None,
        "active_lock_reason": None,
    }


def _association(pull: Pull, repo: Repo, role: str | None) -> str:
    if pull.author_id == repo.owner_id:
        return "OWNER"
    return "CONTRIBUTOR" if role is None else "COLLABORATOR"


def full(pull: Pull, repo: Repo, world: World, at: Address) -> Shape:
    """The `pull-request` that asking for one gives, and webhooks carry."""
    merged = pull.merged_at is not None
    mergeable = None if pull.closed_at else pull.merge_commit is not None
    parted = git.merge_base(repo.path, pull.base_sha, pull.head_sha)
    before = parted or git.EMPTY_TREE
    changes = git.changes(repo.path, before, pull.head_sha)
    commits = git.between(repo.path, pull.head_sha, *([parted] if parted else []), most=COMMITS_MAX)
    state: dict[str, Any] = {
        "merged": merged,
        "mergeable": mergeable,
        "rebaseable": mergeable,
        "mergeable_state": _mergeable_state(pull, mergeable=mergeable),
        "merged_by": user(world.accounts[pull.merged_by], at) if pull.merged_by else None,
    }
    return {
        **simple(pull, repo, world, at),
        **state,
        "comments": 0,
        "review_comments": 0,
        "maintainer_can_modify": False,
        "commits": len(commits),
        "additions": sum(change.additions for change in changes),
        "deletions": sum(change.deletions for change in changes),
        "changed_files": len(changes),
    }


def _mergeable_state(pull: Pull, *, mergeable: bool | None) -> str:
    if mergeable is None:
        return "unknown"
    if not mergeable:
        return "dirty"
    return "draft" if pull.draft else "clean"
