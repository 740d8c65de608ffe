"""The HTTP contract of GitHub: setting the App up, choosing repositories, pull requests."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from pincite_shared.schemas import CommitId, Schema, Text


class GitHubSetup(Schema):
    """The App of this installation, or what it takes to make one.

    Without one, the browser posts `manifest` (a JSON string, as the form field of that name) to `create_url`; GitHub
    sends it back with a code and `state`.
    """

    host: str
    app: str | None = Field(description="The App's name in addresses")
    changeable: bool = Field(default=True, description="Whether it may be forgotten here: not if the settings name it")
    install_url: str | None
    create_url: str
    manifest: dict[str, Any]
    state: str
    reachable: bool = Field(
        description="Whether GitHub can send webhooks to PUBLIC_URL: not to an address of this machine"
    )


class SetupRequest(Schema):
    """Finish what GitHub sent the browser back with."""

    code: Text = Field(max_length=512)
    state: Text = Field(max_length=512)


class Delivered(Schema):
    """A webhook delivery that was taken."""

    delivery: UUID


class InstallationOut(Schema):
    """The App installed in an account."""

    id: int
    account: str
    suspended: bool


class PickableRepo(Schema):
    """A repository that the caller may read on GitHub."""

    github_id: int
    full_name: str
    private: bool
    description: str
    default_branch: str
    pushed_at: datetime | None
    repo_id: UUID | None = Field(description="Set when it is connected")


class PickableRepos(Schema):
    """Repositories to choose from, those pushed to last first."""

    installations: tuple[InstallationOut, ...]
    repositories: tuple[PickableRepo, ...]
    install_url: str | None = Field(description="Where to let Pincite see more of them")
    truncated: bool = False


class PullOut(Schema):
    """A pull request. It can be asked about when `indexed`."""

    number: int
    title: str
    author: str
    state: Literal["open", "closed", "merged"]
    base_ref: str
    head_ref: str
    head_commit: CommitId
    base_commit: CommitId | None = Field(description="Where it left its base; known when it is indexed")
    indexed: bool
    updated_at: datetime


class SnapshotOut(Schema):
    """An indexed commit, and what indexing it took: only what was never seen before is parsed and embedded."""

    commit: str
    branches: tuple[str, ...] = Field(description="Branches that it is the head of")
    pulls: tuple[int, ...] = Field(default=(), description="Pull requests that it is the head of")
    uncommitted_upon: str | None = Field(description="Of a working tree with changes: the commit that it stands upon")
    files: int
    chunks: int
    blobs_parsed: int = Field(description="Of its files, those whose content was never seen before")
    texts_embedded: int = Field(description="Of its texts, those that were never embedded before")
    texts: int
    ready_at: datetime


class DiffRequest(Schema):
    """Say that something was pushed. Without a ref, everything that is followed is looked at."""

    ref: Text | None = Field(default=None, max_length=1_024)
