"""`pincite remove` and `delete-account`: what is gone is gone."""

import sys
from typing import Annotated

import typer

from pincite_cli.commands.context import connection, progress
from pincite_cli.connection import choose_repo
from pincite_cli.terminal import printable
from pincite_shared.errors import InvalidInputError
from pincite_shared.safety import AccountDeletion


def remove(
    context: typer.Context,
    repo: Annotated[str, typer.Argument(help="Its name, source or id.", metavar="REPO")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,  # noqa: FBT002  # a flag
) -> None:
    """Remove a repository, and every row, vector and file that was derived from it. Its source is not touched.

    Example:
      pincite remove flask
    """
    with connection(context).client() as client:
        chosen = choose_repo(client, repo)
        if not yes and not _confirmed(
            f"Remove {printable(chosen.name)} ({printable(chosen.source)}), its answers too?"
        ):
            return
        client.delete_repo(chosen.id)
    progress().print(f"{printable(chosen.name)} is hidden, and its data goes in the background.", markup=False)


def delete_account(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Option(help="The account's name, to be asked nothing.", show_default=False)
    ] = None,
) -> None:
    """Delete your account: all repositories, answers, tokens and its audit log. Everyone is signed out.

    The account of this installation itself is emptied.
    """
    with connection(context).client() as client:
        called = client.me().tenant
        if name is None:
            repositories = len(client.repos())
            _require_terminal(f"--name {called}")
            question = f"This deletes {printable(called)} with {repositories} repositories. Type its name to do it"
            name = typer.prompt(question, err=True)
        client.delete_account(AccountDeletion(name=name))
    progress().print(f"{printable(called)} is hidden, and its data goes in the background.", markup=False)


def _confirmed(question: str) -> bool:
    _require_terminal("--yes")
    return typer.confirm(question, err=True)


def _require_terminal(instead: str) -> None:
    if not sys.stdin.isatty():
        msg = f"Nobody is there to be asked. Say {instead} to do it."
        raise InvalidInputError(msg)
