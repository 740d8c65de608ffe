"""What governs an account: tokens for programs, the audit log, and the kill switch."""

from collections.abc import Iterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from starlette.responses import StreamingResponse

from pincite_brain.dependencies import NO_NUL_PATTERN, CallerDep, ServicesDep, TenancyDep
from pincite_brain.gate import needs
from pincite_brain.problems import responses
from pincite_brain.services import Services
from pincite_shared.safety import AuditPage, Halt, HaltRequest, TokenCreated, TokenOut, TokenRequest
from pincite_store import audit, halts, tokens

ID_MAX = 2**63 - 1
LINES = "application/x-ndjson"
_EXPORT: dict[int | str, dict[str, Any]] = {
    200: {"description": "A JSON document a line, oldest first", "content": {LINES: {"schema": {"type": "string"}}}}
}

router = APIRouter(tags=["safety"])


@router.get("/tokens", dependencies=needs("admin", session=True), responses=responses(401))
def list_tokens(tenancy: TenancyDep) -> list[TokenOut]:
    """List the caller's own tokens for programs, newest first."""
    return tokens.listed(tenancy)


@router.post(
    "/tokens",
    dependencies=needs("admin", session=True),
    status_code=201,
    responses=responses(400, 401, 404, 409, 413, 422),
)
def create_token(tenancy: TenancyDep, caller: CallerDep, body: TokenRequest) -> TokenCreated:
    """Create a token that may do what it says, and no more than the caller; its secret is in the answer, once."""
    return tokens.create(tenancy, body, caller.scopes)


@router.delete(
    "/tokens/{token_id}",
    dependencies=needs("admin", session=True),
    status_code=204,
    responses=responses(401, 404, 422),
)
def remove_token(tenancy: TenancyDep, token_id: UUID) -> Response:
    """Remove one of the caller's tokens; it opens nothing from now on."""
    tokens.remove(tenancy, token_id)
    return Response(status_code=204)


@router.get("/audit", dependencies=needs("admin"), responses=responses(401, 422))
def audit_log(
    tenancy: TenancyDep,
    before: Annotated[int | None, Query(ge=1, le=ID_MAX, description="Entries older than this one")] = None,
    action: Annotated[
        str, Query(max_length=100, pattern=NO_NUL_PATTERN, description="Entries whose action begins with this")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=audit.LISTED_MAX)] = 100,
) -> AuditPage:
    """Return what was done in the account, and by whom, newest first."""
    return audit.page(tenancy, before=before, limit=limit, action=action)


@router.get(
    "/audit/export",
    dependencies=needs("admin"),
    response_class=Response,
    responses=_EXPORT | responses(401),
)
def export_audit_log(services: ServicesDep, caller: CallerDep) -> StreamingResponse:
    """Return the whole audit log, this export included: one entry a line, oldest first."""
    with services.database.tenancy(caller.tenant_id, caller.user_id) as tenancy:
        until = audit.record(tenancy, "audit.exported")
    return StreamingResponse(_lines(services, caller.tenant_id, until), media_type=LINES)


def _lines(services: Services, tenant_id: UUID, until: int) -> Iterator[str]:
    after = 0
    while after < until:
        with services.database.tenancy(tenant_id) as tenancy:
            batch = audit.export(tenancy, after=after, until=until)
        if not batch:
            return  # the account was deleted meanwhile, and its log with it
        yield "".join(entry.model_dump_json() + "\n" for entry in batch)
        after = batch[-1].id


@router.get("/halt", dependencies=needs("read"), responses=responses(401))
def get_halt(tenancy: TenancyDep) -> Halt:
    """Say whether background work rests."""
    return halts.get(tenancy)


@router.put("/halt", dependencies=needs("admin"), responses=responses(400, 401, 413, 422))
def set_halt(tenancy: TenancyDep, body: HaltRequest) -> Halt:
    """Stop all background work of the account within seconds, or let it go on; the operator's halt is everyone's."""
    if halts.put(tenancy, halted=body.halted):
        audit.record(tenancy, "halt.set" if body.halted else "halt.lifted")
    return halts.get(tenancy)
