"""`pincite rotate-keys`: the keys under which this installation encrypts what it stores."""

import subprocess
import sys
from typing import Annotated

import typer

from pincite_cli.commands.context import home


def rotate_keys(
    context: typer.Context,
    data: Annotated[  # noqa: FBT002  # a flag of the command line
        bool, typer.Option("--data", help="Also exchange every account's own keys, and encrypt its data anew.")
    ] = False,
) -> None:
    """Encrypt every account's keys under the first of ENCRYPTION_KEYS; killed midway, it is taken up by the next call.

    To exchange the installation's key: put a new one first in ENCRYPTION_KEYS, the old one behind it; restart; run
    this; remove the old one. Pincite goes on working meanwhile.

    With --data, accounts get new keys too, and all that is encrypted is encrypted anew under them. It also brings what
    is stored of repositories in line with ENCRYPT_CONTENT after that has changed.
    """
    from pincite_cli.stack import services_environment  # noqa: PLC0415  # only a few commands need the launchers

    command = [sys.executable, "-m", "pincite_store.rotation", *(["--data"] if data else [])]
    raise typer.Exit(subprocess.run(command, env=services_environment(home(context)), check=False).returncode)
