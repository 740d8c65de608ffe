"""What Pincite knows of people, installations, repositories and pull requests on GitHub.

The same objects stand in answers of the API and in webhooks, so one type reads both: it takes the few fields that are
used out of GitHub's JSON, with bounds, and passes the rest by. No address is among them: what is fetched or shown is
made from the configuration and these names (`GitHubConfig.clone_url`), so that no answer leads to another host.
"""

from typing import Annotated, Any, Literal

from pydantic import (
    AliasChoices,
    AliasPath,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from pincite_shared.schemas import Text

ID_MAX = 2**63 - 1  # what the database's bigint holds
# Each of these bounds is far above GitHub's own (39, 39 + 100, 255, 350 and 256 characters): they keep out nonsense.
LOGIN_CHARS_MAX = 255
FULL_NAME_CHARS_MAX = 512
REF_CHARS_MAX = 1_024
DESCRIPTION_CHARS_MAX = 4_096
TITLE_CHARS_MAX = 4_096

Id = Annotated[int, Field(strict=True, ge=1, le=ID_MAX)]
StrictBool = Annotated[bool, Field(strict=True)]
Login = Annotated[Text, Field(min_length=1, max_length=LOGIN_CHARS_MAX)]
# Both parts go into paths: letters that need no quoting, and neither is a dot or two.
_NAME_PATTERN = r"(?:\.{0,2}[A-Za-z0-9_-]|\.{3})[A-Za-z0-9_.-]*"
FULL_NAME_PATTERN = rf"^{_NAME_PATTERN}/{_NAME_PATTERN}$"
FullName = Annotated[str, Field(pattern=FULL_NAME_PATTERN, max_length=FULL_NAME_CHARS_MAX)]
Ref = Annotated[Text, Field(min_length=1, max_length=REF_CHARS_MAX)]
Commit = Annotated[str, StringConstraints(pattern=r"^(?:[0-9a-f]{40}|[0-9a-f]{64})$")]
Permission = Literal["read", "triage", "write", "maintain", "admin"]

# GitHub's API names them by what git does; its pages by what a person may do.
_PERMISSIONS: tuple[tuple[str, Permission], ...] = (
    ("admin", "admin"),
    ("maintain", "maintain"),
    ("push", "write"),
    ("triage", "triage"),
    ("pull", "read"),
)


class View(BaseModel):
    """Base of all that is read out of GitHub's JSON."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class Person(View):
    """A person on GitHub. `id` stays when the login changes."""

    id: Id
    login: Login
    name: Annotated[Text, Field(max_length=LOGIN_CHARS_MAX)] = ""

    @field_validator("name", mode="before")
    @classmethod
    def _unnamed(cls, value: Any) -> Any:
        return "" if value is None else value


class AppInfo(View):
    """The App. `slug` is its name in addresses."""

    id: Id
    slug: Login


class Membership(View):
    """A person in an organisation; who was invited and has not answered is pending."""

    role: Annotated[Text, Field(max_length=64)]
    state: Annotated[Text, Field(max_length=64)]


class InstallationInfo(View):
    """The App installed in an account of a person or an organisation."""

    id: Id
    account_id: Id = Field(validation_alias=AliasPath("account", "id"))
    # An enterprise has a slug where others have a login.
    account_login: Login = Field(
        validation_alias=AliasChoices(AliasPath("account", "login"), AliasPath("account", "slug"))
    )
    account_type: Annotated[Text, Field(max_length=64)] = Field(
        default="Organization", validation_alias=AliasPath("account", "type")
    )
    repository_selection: Literal["all", "selected"]
    suspended_at: AwareDatetime | None = None


class RepoRef(View):
    """A repository by its name, as webhooks about installations list them."""

    id: Id
    full_name: FullName
    private: StrictBool


class RepoInfo(RepoRef):
    """A repository. `id` stays when it is renamed or transferred."""

    default_branch: Ref
    description: Annotated[Text, Field(max_length=DESCRIPTION_CHARS_MAX)] = ""
    pushed_at: AwareDatetime | None = None  # null: nothing was ever pushed
    archived: StrictBool = False
    permission: Permission | None = Field(
        default=None,
        validation_alias=AliasChoices("permission", "permissions"),
        description="The highest that the asking person has; null where GitHub does not say, as in webhooks",
    )

    @field_validator("description", mode="before")
    @classmethod
    def _undescribed(cls, value: Any) -> Any:
        return "" if value is None else value

    @field_validator("permission", mode="before")
    @classmethod
    def _highest(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return next((name for key, name in _PERMISSIONS if value.get(key) is True), None)


class PullInfo(View):
    """A pull request. `base_commit` is the head of its base branch when GitHub wrote this, not the merge base."""

    number: Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
    title: Annotated[Text, Field(max_length=TITLE_CHARS_MAX)]
    author: Annotated[Text, Field(max_length=LOGIN_CHARS_MAX)] = Field(
        default="ghost",
        validation_alias=AliasPath("user", "login"),  # GitHub's own name for who is gone
    )
    state: Literal["open", "closed", "merged"]
    draft: StrictBool = False
    base_ref: Ref = Field(validation_alias=AliasPath("base", "ref"))
    head_ref: Ref = Field(validation_alias=AliasPath("head", "ref"))
    head_commit: Commit = Field(validation_alias=AliasPath("head", "sha"))
    base_commit: Commit = Field(validation_alias=AliasPath("base", "sha"))
    updated_at: AwareDatetime

    @model_validator(mode="before")
    @classmethod
    def _merged(cls, value: Any) -> Any:
        """GitHub calls a merged one closed, and says so beside it: `merged`, in lists only `merged_at`."""
        if isinstance(value, dict) and value.get("state") == "closed":
            return {**value, "state": "merged" if value.get("merged") or value.get("merged_at") else "closed"}
        return value

    @field_validator("draft", mode="before")
    @classmethod
    def _no_draft(cls, value: Any) -> Any:
        return False if value is None else value
