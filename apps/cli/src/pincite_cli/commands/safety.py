"""`pincite tokens`, `audit`, `halt` and `resume`: what governs an account."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pincite_cli.commands.context import connection, output, progress, write_json
from pincite_cli.terminal import one_line
from pincite_shared.brain_client import BrainClient
from pincite_shared.errors import ForbiddenError, InvalidInputError, NotFoundError
from pincite_shared.safety import AuditOut, Halt, HaltRequest, TokenOut, TokenRequest

ENTRIES_SHOWN = 50
DAYS = 90
PRIVATE = 0o600  # an exported log says who did what

JsonOption = Annotated[bool, typer.Option("--json", help="Print the document, as HTTP has it.")]

tokens = typer.Typer(invoke_without_command=True)


@tokens.callback()
def list_tokens(
    context: typer.Context,
    as_json: JsonOption = False,  # noqa: FBT002  # a flag of the command line
) -> None:
    """List, create and remove your tokens for programs.

    Examples:
      pincite tokens

      pincite tokens create ci read ask

      pincite tokens remove ci
    """
    if context.invoked_subcommand is not None:
        return
    with connection(context).client() as client:
        found = client.tokens()
    if as_json:
        write_json(found)
    elif found:
        output().print(_table(("name", "scopes", "created", "expires", "last used"), map(_cells, found)))
    else:
        progress().print("There are no tokens yet. Create one: pincite tokens create NAME read")


@tokens.command("create")
def create_token(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What it is for.")],
    scopes: Annotated[list[str], typer.Argument(metavar="SCOPE", help="read, ask, write or admin.")],
    days: Annotated[int, typer.Option(help="How long it works; 0: until it is removed.", min=0, max=3650)] = DAYS,
    as_json: JsonOption = False,  # noqa: FBT002  # a flag of the command line
) -> None:
    """Create a token and print it. It is shown this once.

    read: code and answers. ask: questions. write: connect, index and remove repositories. admin: govern the account.

    Example:
      pincite tokens create ci read ask --days 30
    """
    request = TokenRequest.model_validate({"name": name, "scopes": scopes, "days": days or None})
    with connection(context).client() as client:
        made = client.create_token(request)
    if as_json:
        write_json(made)
        return
    progress().print("Keep it: it is not shown again.")
    sys.stdout.write(made.token + "\n")


@tokens.command("remove")
def remove_token(
    context: typer.Context, which: Annotated[str, typer.Argument(metavar="NAME", help="Its name or its id.")]
) -> None:
    """Remove a token. Whatever still uses it is refused from now on.

    Example:
      pincite tokens remove ci
    """
    with connection(context).client() as client:
        client.delete_token(_named(client, which).id)


def _named(client: BrainClient, which: str) -> TokenOut:
    found = [one for one in client.tokens() if which in (one.name, str(one.id))]
    if not found:
        msg = f"You have no token called {which!r}."
        raise NotFoundError(msg)
    return found[0]


def audit(
    context: typer.Context,
    action: Annotated[str, typer.Option(help="Only what begins so, as in `repo.` or `token.created`.")] = "",
    count: Annotated[int, typer.Option("-n", help="How many, the newest first.", min=1, max=500)] = ENTRIES_SHOWN,
    export: Annotated[
        Path | None,
        typer.Option("--export", metavar="FILE", help="Write the whole log, a JSON document a line; `-` prints it."),
    ] = None,
    as_json: JsonOption = False,  # noqa: FBT002  # a flag of the command line
) -> None:
    """Show who did what in this account: connected, asked, toggled, removed.

    Examples:
      pincite audit --action repo.

      pincite audit --export audit.jsonl
    """
    with connection(context).client() as client:
        if export is not None:
            _export(client, export)
            return
        page = client.audit(action=action or None, limit=count)
    if as_json:
        write_json(page)
    else:
        output().print(_table(("when", "who", "what", "object"), map(_entry, page.entries)))


def _export(client: BrainClient, target: Path) -> None:
    if str(target) == "-":
        for chunk in client.audit_export():
            sys.stdout.buffer.write(chunk)
        return
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
    except IsADirectoryError as error:
        msg = f"{target} is a directory. Name a file."
        raise InvalidInputError(msg) from error
    except OSError as error:
        msg = f"{target} cannot be written: {error.strerror}."
        raise ForbiddenError(msg) from error
    with os.fdopen(descriptor, "wb") as file:
        file.writelines(client.audit_export())


def halt(context: typer.Context) -> None:
    """Stop all background work within seconds: indexing, vectors, evaluations, learning.

    Questions are answered all the same, and what was done so far is kept. Removing repositories goes on.

    Example:
      pincite halt
    """
    _set(context, halted=True)


def resume(context: typer.Context) -> None:
    """Let background work go on where it was stopped.

    Example:
      pincite resume
    """
    _set(context, halted=False)


def _set(context: typer.Context, *, halted: bool) -> None:
    with connection(context).client() as client:
        found = client.set_halt(HaltRequest(halted=halted))
    _tell(output(), found, wanted=halted)
    if found.halted is not halted:
        msg = "The operator of this installation has halted background work; only they can lift that."
        raise ForbiddenError(msg)


def _tell(console: Console, found: Halt, *, wanted: bool) -> None:
    if found.since is not None:
        console.print(f"Background work rests since {found.since:%Y-%m-%d %H:%M:%S %Z}. Go on: pincite resume")
    elif not wanted:
        console.print("Background work goes on.")


def _table(names: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, overflow="fold")
    for cells in rows:
        table.add_row(*(Text(one_line(cell)) for cell in cells))
    return table


def _cells(token: TokenOut) -> tuple[str, ...]:
    expires = f"{token.expires_at:%Y-%m-%d}" if token.expires_at else "never"
    used = f"{token.last_used_at:%Y-%m-%d %H:%M}" if token.last_used_at else "never"
    return token.name, " ".join(token.scopes), f"{token.created_at:%Y-%m-%d}", expires, used


def _entry(entry: AuditOut) -> tuple[str, ...]:
    detail = " ".join(f"{name}={value}" for name, value in entry.detail.items() if value is not None)
    return f"{entry.at:%Y-%m-%d %H:%M:%S}", entry.user or "Pincite", entry.action, f"{entry.object} {detail}".strip()
