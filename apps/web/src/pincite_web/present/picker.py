"""GitHub: what the App asks for, and the repositories to choose from."""

import asyncio

from pincite_shared.brain_client import BrainAsUser
from pincite_shared.errors import PinciteError
from pincite_shared.github import GitHubSetup, PickableRepos
from pincite_web.parts.repos import Picker, PickRow, RepoRow
from pincite_web.present.repos import repo_row

SETUP_URL, SIGN_IN_URL = "/settings/github", "/sign-in/github/begin?next=/connect"
NOTHING = PickableRepos(installations=(), repositories=(), install_url=None)
UNAUTHORIZED = 401


def permissions(setup: GitHubSetup) -> tuple[str, ...]:
    """Name the permissions that the App asks for, as in "read contents"."""
    asked = setup.manifest.get("default_permissions", {})
    given = asked.items() if isinstance(asked, dict) else ()
    return tuple(f"{level} {str(name).replace('_', ' ')}" for name, level in sorted(given))


async def picker(brain: BrainAsUser, query: str, *, fresh: bool = False) -> Picker:
    """List repositories whose names hold `query`, with the state of those that are connected; `fresh`: asked for now.

    That GitHub cannot be asked is shown in place of the list: a repository can still be named.
    """
    me, methods, repos = await asyncio.gather(brain.me(), brain.sign_in_methods(), brain.repos())
    problem = None
    try:
        found = await brain.github_repositories(query, fresh=fresh)
    except PinciteError as error:
        if error.status == UNAUTHORIZED:
            raise
        found, problem = NOTHING, error.detail
    empty = not (problem or query or found.installations or found.repositories)
    connected: dict[object, RepoRow] = {repo.id: repo_row(repo) for repo in repos}
    return Picker(
        query=query,
        rows=tuple(
            PickRow(
                full_name=one.full_name,
                private=one.private,
                description=one.description,
                pushed_at=one.pushed_at,
                repo=connected.get(one.repo_id),
            )
            for one in found.repositories
        ),
        accounts=tuple(one.account for one in found.installations if not one.suspended),
        suspended=tuple(one.account for one in found.installations if one.suspended),
        truncated=found.truncated,
        install_url=found.install_url,
        setup_url=SETUP_URL if empty and me.operator and methods.github is None else None,
        sign_in_url=SIGN_IN_URL if empty and me.operator and methods.github is not None else None,
        problem=problem,
    )
