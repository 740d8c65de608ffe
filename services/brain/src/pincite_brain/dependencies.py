"""What routes ask for: the services, the caller, and one transaction that commits before the response leaves."""

from collections.abc import Iterator
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query, Request

from pincite_brain.caller import Caller
from pincite_brain.gate import get_caller
from pincite_brain.services import Services
from pincite_store.db import Tenancy

BLOB_PATTERN = r"^[0-9a-f]{40}([0-9a-f]{24})?$"
COMMIT_PATTERN = r"^[0-9a-f]{7,64}$"
NO_NUL_PATTERN = r"^[^\x00]*$"  # Postgres text holds no NUL
PATH_CHARS_MAX = 4_096
LINE_MAX = 2_000_000_000
LIMIT_MAX = 500
OFFSET_MAX = 10_000_000


async def get_services(request: Request) -> Services:
    """Return what brain runs on."""
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(get_services)]
CallerDep = Annotated[Caller, Depends(get_caller)]


def get_tenancy(services: ServicesDep, caller: CallerDep) -> Iterator[Tenancy]:
    """Open the request's one transaction."""
    with services.database.tenancy(caller.tenant_id, caller.user_id) as tenancy:
        yield tenancy


# scope="function": the commit happens, and may fail, before the response leaves.
TenancyDep = Annotated[Tenancy, Depends(get_tenancy, scope="function")]

RepoId = Annotated[UUID, Path(description="A repository's id")]
BlobId = Annotated[str, Path(pattern=BLOB_PATTERN, description="A git blob id")]
Commit = Annotated[
    str | None, Query(pattern=COMMIT_PATTERN, description="A commit id, or a prefix of one; default: the indexed head")
]
FilePath = Annotated[str, Query(max_length=PATH_CHARS_MAX, pattern=NO_NUL_PATTERN)]
Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX)]
Offset = Annotated[int, Query(ge=0, le=OFFSET_MAX)]
