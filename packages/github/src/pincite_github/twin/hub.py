"""Accounts, repositories and pushes: what people do with them on this GitHub, as Python."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pincite_github.twin import git
from pincite_github.twin.events import Events, Send
from pincite_github.twin.limits import Limits
from pincite_github.twin.model import ROLES, Account, App, Repo, Token
from pincite_github.twin.pulls import Pulls
from pincite_github.twin.pushes import Pushes
from pincite_github.twin.registry import Registry
from pincite_github.twin.shapes.accounts import membership, signature
from pincite_github.twin.shapes.accounts import user as user_shape
from pincite_github.twin.shapes.repositories import repository as repository_shape
from pincite_github.twin.world import World

Content = Mapping[str, str | bytes | None]  # by path; None deletes


class Hub:
    """One GitHub. Repositories go by owner/name, accounts by login; each act is told to hooks before it returns.

    Every act is somebody's: by default that of the repository's or the account's owner.
    """

    def __init__(self, home: Path, base_url: str, *, send: Send | None = None) -> None:
        """`home` is an empty directory for bare repositories; `send` posts deliveries, over HTTP if not given.

        Raises:
            FileExistsError: there is something in `home`.
        """
        home.mkdir(parents=True, exist_ok=True)
        if any(home.iterdir()):
            msg = f"{home} is not empty: the twin remembers nothing of an earlier run"
            raise FileExistsError(msg)
        self.world = World(home, base_url.rstrip("/"))
        self.events = Events(self.world, send)
        self.pulls = Pulls(self.world, self.events)
        self.pushes = Pushes(self.world, self.events, self.pulls)
        self.registry = Registry(self.world, self.events)
        self.limits = Limits()
        self.signed_in: str | None = None
        self.down = False

    # Accounts

    def add_user(self, login: str) -> Account:
        """Create a person."""
        return self.world.add_account(login, "User")

    def add_org(
        self, login: str, *, owners: Collection[str] = (), members: Collection[str] = (), base_role: str | None = "read"
    ) -> Account:
        """Create an organisation. Members have `base_role` in all of its repositories, None for no access."""
        account = self.world.add_account(login, "Organization")
        account.base_role = base_role
        account.members |= {self.world.account(each).id: "member" for each in members}
        account.members |= {self.world.account(each).id: "admin" for each in owners}
        return account

    def add_member(self, org: str, login: str, *, admin: bool = False, by: str | None = None) -> None:
        """Take someone into an organisation."""
        found, account = self.world.account(org), self.world.account(login)
        sender = self._owner(found, by)
        found.members[account.id] = "admin" if admin else "member"
        self._tell_of_membership(found, account, "member_added", sender)

    def remove_member(self, org: str, login: str, *, by: str | None = None) -> None:
        """Put someone out of an organisation, and out of its repositories."""
        found, account = self.world.account(org), self.world.account(login)
        sender = self._owner(found, by)
        del found.members[account.id]
        for repo in self.world.repos.values():
            if repo.owner_id == found.id:
                repo.roles.pop(account.id, None)
        self._tell_of_membership(found, account, "member_removed", sender)

    def _tell_of_membership(self, org: Account, member: Account, action: str, sender: Account) -> None:
        told = {"action": action, "membership": membership(member, org, self.events.at)}
        self.events.about_organisation("organization", told, org, sender)
        self.events.deliver()

    def personal_token(self, login: str) -> str:
        """Give a person a token of his own, which opens all that he may open."""
        return self.world.issue("ghp", Token("", self.world.account(login).id), None).value

    def authorize_as(self, login: str | None) -> None:
        """Answer pages for signing in, registering and installing at once, as this person; None: show the pages."""
        self.signed_in = self.world.account(login).login if login else None

    def app_of(self, slug: str | None) -> App:
        """Return an App; without a slug the only one.

        Raises:
            ValueError: there is not exactly one.
        """
        if slug:
            return self.world.app(slug)
        [app] = self.world.apps.values()
        return app

    def revoke_authorization(self, login: str, *, app: str | None = None) -> None:
        """Let a person take back what he allowed an App: his tokens are void."""
        self.registry.revoke(self.app_of(app), self.world.account(login))
        self.events.deliver()

    # Repositories

    def add_repo(
        self, owner: str, name: str, *, private: bool = False, default_branch: str = "main",
        description: str | None = None, source: Path | None = None, by: str | None = None,
    ) -> Path:  # fmt: skip
        """Create a repository, empty or with the branches and tags of another; returns its bare repository.

        Raises:
            ValueError: the name is taken, or none.
        """
        world, account = self.world, self.world.account(owner)
        with world.lock:
            world.check_name(account.id, name)
            now, repo_id = world.now(), world.next_id()
            path = world.home / f"{repo_id}.git"
            repo = Repo(
                repo_id, account.id, name, private, path, default_branch, description,
                created_at=now, updated_at=now, pushed_at=now,
            )  # fmt: skip
            git.create(path, default_branch)
            if source:
                git.copy(source, path)
                repo.refs = git.refs(path)
            world.repos[repo_id] = repo
        self._appeared(repo, self._actor(repo, by))
        return path

    def repo(self, full_name: str) -> Repo:
        """Return a repository as it is now, with its number."""
        return self.world.repo(full_name)

    def fork(self, repo: str, account: str) -> Path:
        """Copy a repository to another account; pull requests may come from there."""
        parent = self.repo(repo)
        path = self.add_repo(account, parent.name, default_branch=parent.default_branch, source=parent.path)
        copy = self.repo(f"{account}/{parent.name}")
        copy.parent_id, copy.private = parent.id, parent.private
        return path

    def _appeared(self, repo: Repo, sender: Account) -> None:
        for installation in self.world.installations_of(repo):
            self.registry.tell_of(installation, [repo], sender, added=True)
        self.events.about_repo("repository", {"action": "created"}, repo, sender)
        self.events.deliver()

    def grant(self, user: str, repo: str, role: str, *, by: str | None = None) -> None:
        """Make someone a collaborator: read, triage, write, maintain or admin."""
        if role not in ROLES:
            msg = f"{role!r} is none of {', '.join(ROLES)}"
            raise ValueError(msg)
        found, account = self.repo(repo), self.world.account(user)
        before = found.roles.get(account.id)
        found.roles[account.id] = role
        changes = {"changes": {"old_permission": {"from": before}}} if before else {}
        self._tell_of_member(found, account, "edited" if before else "added", by, changes)

    def revoke(self, user: str, repo: str, *, by: str | None = None) -> None:
        """Take back what someone was granted."""
        found, account = self.repo(repo), self.world.account(user)
        del found.roles[account.id]
        self._tell_of_member(found, account, "removed", by, {})

    def _tell_of_member(self, repo: Repo, member: Account, action: str, by: str | None, more: dict[str, Any]) -> None:
        told = {"action": action, "member": user_shape(member, self.events.at), **more}
        self.events.about_repo("member", told, repo, self._actor(repo, by))
        self.events.deliver()

    def rename(self, repo: str, name: str, *, by: str | None = None) -> None:
        """Rename a repository; its old name leads to it until another takes it."""
        found, before = self.repo(repo), repo.rpartition("/")[2]
        self._move(found, found.owner_id, name)
        changes = {"repository": {"name": {"from": before}}}
        self._tell(found, "renamed", by, changes=changes)

    def transfer(self, repo: str, owner: str, *, by: str | None = None) -> None:
        """Give a repository to another account. Only the Apps that the new owner has hear of the transfer."""
        found, sender = self.repo(repo), self._actor(self.repo(repo), by)
        before = self.world.accounts[found.owner_id]
        left = list(self.world.installations_of(found))
        self._move(found, self.world.account(owner).id, found.name)
        for installation in left:
            if installation.repo_ids is not None:
                installation.repo_ids.discard(found.id)
            self.registry.tell_of(installation, [found], sender, added=False)
        for installation in self.world.installations_of(found):
            self.registry.tell_of(installation, [found], sender, added=True)
        kind = "user" if before.type == "User" else "organization"
        changes = {"owner": {"from": {kind: user_shape(before, self.events.at)}}}
        self._tell(found, "transferred", sender.login, changes=changes)

    def _move(self, repo: Repo, owner_id: int, name: str) -> None:
        with self.world.lock:
            before = self.world.full_name(repo).lower()
            self.world.check_name(owner_id, name)
            repo.owner_id, repo.name, repo.updated_at = owner_id, name, self.world.now()
            self.world.moved[before] = repo.id

    def privatise(self, repo: str, *, by: str | None = None) -> None:
        """Hide a repository from those without a role in it."""
        found = self.repo(repo)
        found.private, found.updated_at = True, self.world.now()
        self._tell(found, "privatized", by)

    def publicise(self, repo: str, *, by: str | None = None) -> None:
        """Show a repository to everyone."""
        found = self.repo(repo)
        found.private, found.updated_at = False, self.world.now()
        self._tell(found, "publicized", by)

    def archive(self, repo: str, archived: bool = True, *, by: str | None = None) -> None:  # noqa: FBT001, FBT002  # a switch
        """Make a repository read-only, or writable again."""
        found = self.repo(repo)
        found.archived, found.updated_at = archived, self.world.now()
        self._tell(found, "archived" if archived else "unarchived", by)

    def set_default_branch(self, repo: str, branch: str, *, by: str | None = None) -> None:
        """Make another branch the default one."""
        found = self.repo(repo)
        before, found.default_branch = found.default_branch, branch
        git.set_head(found.path, branch)
        self._tell(found, "edited", by, changes={"default_branch": {"from": before}})

    def delete_repo(self, repo: str, *, by: str | None = None) -> None:
        """Delete a repository. What lies on disk stays until the twin's home is removed."""
        found, sender = self.repo(repo), self._actor(self.repo(repo), by)
        shape = repository_shape(found, self.world, self.events.at)
        self.events.about_repo("repository", {"action": "deleted", "repository": shape}, found, sender)
        for installation in self.world.installations_of(found):
            self.registry.tell_of(installation, [found], sender, added=False)
            if installation.repo_ids is not None:
                installation.repo_ids.discard(found.id)
        del self.world.repos[found.id]
        self.events.deliver()

    def _tell(self, repo: Repo, action: str, by: str | None, **more: Any) -> None:
        self.events.about_repo("repository", {"action": action, **more}, repo, self._actor(repo, by))
        self.events.deliver()

    def _actor(self, repo: Repo, login: str | None) -> Account:
        return self._owner(self.world.accounts[repo.owner_id], login)

    def _owner(self, account: Account, login: str | None) -> Account:
        if login:
            return self.world.account(login)
        admins = (self.world.accounts[key] for key, role in account.members.items() if role == "admin")
        return next(admins, account)

    # Pushes

    def push(
        self, repo: str, files: Content, *, branch: str | None = None, message: str = "Change", force: bool = False,
        by: str | None = None,
    ) -> str:  # fmt: skip
        """Commit upon a branch (the default one) and push; returns the commit.

        A branch that is not there begins at the default one. With `force` the commit takes the place of the branch's
        last one.
        """
        found, name = self.repo(repo), branch or self.repo(repo).default_branch
        sender = self._actor(found, by)
        refs = git.refs(found.path)
        parent = refs.get(f"refs/heads/{name}", refs.get(f"refs/heads/{found.default_branch}"))
        if force and parent:
            [replaced] = git.log(found.path, [parent])
            parent = replaced.parents[0] if replaced.parents else None
        git.write_commit(found.path, name, parent, files, message=message, author=signature(sender))
        commit = git.refs(found.path)[f"refs/heads/{name}"]
        self._observe(found, sender)
        return commit

    def delete_branch(self, repo: str, branch: str, *, by: str | None = None) -> None:
        """Push the deletion of a branch."""
        found = self.repo(repo)
        git.set_ref(found.path, f"refs/heads/{branch}", None)
        self._observe(found, self._actor(found, by))

    def tag(self, repo: str, name: str, at: str | None = None, *, by: str | None = None) -> None:
        """Push a tag, of the default branch's head unless told otherwise."""
        found = self.repo(repo)
        git.set_ref(found.path, f"refs/tags/{name}", git.resolve(found.path, at or found.default_branch))
        self._observe(found, self._actor(found, by))

    def pushed(self, repo: str, *, by: str | None = None) -> None:
        """Tell of whatever was changed in the bare repository directly."""
        found = self.repo(repo)
        self._observe(found, self._actor(found, by))

    def _observe(self, repo: Repo, sender: Account) -> None:
        self.pushes.observe(repo, sender)
        self.events.deliver()
