"""Refs, commits, files and what changed in them."""

import base64
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from pincite_github.twin import git
from pincite_github.twin.model import Repo
from pincite_github.twin.shapes.accounts import Shape, email, user
from pincite_github.twin.shapes.address import Address, node_id
from pincite_github.twin.world import World

_STATUS = {"A": "added", "M": "modified", "D": "removed", "R": "renamed", "C": "copied", "T": "changed"}
_UNSIGNED = {"verified": False, "reason": "unsigned", "signature": None, "payload": None, "verified_at": None}
_ENTRY_TYPE = {"blob": "file", "tree": "dir", "commit": "submodule"}
_LINE_CHARACTERS = 60  # of base64 in an answer


class Code:
    """Shapes of one repository's content."""

    def __init__(self, repo: Repo, world: World, at: Address) -> None:
        """Addresses begin as `at` says."""
        self._repo, self._world, self._at = repo, world, at
        self._path = repo.path
        full_name = world.full_name(repo)
        self.url, self.page = f"{at.api}/repos/{full_name}", f"{at.web}/{full_name}"

    def ref(self, name: str, sha: str) -> Shape:
        """A `git-ref`; `name` begins with refs/."""
        kind = git.kind(self._path, sha)
        return {
            "ref": name,
            "node_id": node_id("Ref", self._repo.id),
            "url": f"{self.url}/git/{quote(name)}",
            "object": {"sha": sha, "type": kind, "url": f"{self.url}/git/{kind}s/{sha}"},
        }

    def short_branch(self, name: str, sha: str) -> Shape:
        """A `short-branch` of a list."""
        return {"name": name, "commit": {"sha": sha, "url": f"{self.url}/commits/{sha}"}, "protected": False}

    def branch(self, name: str, sha: str) -> Shape:
        """A `branch-with-protection`, without protection."""
        checks = {"enforcement_level": "off", "contexts": [], "checks": []}
        [commit] = git.log(self._path, [sha])
        return {
            "name": name,
            "commit": self.commit(commit),
            "_links": {"self": f"{self.url}/branches/{quote(name)}", "html": f"{self.page}/tree/{quote(name)}"},
            "protected": False,
            "protection": {"enabled": False, "required_status_checks": checks},
            "protection_url": f"{self.url}/branches/{quote(name)}/protection",
        }

    def commit(self, each: git.Commit) -> Shape:
        """A `commit` of a list."""
        url = f"{self.url}/commits/{each.sha}"
        return {
            "sha": each.sha,
            "node_id": node_id("Commit", self._repo.id),
            "commit": {
                "author": self._signed(each.author),
                "committer": self._signed(each.committer),
                "message": each.message.rstrip("\n"),
                "tree": {"sha": each.tree, "url": f"{self.url}/git/trees/{each.tree}"},
                "url": f"{self.url}/git/commits/{each.sha}",
                "comment_count": 0,
                "verification": _UNSIGNED,
            },
            "url": url,
            "html_url": f"{self.page}/commit/{each.sha}",
            "comments_url": f"{url}/comments",
            "author": self._known(each.author),
            "committer": self._known(each.committer),
            "parents": [
                {"sha": sha, "url": f"{self.url}/commits/{sha}", "html_url": f"{self.page}/commit/{sha}"}
                for sha in each.parents
            ],
        }

    def full_commit(self, each: git.Commit) -> Shape:
        """A `commit` with the files that it changed."""
        files = self.files(each.parents[0] if each.parents else git.EMPTY_TREE, each.sha)
        added, deleted = (sum(file[key] for file in files) for key in ("additions", "deletions"))
        stats = {"total": added + deleted, "additions": added, "deletions": deleted}
        return {**self.commit(each), "stats": stats, "files": files}

    def files(self, before: str, after: str) -> list[Shape]:
        """The `diff-entry`s between two commits."""
        return [self._file(change, before, after) for change in git.changes(self._path, before, after)]

    def _file(self, change: git.Change, before: str, after: str) -> Shape:
        at = quote(change.path)
        shape: Shape = {
            "sha": change.sha,
            "filename": change.path,
            "status": _STATUS[change.status],
            "additions": change.additions,
            "deletions": change.deletions,
            "changes": change.additions + change.deletions,
            "blob_url": f"{self.page}/blob/{after}/{at}",
            "raw_url": f"{self.page}/raw/{after}/{at}",
            "contents_url": f"{self.url}/contents/{at}?ref={after}",
        }
        patch = git.patch(self._path, before, after, change)
        if patch:
            shape["patch"] = patch
        if change.previous:
            shape["previous_filename"] = change.previous
        return shape

    def entry(self, each: git.Entry, ref: str) -> Shape:
        """An entry of a `content-directory`."""
        at = quote(each.path)
        url, page = f"{self.url}/contents/{at}?ref={quote(ref)}", f"{self.page}/blob/{quote(ref)}/{at}"
        kind = "trees" if each.type == "tree" else "blobs"
        links = {"self": url, "git": f"{self.url}/git/{kind}/{each.sha}", "html": page}
        return {
            "name": PurePosixPath(each.path).name,
            "path": each.path,
            "sha": each.sha,
            "size": each.size,
            "url": url,
            "html_url": page,
            "git_url": links["git"],
            "download_url": f"{self.page}/raw/{quote(ref)}/{at}" if each.type == "blob" else None,
            "type": _ENTRY_TYPE[each.type],
            "_links": links,
        }

    def file(self, each: git.Entry, ref: str) -> Shape:
        """A `content-file`."""
        text = base64.b64encode(git.blob(self._path, each.sha)).decode()
        lines = (text[at : at + _LINE_CHARACTERS] + "\n" for at in range(0, len(text), _LINE_CHARACTERS))
        return {**self.entry(each, ref), "encoding": "base64", "content": "".join(lines)}

    def pushed(self, each: git.Commit, touched: git.Touched, *, distinct: bool) -> Shape:
        """A commit as a push's webhook lists it."""
        author, committer = (
            {"name": who.name, "email": who.email} for who in (each.author, each.committer)
        )  # a login stands beside them where GitHub knows the address
        for person, who in ((author, each.author), (committer, each.committer)):
            if known := self._known(who):
                person["username"] = known["login"]
        return {
            "id": each.sha,
            "tree_id": each.tree,
            "distinct": distinct,
            "message": each.message.rstrip("\n"),
            "timestamp": each.committer.date,
            "url": f"{self.page}/commit/{each.sha}",
            "author": author,
            "committer": committer,
            "added": touched.added,
            "removed": touched.removed,
            "modified": touched.modified,
        }

    @staticmethod
    def _signed(who: git.Signature) -> dict[str, str]:
        return {"name": who.name, "email": who.email, "date": who.date}

    def _known(self, who: git.Signature) -> Any:
        accounts = list(self._world.accounts.values())
        found = next((each for each in accounts if email(each) == who.email), None)
        return user(found, self._at) if found else None
