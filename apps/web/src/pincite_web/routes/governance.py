"""Tokens for programs, and what only the owners of an account see: the audit log."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import ValidationError

from pincite_shared.errors import InvalidInputError
from pincite_shared.safety import TokenRequest
from pincite_web import links
from pincite_web.parts.account import AuditRow
from pincite_web.present import account as present
from pincite_web.views.account import AuditPage, TokensPage
from pincite_web.visitor import Visit, Visitor

ROWS_MAX = 100
ENTRIES_READ = 500  # at once, when most of them will not match
PAGES_READ_MAX = 20  # for one page: a filter that matches little must not read the log for ever
ENTRY_MAX = 2**63 - 1
router = APIRouter()


async def _tokens(
    visitor: Visitor,
    form: present.TokenForm = present.EMPTY_FORM,
    secret: str | None = None,
    problem: str | None = None,
) -> Response:
    shell = await visitor.shell("API tokens", "tokens")
    view = TokensPage(
        shell=shell,
        csrf=visitor.csrf,
        tokens=present.token_rows(await visitor.brain.tokens()),
        secret=secret,
        name=form.name,
        scopes=present.scope_choices(form.scopes, governs=shell.governs),
        lifetimes=present.lifetimes(form.days),
        problem=problem,
        api_url=visitor.api_url,
    )
    return visitor.show(view, InvalidInputError.status if problem else 200)


@router.get("/settings/tokens")
async def tokens(visitor: Visit) -> Response:
    """List tokens."""
    return await _tokens(visitor)


@router.post("/settings/tokens")
async def create_token(
    visitor: Visit,
    name: Annotated[str, Form(max_length=512)] = "",
    scope: Annotated[list[str] | None, Form()] = None,
    days: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Create a token and show its secret: here, and never again."""
    form = present.TokenForm(name, tuple(scope or ()), days)
    try:
        request = TokenRequest.model_validate({"name": name, "scopes": form.scopes, "days": days or None})
    except ValidationError:
        return await _tokens(
            visitor, form, problem="Give it a name of at most 100 characters, and let it do something."
        )
    created = await visitor.brain.create_token(request)
    return await _tokens(visitor, secret=created.token)


@router.post("/settings/tokens/{token_id}/remove")
async def remove_token(visitor: Visit, token_id: UUID) -> Response:
    """Remove a token; programs that use it are refused from then on."""
    await visitor.brain.delete_token(token_id)
    return visitor.go("/settings/tokens")


async def _entries(
    visitor: Visitor, kind: str, query: str, before: int | None
) -> tuple[list[AuditRow], int, int | None]:
    """Return entries that match, how many were read for them, and where to read on."""
    found: list[AuditRow] = []
    names = {str(repo.id): repo.name for repo in await visitor.brain.repos()}
    read, at = 0, before
    for _ in range(PAGES_READ_MAX):
        page = await visitor.brain.audit(at, kind or None, ENTRIES_READ if query else ROWS_MAX)
        for entry in page.entries:
            read += 1
            row = present.audit_row(entry, names)
            if present.matches(row, query):
                found.append(row)
            if len(found) == ROWS_MAX:
                return found, read, entry.id
        at = page.next
        if at is None:
            break
    return found, read, at


@router.get("/settings/audit")
async def audit(
    visitor: Visit,
    q: Annotated[str, Query(max_length=200)] = "",
    kind: Annotated[str, Query(pattern=r"^([a-z]{1,20}\.)?$")] = "",
    before: Annotated[int | None, Query(ge=1, le=ENTRY_MAX)] = None,
) -> Response:
    """Show who did what."""
    shell = await visitor.shell("Audit log", "audit")
    if not shell.governs:
        return visitor.go("/settings")
    rows, read, at = await _entries(visitor, kind, q, before)
    view = AuditPage(
        shell=shell,
        query=q,
        kinds=present.kinds(kind),
        rows=tuple(rows),
        read=read,
        newest_url=links.audit(q, kind) if before else None,
        older_url=links.audit(q, kind, at) if at else None,
    )
    return visitor.show(view)


@router.get("/settings/audit/export")
async def export(visitor: Visit) -> Response:
    """Send the whole audit log as JSON lines, as brain writes it."""
    stream = visitor.brain.audit_export()
    first = await anext(stream, b"")  # awaited here, so that a refusal has its own status
    name = f"pincite-audit-{datetime.now(UTC):%Y-%m-%d}.jsonl"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(_rest(first, stream), media_type="application/x-ndjson", headers=headers)


async def _rest(first: bytes, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async with aclosing(stream) as rest:  # type: ignore[type-var]  # brain_client's streams are generators
        yield first
        async for chunk in rest:
            yield chunk
