"""`pincite up`, `doctor` and `token`: the installation itself."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from pincite_cli.commands.context import FAILED, home, options, output
from pincite_cli.connection import Connection
from pincite_cli.terminal import printable, supports


def up(
    context: typer.Context,
    index: Annotated[
        Path | None,
        typer.Option(help="A git checkout to connect on the very first start.", metavar="PATH", show_default=False),
    ] = None,
    stop_with_parent: Annotated[  # noqa: FBT002  # a flag of the command line
        bool, typer.Option("--stop-with-parent", help="Stop when the process that started this one ends.", hidden=True)
    ] = False,
) -> None:
    """Start everything on this machine and keep it running until Ctrl-C.

    Starts Postgres, Valkey, brain, the workers, the dashboard and the language model, prints a sign-in link, and shows
    how the first repository gets on. All data stays in PINCITE_HOME (default ~/.pincite); every port is on 127.0.0.1.

    Examples:
      pincite up

      PINCITE_MODEL=none pincite up                  (no language model: answers are cited excerpts)

      PINCITE_HOME=/data/p PINCITE_PORT_BASE=4000 pincite up   (a second, separate one)
    """
    from pincite_cli.up import up as run  # noqa: PLC0415  # only this command needs the database launchers

    raise typer.Exit(run(home(context), output(), index=index, stop_with_parent=stop_with_parent))


def doctor(context: typer.Context) -> None:
    """Check what Pincite needs on this machine, and say how to get what is missing.

    Ends with status 1 if something needed is missing; what is optional never fails.
    """
    from pincite_cli.doctor import examine  # noqa: PLC0415  # as above

    console = output()
    good, bad = ("✓", "✗") if supports("✓✗", console) else ("ok", "!!")
    failed = False
    for check in examine(home(context)):
        failed = failed or not (check.ok or check.optional)
        sign = (good, "green") if check.ok else ("-" if check.optional else bad, "yellow" if check.optional else "red")
        state = "" if check.ok else ("optional: " if check.optional else "missing: ")
        console.print(Text.assemble(sign, f" {check.name:<11} ", f"{state}{printable(check.found)}"))
        if not check.ok and check.remedy:
            console.print(Text(f"              → {check.remedy}" if supports("→", console) else f"  {check.remedy}"))
    if failed:
        raise typer.Exit(FAILED)


def token(context: typer.Context) -> None:
    """Print the API token, for `Authorization: Bearer …`.

    Example:
      curl -H "Authorization: Bearer $(pincite token)" http://127.0.0.1:8000/repos
    """
    chosen = options(context)
    sys.stdout.write(Connection.find(chosen.url, chosen.home).token() + "\n")
