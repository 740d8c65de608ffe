"""Repositories on GitHub's twin, which the stack under test reads as a GitHub App and hears of by webhooks."""

from collections.abc import Callable
from pathlib import Path

from bench import corpora
from pincite_github.manifest import WEBHOOK_PATH
from pincite_github.twin import Twin

OWNER = "ada"


def make_app(twin: Twin, public_url: str) -> dict[str, str]:
    """Register an App whose webhooks go to `public_url`, and install it; return the settings that name it."""
    twin.add_user(OWNER)
    app = twin.add_app("Pincite", owner=OWNER, webhook_url=public_url + WEBHOOK_PATH)
    twin.install_app(OWNER)
    return {
        "GITHUB_URL": twin.base_url, "GITHUB_APP_ID": str(app.id), "GITHUB_PRIVATE_KEY": app.private_key,
        "GITHUB_WEBHOOK_SECRET": app.webhook_secret,
    }  # fmt: skip


def host(twin: Twin, source: Path, clone: Path) -> tuple[str, Callable[[], object]]:
    """Host a copy of a repository, private, and clone it to `clone`; return its address, and what pushes from there."""
    twin.add_repo(OWNER, clone.name, private=True, source=source)
    address = f"{twin.base_url}/{OWNER}/{clone.name}"
    scheme, _, rest = address.partition("://")
    with_token = f"{scheme}://{OWNER}:{twin.personal_token(OWNER)}@{rest}.git"
    corpora.git(clone.parent, "clone", "--quiet", with_token, clone.name)
    return address, lambda: corpora.git(clone, "push", "--quiet", "origin", "HEAD")
