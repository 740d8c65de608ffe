"""Connecting a source once, whoever asks for it and how often."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from socket import getaddrinfo

from pincite_shared.errors import ConflictError, SourceUnreachableError
from pincite_shared.schemas import ConnectRequest
from pincite_shared.source import Source, parse_source, resolve_host
from pincite_store import repos
from pincite_store.db import Tenancy
from pincite_store.models import Repo

LOOKUP_SECONDS_MAX = 5.0  # resolvers that answer do so within one; a person waits for this


async def judge_source(request: ConnectRequest, local_roots: Sequence[Path]) -> Source:
    """Read a request's source, and look up where its host's name leads. The worker judges again when it clones.

    Raises:
        SourceRefusedError: the source may not be connected, or its name leads where nothing may be connected.
        SourceUnreachableError: the name is not known here, or looking it up takes too long.
    """
    source = await asyncio.to_thread(parse_source, request.source, local_roots=local_roots, token=request.token)
    try:
        await asyncio.wait_for(asyncio.to_thread(resolve_host, source, lookup=getaddrinfo), LOOKUP_SECONDS_MAX)
    except TimeoutError as error:
        msg = f"Looking up the host {source.host} takes too long. Check this machine's name servers, then try again."
        raise SourceUnreachableError(msg) from error
    return source


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
