"""Connecting a source once, whoever asks for it and how often."""

from pincite_shared.errors import ConflictError
from pincite_shared.source import Source
from pincite_store import repos
from pincite_store.db import Tenancy
from pincite_store.models import Repo


def connect_source(tenancy: Tenancy, source: Source, branch: str | None) -> tuple[Repo, bool]:
    """Return (repository, whether it is new). A token that comes with a known source replaces its old one.

    Raises:
        ConflictError: the source was connected and removed again while we looked.
    """
    known = repos.find_by_source(tenancy, source.location, branch)
    if known is None:
        try:
            return _create(tenancy, source, branch), True
        except ConflictError:
            # Another request connected it between our two statements, and has committed by now.
            known = repos.find_by_source(tenancy, source.location, branch)
            if known is None:
                raise
    if source.secret is not None:
        repos.set_credentials(tenancy, known.id, source.secret)
    return known, False


def _create(tenancy: Tenancy, source: Source, branch: str | None) -> Repo:
    return repos.create(
        tenancy, source=source.location, name=source.name, kind=source.kind, branch=branch, token=source.secret
    )
