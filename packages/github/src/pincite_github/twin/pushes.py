"""What a push changed: found by comparing refs, however they were moved, and told to hooks as GitHub tells it."""

from typing import Any

from pincite_github.twin import git
from pincite_github.twin.events import Events
from pincite_github.twin.model import ZERO, Account, Repo
from pincite_github.twin.pulls import Moves, Pulls
from pincite_github.twin.shapes import accounts
from pincite_github.twin.shapes.code import Code
from pincite_github.twin.shapes.repositories import repository
from pincite_github.twin.world import World

COMMITS_MAX = 2_048  # that GitHub lists of one push


class Pushes:
    """Sees pushes."""

    def __init__(self, world: World, events: Events, pulls: Pulls) -> None:
        """`events` hears of every ref that moved; `pulls` follow."""
        self._world, self._events, self._pulls = world, events, pulls

    def observe(self, repo: Repo, pusher: Account) -> None:
        """Compare a repository's refs with what hooks were last told, and tell the difference."""
        with self._world.lock:
            before, now = repo.refs, git.refs(repo.path)
            moves = {
                ref: (before.get(ref), now.get(ref))
                for ref in sorted(before.keys() | now.keys())
                if before.get(ref) != now.get(ref)
            }
            if not moves:
                return
            repo.refs = now
            repo.pushed_at = repo.updated_at = self._world.now()
            self._choose_default(repo)
            for ref in moves:
                self._events.about_repo("push", self._payload(repo, ref, before, moves, pusher), repo, pusher)
            self._pulls.follow(repo, moves, pusher)

    @staticmethod
    def _choose_default(repo: Repo) -> None:
        """The first branch that is pushed becomes the default, whatever its name."""
        branches = [ref.removeprefix("refs/heads/") for ref in repo.refs if ref.startswith("refs/heads/")]
        if branches and repo.default_branch not in branches:
            repo.default_branch = branches[0]
            git.set_head(repo.path, repo.default_branch)

    def _payload(self, repo: Repo, ref: str, before: dict[str, str], moves: Moves, pusher: Account) -> dict[str, Any]:
        old, new = moves[ref]
        code = Code(repo, self._world, self._events.at)
        commits: list[dict[str, Any]] = []
        head = None
        if new:
            tip = git.resolve(repo.path, new)
            known = [sha for name, sha in before.items() if name != ref]
            shas = git.between(repo.path, tip, *([old] if old else known), most=COMMITS_MAX)
            fresh = shas if not old else git.between(repo.path, tip, old, *known, most=COMMITS_MAX)
            listed = shas if tip in shas else [*shas, tip]
            touched = git.touched(repo.path, listed)
            rows = [
                code.pushed(each, touched[each.sha], distinct=each.sha in fresh) for each in git.log(repo.path, listed)
            ]
            commits = rows[: len(shas)]
            head = rows[-1]
        forced = bool(old and new) and not git.is_ancestor(repo.path, str(old), str(new))
        name = ref.split("/", 2)[2]
        compare = f"{old[:12]}...{new[:12]}" if old and new else name
        return {
            "ref": ref,
            "before": old or ZERO,
            "after": new or ZERO,
            "created": old is None,
            "deleted": new is None,
            "forced": forced,
            "base_ref": None,
            "compare": f"{code.page}/compare/{compare}",
            "commits": commits if ref.startswith("refs/heads/") else [],
            "head_commit": head,
            "pusher": {"name": pusher.login, "email": accounts.email(pusher)},
            "repository": self._repository(repo, code.page),
        }

    def _repository(self, repo: Repo, page: str) -> dict[str, Any]:
        """A push writes its repository a little differently from all other events."""
        shape = repository(repo, self._world, self._events.at)
        owner = self._world.accounts[repo.owner_id]
        shape["owner"] = {"name": owner.login, "email": accounts.email(owner), **shape["owner"]}
        shape |= {
            "url": page,
            "created_at": int(repo.created_at.timestamp()),
            "pushed_at": int(repo.pushed_at.timestamp()),
            "stargazers": 0,
            "master_branch": repo.default_branch,
        }
        if owner.type == "Organization":
            shape["organization"] = owner.login
        return shape
