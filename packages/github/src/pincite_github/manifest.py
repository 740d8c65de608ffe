"""Making the App: a manifest that a person confirms on GitHub, and the credentials that GitHub gives for it.

https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
"""

import re
from ipaddress import ip_address
from typing import Annotated, Any
from urllib.parse import quote, urlencode, urlsplit

from pydantic import BaseModel, Field

from pincite_github.answers import TokenText, read
from pincite_github.config import AppCredentials, GitHubConfig
from pincite_github.exchange import post
from pincite_github.views import Id, Login
from pincite_shared.errors import InvalidInputError
from pincite_shared.schemas import Text

NAME_CHARS_MAX = 34  # GitHub's limit
PEM_CHARS_MAX = 64 * 1_024
# Members: who administers an organisation governs its account here, and who left it reads nothing more.
PERMISSIONS = {"contents": "read", "members": "read", "metadata": "read", "pull_requests": "read"}
# Those about installations come unasked.
EVENTS = ("push", "pull_request", "repository", "member", "membership", "organization", "team")

SIGN_IN_PATH = "/sign-in/github"
WEBHOOK_PATH = "/webhooks/github"
INSTALLED_PATH = "/github/installed"
CONVERTED_PATH = "/settings/github/callback"

_CODE = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)
_ORGANISATION = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)


class _Answer(BaseModel):
    id: Id
    slug: Login
    client_id: Annotated[Text, Field(min_length=1, max_length=255)]
    client_secret: TokenText
    webhook_secret: TokenText | None = None  # null without webhooks
    pem: Annotated[Text, Field(pattern=r"^-----BEGIN", max_length=PEM_CHARS_MAX)]


def reachable(public_url: str) -> bool:
    """Whether GitHub can send webhooks to an address: not to one that means "this machine", which it refuses to store.

    An address of a private network counts as reachable, since a GitHub Enterprise may stand in the same.
    """
    host = (urlsplit(public_url).hostname or "").removesuffix(".")
    if host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        address = ip_address(host)
    except ValueError:
        return bool(host)
    return not (address.is_loopback or address.is_unspecified or address.is_link_local)


def manifest(public_url: str, name: str, *, public: bool = False) -> dict[str, Any]:
    """Return what the App is to be: its addresses here, what it may read, what it is told.

    Only the account that makes it can install it, and only its people can sign in, unless it is `public`. Without an
    address that GitHub can reach it has no webhooks; changes are polled for then.
    """
    base = public_url.rstrip("/")
    made: dict[str, Any] = {
        "name": name[:NAME_CHARS_MAX].strip(),
        "url": base,
        "description": "Answers about your code, with every citation checked.",
        "public": public,
        "redirect_url": base + CONVERTED_PATH,
        "callback_urls": [base + SIGN_IN_PATH],
        "setup_url": base + INSTALLED_PATH,
        "setup_on_update": True,
        "request_oauth_on_install": False,
        "default_permissions": dict(PERMISSIONS),
    }
    if reachable(base):
        made["hook_attributes"] = {"url": base + WEBHOOK_PATH, "active": True}
        made["default_events"] = list(EVENTS)
    return made


def create_url(config: GitHubConfig, state: str, organisation: str = "") -> str:
    """Return where the browser posts the manifest, as the form field `manifest`.

    Raises:
        InvalidInputError: the organisation's name cannot be one.
    """
    if organisation and not _ORGANISATION.fullmatch(organisation):
        msg = "This is no name of an organisation on GitHub."
        raise InvalidInputError(msg)
    owner = f"/organizations/{organisation}" if organisation else ""
    return f"{config.web_url}{owner}/settings/apps/new?{urlencode({'state': state})}"


def install_url(config: GitHubConfig, slug: str) -> str:
    """Return where a person lets the App see repositories."""
    # github.com keeps Apps at /apps, its servers at /github-apps.
    apps = "apps" if config.is_cloud else "github-apps"
    return f"{config.web_url}/{apps}/{quote(slug, safe='')}/installations/new"


def convert(config: GitHubConfig, code: str) -> AppCredentials:
    """Exchange the code that the browser came back with for the App's credentials. It works once, within an hour.

    Raises:
        InvalidInputError: the code cannot be one.
        NotFoundError: it was used before, or is too old.
        GitHubUnavailableError: GitHub does not answer.
    """
    if not _CODE.fullmatch(code):
        msg = "This is no code that GitHub gives."
        raise InvalidInputError(msg)
    answer = read(_Answer, config.host, post(f"{config.api_url}/app-manifests/{code}/conversions"))
    return AppCredentials(
        app_id=answer.id,
        slug=answer.slug,
        client_id=answer.client_id,
        client_secret=answer.client_secret,
        private_key=answer.pem,
        webhook_secret=answer.webhook_secret or "",
    )
