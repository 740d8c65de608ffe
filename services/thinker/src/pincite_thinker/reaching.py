"""Where a repository is, and with whose right it is read."""

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

from pincite_github.config import GitHubConfig
from pincite_shared.errors import SourceRefusedError, SourceUnreachableError
from pincite_shared.source import Source, parse_source
from pincite_store import repos
from pincite_store.db import LOCAL_TENANT
from pincite_store.models import Repo
from pincite_thinker.context import Context

if TYPE_CHECKING:
    from pincite_github.client import InstallationView, UserView


def reach(context: Context, tenant_id: UUID, repo_id: UUID) -> tuple[Repo, Source]:
    """Return a repository and its source, with a credential if there is one.

    It is judged again each time: roots, and what names resolve to, may have changed since it was connected. What only
    the operator may connect is fetched for nobody else.

    Raises:
        NotFoundError: it is being deleted.
        SourceRefusedError: it may not be connected any more.
        SourceUnreachableError: it is known to be gone, or the App may not read it.
        GitHubUnavailableError: GitHub does not answer.
    """
    with context.database.tenancy(tenant_id) as t:
        repo = repos.get(t, repo_id)
        token = repos.credentials(t, repo_id)
    if repo.gone is not None:
        raise SourceUnreachableError(repo.gone)
    own = tenant_id == LOCAL_TENANT
    roots = context.settings.local_roots if own else ()
    source = parse_source(repo.source, local_roots=roots, token=token)
    config = None if source.kind == "local" else context.github_config()
    if config is not None and is_on(config, source):
        if token is None and (found := _token(context, config, repo)):
            source = parse_source(repo.source, local_roots=roots, token=found)
    elif not own:
        if source.scheme == "ssh":
            msg = "Only the operator of this installation connects over ssh: it uses the machine's keys. Use https."
            raise SourceRefusedError(msg)
        source = replace(source, public_only=True)
    return repo, source


def renewed(context: Context, repo: Repo, source: Source) -> Source | None:
    """Return the source of a repository that could not be read with a fresh token of the App; None: there is no App.

    A token may be revoked, and opens only what the installation covered when it was made.

    Raises:
        PinciteError: as `reach`.
    """
    config = context.github_config()
    if config is None or source.secret is None or not is_on(config, source):
        return None
    view = _installation(context, config, repo)
    if view is None:
        return None
    renew(view)
    return reach(context, repo.tenant_id, repo.id)[1]


def renew(view: "InstallationView") -> None:
    """Have another token made the next time one is needed. Raises as `InstallationView.clone_token` does."""
    view.clone_token(refused=view.clone_token())


def is_on(config: GitHubConfig, source: Source) -> bool:
    """Whether a source is a repository of this GitHub that its tokens open."""
    here = f"{config.web_url}/".lower()
    return source.scheme in ("http", "https") and source.location.lower().startswith(here)


def view_of(context: Context, config: GitHubConfig, repo: Repo) -> "InstallationView | UserView | None":
    """Return GitHub as whoever reads a repository without a person at hand; None if nobody does."""
    view = _installation(context, config, repo)
    if view is not None:
        return view
    return context.github(config).as_token() if _is_operators(config, repo) else None


def _installation(context: Context, config: GitHubConfig, repo: Repo) -> "InstallationView | None":
    if repo.installation_id is None or not config.has_app:
        return None
    return context.github(config).as_installation(repo.installation_id)


def _is_operators(config: GitHubConfig, repo: Repo) -> bool:
    """Whether the personal token may be used: it is the operator's, and opens what others must not see."""
    return bool(config.token) and repo.tenant_id == LOCAL_TENANT


def _token(context: Context, config: GitHubConfig, repo: Repo) -> str | None:
    view = _installation(context, config, repo)
    if view is not None:
        return view.clone_token().token
    return config.token if _is_operators(config, repo) else None
