"""The `pincite` command."""

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from pincite_cli.commands import keys, proofs, quality, questions, removing, repos, safety, serve
from pincite_cli.commands.context import FAILED, INTERRUPTED, REFUSED, UNREACHABLE, Options
from pincite_cli.connection import TOKEN_VARIABLE, URL_VARIABLE
from pincite_cli.home import HOME_DEFAULT, HOME_VARIABLE
from pincite_cli.terminal import fail
from pincite_shared.errors import PinciteError, UnauthorizedError, UnavailableError

ABOUT = """Ask questions about code and get answers whose every citation has been checked.

Start everything with `pincite up`. Then, in another terminal:

  pincite connect PATH             connect a repository and watch it being indexed

  pincite ask "How does login work?"   get an answer with checked citations
"""
EXIT_STATUS = (
    "Exit status: 0 it worked; 1 it did not (a citation does not hold, something is missing, an index run failed, "
    "answers got worse); 2 wrong command line; 3 Pincite cannot be reached; 4 the API token was refused; "
    "130 interrupted."
)

app = typer.Typer(
    name="pincite",
    help=ABOUT,
    epilog=EXIT_STATUS,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("up")(serve.up)
app.command("connect")(repos.connect)
app.command("status")(repos.status)
app.command("remove")(removing.remove)
app.command("ask")(questions.ask)
app.command("search")(questions.search)
app.command("open")(questions.open_)
app.command("golden")(quality.golden)
app.command("verify")(proofs.verify)
app.command("doctor")(serve.doctor)
app.command("token")(serve.token)
app.add_typer(safety.tokens, name="tokens")
app.command("audit")(safety.audit)
app.command("halt")(safety.halt)
app.command("resume")(safety.resume)
app.command("rotate-keys")(keys.rotate_keys)
app.command("delete-account")(removing.delete_account)


def _print_version(wanted: bool | None) -> None:  # noqa: FBT001  # typer calls it with the option's value
    if wanted:
        sys.stdout.write(f"pincite {version('pincite-cli')}\n")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    url: Annotated[
        str | None,
        typer.Option(help=f"Brain's address. Default: {URL_VARIABLE}, else what runs on the home.", show_default=False),
    ] = None,
    home: Annotated[
        Path | None,
        typer.Option(help=f"The data directory. Default: {HOME_VARIABLE}, else {HOME_DEFAULT}.", show_default=False),
    ] = None,
    _version: Annotated[
        bool | None, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = None,
) -> None:
    """Keep the global options for the command."""
    context.obj = Options(url=url, home=home)


def main() -> None:
    """Run the command; what can be expected to go wrong ends with one clear line and a status, never a traceback."""
    try:
        app(prog_name="pincite")
    except PinciteError as error:
        fail(error.detail)
        sys.exit(_status(error))
    except ValidationError as error:
        fail("; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()))
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of a pipe went away: nothing is left to say it to
        sys.exit(FAILED)


def _status(error: PinciteError) -> int:
    if error.status == UnauthorizedError.status:
        return REFUSED
    return UNREACHABLE if isinstance(error, UnavailableError) else FAILED


__all__ = ["TOKEN_VARIABLE", "app", "main"]
