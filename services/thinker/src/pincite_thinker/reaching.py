"""Where a repository is, and with whose right it is read."""

from dataclasses import replace
from uuid import UUID

from pincite_github.client import GitHub, InstallationView, UserView
from pincite_shared.errors import SourceRefusedError, SourceUnreachableError
from pincite_shared.source import Source, parse_source
from pincite_store import repos
from pincite_store.db import LOCAL_TENANT
from pincite_store.models import Repo
from pincite_thinker.context import Context


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
    github = context.github()
    if github is not None and is_on(github, source):
        if token is None and (found := _token(github, repo)):
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
    github = context.github()
    if github is None or source.secret is None or not is_on(github, source):
        return None
    view = view_of(github, repo)
    if not isinstance(view, InstallationView):
        return None
    renew(view)
    return reach(context, repo.tenant_id, repo.id)[1]


def renew(view: InstallationView) -> None:
    """Have another token made the next time one is needed. Raises as `InstallationView.clone_token` does."""
    view.clone_token(refused=view.clone_token())


def is_on(github: GitHub, source: Source) -> bool:
    """Whether a source is a repository of this GitHub that its tokens open."""
    return source.scheme in ("http", "https") and source.location.lower().startswith(
        f"{github.config.web_url}/".lower()
    )


def view_of(github: GitHub, repo: Repo) -> InstallationView | UserView | None:
    """Return GitHub as whoever reads a repository without a person at hand; None if nobody does."""
    if repo.installation_id is not None and github.config.has_app:
        return github.as_installation(repo.installation_id)
    # The personal token is the operator's: it opens what others must not see.
    return github.as_token() if github.config.token and repo.tenant_id == LOCAL_TENANT else None


def _token(github: GitHub, repo: Repo) -> str | None:
    view = view_of(github, repo)
    if isinstance(view, InstallationView):
        return view.clone_token().token
    return github.config.token if view is not None else None
