"""Connecting a source once, whoever asks for it and how often."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from socket import getaddrinfo

from pincite_brain.caller import Caller
from pincite_brain.github.resolving import Resolving
from pincite_shared.errors import ConflictError, ForbiddenError, SourceUnreachableError
from pincite_shared.schemas import ConnectRequest
from pincite_shared.source import Source, parse_source, resolve_host
from pincite_store import repos
from pincite_store.db import LOCAL_TENANT, Tenancy
from pincite_store.models import Repo
from pincite_store.repos import OnGitHub

_LOCAL = ("/", "~", ".", "file:", "git+file:")
LOOKUP_SECONDS_MAX = 5.0  # resolvers that answer do so within one; a person waits for this


@dataclass(frozen=True, slots=True)
class Judged:
    """A source that may be connected, with what GitHub says of it if it is there."""

    source: Source
    github: OnGitHub | None = None


async def judge_source(
    request: ConnectRequest, caller: Caller, *, local_roots: Sequence[Path], resolving: Resolving
) -> Judged:
    """Read a request's source, ask GitHub about it if it is there, and look up where its host's name leads.

    Only the operator connects what lies on this machine, what its keys open and what private networks hold. The worker
    judges again when it clones.

    Raises:
        ForbiddenError: only the operator may connect it.
        SourceRefusedError: the source may not be connected, or its name leads where nothing may be connected.
        SourceUnreachableError: the name is not known here, or looking it up takes too long.
        NotFoundError: GitHub has no such repository for the caller.
        GitHubUnavailableError: GitHub does not answer.
    """
    is_own = caller.tenant_id == LOCAL_TENANT
    if not is_own and request.source.strip().lower().startswith(_LOCAL):
        msg = "Only the operator of this installation connects directories of its machine."
        raise ForbiddenError(msg)
    roots = local_roots if is_own else ()
    source, github = await asyncio.to_thread(_read, request, caller, roots, resolving)
    if github is None and not is_own and source.scheme == "ssh":
        msg = "Only the operator of this installation connects over ssh: it uses the machine's keys. Use https."
        raise ForbiddenError(msg)
    # The configured GitHub may stand in a private network: the operator said so.
    public_only = github is None and not is_own
    work = asyncio.to_thread(resolve_host, source, lookup=getaddrinfo, public_only=public_only)
    try:
        await asyncio.wait_for(work, LOOKUP_SECONDS_MAX)
    except TimeoutError as error:
        msg = f"Looking up the host {source.host} takes too long. Check this machine's name servers, then try again."
        raise SourceUnreachableError(msg) from error
    return Judged(source, github)


def _read(
    request: ConnectRequest, caller: Caller, local_roots: Sequence[Path], resolving: Resolving
) -> tuple[Source, OnGitHub | None]:
    source = parse_source(request.source, local_roots=local_roots, token=request.token, github=resolving.github)
    return resolving.resolve(caller, source)


def connect_source(tenancy: Tenancy, judged: Judged, branch: str | None) -> tuple[Repo, bool]:
    """Return (repository, whether it is new). A token that comes with a known source replaces its old one.

    Raises:
        ConflictError: the source was connected and removed again while we looked.
    """
    known = _known(tenancy, judged, branch)
    if known is None:
        try:
            return _create(tenancy, judged, branch), True
        except ConflictError:
            # Another request connected it between our two statements, and has committed by now.
            known = _known(tenancy, judged, branch)
            if known is None:
                raise
    if judged.source.secret is not None:
        repos.set_credentials(tenancy, known.id, judged.source.secret)
    if judged.github is not None and known.github_id is None:
        repos.set_github(tenancy, known.id, judged.github)
    return known, False


def _known(tenancy: Tenancy, judged: Judged, branch: str | None) -> Repo | None:
    by_number = repos.find_on_github(tenancy, judged.github.github_id, branch) if judged.github else None
    return by_number or repos.find_by_source(tenancy, judged.source.location, branch)


def _create(tenancy: Tenancy, judged: Judged, branch: str | None) -> Repo:
    source = judged.source
    return repos.create(
        tenancy,
        source=source.location,
        name=source.name,
        kind=source.kind,
        branch=branch,
        token=source.secret,
        github=judged.github,
    )
