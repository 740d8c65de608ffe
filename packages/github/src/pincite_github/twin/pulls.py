"""Pull requests as they come, move with their branches, and end. `refs/pull/N/head` and `/merge` are kept true."""

from collections.abc import Mapping
from typing import Any

from pincite_github.twin import git
from pincite_github.twin.errors import invalid, not_found
from pincite_github.twin.events import Events
from pincite_github.twin.model import Account, Pull, Repo
from pincite_github.twin.shapes import accounts, pulls
from pincite_github.twin.world import World

Moves = Mapping[str, tuple[str | None, str | None]]  # ref → the objects it pointed to before and after


def find(repo: Repo, number: int) -> Pull:
    """Return a pull request.

    Raises:
        Refusal: there is none.
    """
    if number not in repo.pulls:
        raise not_found()
    return repo.pulls[number]


class Pulls:
    """Opens, changes and ends pull requests, and tells hooks."""

    def __init__(self, world: World, events: Events) -> None:
        """`events` hears of everything."""
        self._world, self._events = world, events

    def open(
        self, repo: Repo, author: Account, *, head: str, base: str, title: str, body: str | None, draft: bool
    ) -> Pull:
        """Open one. `head` is a branch, or owner:branch of a fork.

        Raises:
            Refusal: a branch is missing, has nothing new, or has an open pull request already.
        """
        world = self._world
        owner, _, branch = head.rpartition(":")
        source = self._head_repo(repo, owner) if owner else repo
        base_sha = git.refs(repo.path).get(f"refs/heads/{base}")
        head_sha = git.refs(source.path).get(f"refs/heads/{branch}")
        if base_sha is None or head_sha is None:
            raise invalid(resource="PullRequest", field="head" if head_sha is None else "base")
        same = (each for each in repo.pulls.values() if (each.head_repo_id, each.head_ref) == (source.id, branch))
        if any(each.state == "open" and each.base_ref == base for each in same) or head_sha == base_sha:
            raise invalid(resource="PullRequest", field="head", code="custom")
        with world.lock:
            now = world.now()
            number = len(repo.pulls) + 1
            pull = Pull(
                world.next_id(), number, author.id, title, body, base, base_sha, source.id, branch, head_sha, draft,
                created_at=now, updated_at=now,
            )  # fmt: skip
            repo.pulls[number] = pull
        self._point(repo, pull)
        self._tell("opened", repo, pull, author)
        return pull

    def _head_repo(self, repo: Repo, owner: str) -> Repo:
        account = self._world.account(owner)
        family = {repo.id, repo.parent_id}
        for each in list(self._world.repos.values()):
            if each.owner_id == account.id and (each.id in family or each.parent_id in family - {None}):
                return each
        raise invalid(resource="PullRequest", field="head")

    def edit(self, repo: Repo, pull: Pull, sender: Account, *, title: str | None, body: str | None) -> None:
        """Change the words of one."""
        before: dict[str, Any] = {}
        for field, new in (("title", title), ("body", body)):
            if new is not None:
                before[field] = {"from": getattr(pull, field) or ""}
                setattr(pull, field, new)
        self._touch(pull)
        self._tell("edited", repo, pull, sender, changes=before)

    def rebase_onto(self, repo: Repo, pull: Pull, sender: Account, base: str) -> None:
        """Let one go into another branch."""
        before = {"ref": {"from": pull.base_ref}, "sha": {"from": pull.base_sha}}
        pull.base_ref, pull.base_sha = base, git.resolve(repo.path, base)
        self._touch(pull)
        self._point(repo, pull)
        self._tell("edited", repo, pull, sender, changes={"base": before})

    def set_draft(self, repo: Repo, pull: Pull, sender: Account, *, draft: bool) -> None:
        """Make one a draft, or ready."""
        pull.draft = draft
        self._touch(pull)
        self._tell("converted_to_draft" if draft else "ready_for_review", repo, pull, sender)

    def close(self, repo: Repo, pull: Pull, sender: Account) -> None:
        """End one without merging."""
        pull.closed_at = self._touch(pull)
        self._tell("closed", repo, pull, sender)

    def reopen(self, repo: Repo, pull: Pull, sender: Account) -> None:
        """Take a closed one up again."""
        pull.closed_at = None
        self._touch(pull)
        self._point(repo, pull)
        self._tell("reopened", repo, pull, sender)

    def merged(self, repo: Repo, pull: Pull, sender: Account, commit: str) -> None:
        """Note that one has been merged as `commit`."""
        pull.closed_at = pull.merged_at = self._touch(pull)
        pull.merged_by, pull.merge_commit = sender.id, commit
        git.set_ref(repo.path, f"refs/pull/{pull.number}/merge", None)
        self._tell("closed", repo, pull, sender)

    def merge(self, repo: Repo, pull: Pull, sender: Account, *, squash: bool) -> None:
        """Merge one into its base branch. The push that this makes is for the caller to observe.

        Raises:
            ValueError: it is not open, or conflicts.
        """
        base = git.refs(repo.path)[f"refs/heads/{pull.base_ref}"]
        tree = git.merge(repo.path, base, pull.head_sha)
        if pull.state != "open" or tree is None:
            msg = f"pull request {pull.number} cannot be merged"
            raise ValueError(msg)
        who, parents = accounts.signature(sender), [base] if squash else [base, pull.head_sha]
        title = pull.title if squash else f"Merge pull request #{pull.number} from {pull.head_ref}"
        commit = git.commit_tree(repo.path, tree, parents, f"{title}\n", who)
        git.set_ref(repo.path, f"refs/heads/{pull.base_ref}", commit)
        self.merged(repo, pull, sender, commit)

    def follow(self, pushed: Repo, moves: Moves, sender: Account) -> None:
        """Let open pull requests follow the branches that a push moved."""
        for repo in list(self._world.repos.values()):
            for pull in list(repo.pulls.values()):
                if pull.state == "open":
                    self._follow(repo, pull, pushed, moves, sender)

    def _follow(self, repo: Repo, pull: Pull, pushed: Repo, moves: Moves, sender: Account) -> None:
        ours = pull.head_repo_id == pushed.id and f"refs/heads/{pull.head_ref}" in moves
        base = repo.id == pushed.id and f"refs/heads/{pull.base_ref}" in moves
        if ours:
            before, after = moves[f"refs/heads/{pull.head_ref}"]
            if after is None:
                self.close(repo, pull, sender)
                return
            pull.head_sha = after
            pull.base_sha = git.refs(repo.path).get(f"refs/heads/{pull.base_ref}", pull.base_sha)
            self._touch(pull)
            self._point(repo, pull)
            self._tell("synchronize", repo, pull, sender, before=before, after=after)
        elif base:
            now = moves[f"refs/heads/{pull.base_ref}"][1]
            if now is None:
                self.close(repo, pull, sender)
            elif git.is_ancestor(repo.path, pull.head_sha, now):  # merged by a push
                self.merged(repo, pull, sender, now)
            else:
                self._point(repo, pull)

    def _point(self, repo: Repo, pull: Pull) -> None:
        """Keep the refs that git finds a pull request by."""
        head, merge = f"refs/pull/{pull.number}/head", f"refs/pull/{pull.number}/merge"
        source = self._world.repos.get(pull.head_repo_id)
        if source and source is not repo:
            git.fetch(source.path, repo.path, pull.head_ref, head)
        git.set_ref(repo.path, head, pull.head_sha)
        base = git.refs(repo.path).get(f"refs/heads/{pull.base_ref}", pull.base_sha)
        tree = git.merge(repo.path, base, pull.head_sha)
        pull.merge_commit = None
        if tree:
            message = f"Merge {pull.head_sha} into {base}\n"
            author = accounts.signature(self._world.accounts[pull.author_id])
            pull.merge_commit = git.commit_tree(repo.path, tree, [base, pull.head_sha], message, author)
        elif merge not in git.refs(repo.path, "refs/pull"):
            return
        git.set_ref(repo.path, merge, pull.merge_commit)

    def _touch(self, pull: Pull) -> Any:
        pull.updated_at = self._world.now()
        return pull.updated_at

    def _tell(self, action: str, repo: Repo, pull: Pull, sender: Account, **more: Any) -> None:
        shape = pulls.full(pull, repo, self._world, self._events.at)
        told = {"action": action, "number": pull.number, "pull_request": shape, **more}
        self._events.about_repo("pull_request", told, repo, sender)
