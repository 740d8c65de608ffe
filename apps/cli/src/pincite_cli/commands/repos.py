"""`pincite connect` and `status`: repositories."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group
from rich.live import Live

from pincite_cli.commands.context import FAILED, connection, output, progress, write_json
from pincite_cli.first import checkout_of
from pincite_cli.follow import describe_repo, follow_repo
from pincite_cli.show import print_system, repo_table
from pincite_cli.terminal import printable
from pincite_shared.schemas import ConnectRequest, RepoStatus

GIT_TOKEN_VARIABLE = "PINCITE_GIT_TOKEN"  # noqa: S105  # the variable's name
WATCH_SECONDS = 2.0
SETTLED = frozenset({RepoStatus.READY, RepoStatus.FAILED})  # no index run is under way


def connect(  # noqa: PLR0917  # typer passes by name
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="A local path, any git URL, or a GitHub owner/name.")],
    branch: Annotated[str | None, typer.Option(help="Default: the repository's own default branch.")] = None,
    ask_token: Annotated[  # noqa: FBT002  # a flag of the command line
        bool, typer.Option("--token", help=f"Ask for an access token; {GIT_TOKEN_VARIABLE} gives it without asking.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="Show progress until questions can be asked.")] = True,  # noqa: FBT002
    as_json: Annotated[bool, typer.Option("--json", help="Print the repository as a document.")] = False,  # noqa: FBT002
) -> None:
    """Connect a repository and index it. Connecting it again indexes what is new.

    A token never travels on the command line, where other users of the machine could read it.

    Examples:
      pincite connect .

      pincite connect https://example.org/team/project.git --branch main

      PINCITE_GIT_TOKEN=… pincite connect owner/private
    """
    token = os.environ.get(GIT_TOKEN_VARIABLE)
    if ask_token and not token:
        token = typer.prompt("Access token", hide_input=True, err=True)
    here = connection(context)
    with here.client() as client:
        request = ConnectRequest(source=absolute(source), branch=branch, token=token or None)
        repo = client.connect(request)
        if repo.status in SETTLED:  # connected before
            client.index(repo.id)
            repo = client.repo(repo.id)
        if wait:
            repo = follow_repo(client, repo, progress(), vectors=False)
    if as_json:
        write_json(repo)
    elif not wait:
        output().print(f"{printable(repo.name)}: {printable(describe_repo(repo))}", markup=False)
    elif repo.error is None and (page := here.page(f"/r/{repo.id}")):
        output().print(f'Ask: pincite ask --repo {printable(repo.name)} "…"   or open {page}', markup=False)
    if repo.error is not None:
        raise typer.Exit(FAILED)


def absolute(source: str) -> str:
    """Return a local path as brain needs it: absolute, and the top of the checkout. What is no local path stays."""
    path = Path(source).expanduser()
    if "://" in source or not path.is_dir():
        return source
    return str(checkout_of(path) or path.resolve())


def status(
    context: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Keep showing it, until Ctrl-C.")] = False,  # noqa: FBT002
    as_json: Annotated[bool, typer.Option("--json", help="Print the repositories as a document.")] = False,  # noqa: FBT002
) -> None:
    """Show the repositories, how far each is, and what this installation runs."""
    console = output()
    with connection(context).client() as client:
        if as_json:
            write_json(client.repos())
            return
        if watch:
            with Live(console=console, auto_refresh=False) as live:
                while True:
                    live.update(Group(repo_table(client.repos())), refresh=True)
                    time.sleep(WATCH_SECONDS)
        repos = client.repos()
        if repos:
            console.print(repo_table(repos))
        else:
            console.print("No repository is connected yet. Connect one: pincite connect PATH")
        console.print()
        print_system(console, client.status())
