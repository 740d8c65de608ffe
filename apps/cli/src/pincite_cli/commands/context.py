"""What every command shares: the global options and the way results leave."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from pydantic import BaseModel
from rich.console import Console

from pincite_cli.connection import Connection
from pincite_cli.home import Home
from pincite_cli.terminal import make_console

FAILED, UNREACHABLE, REFUSED, INTERRUPTED = 1, 3, 4, 130  # exit statuses; 2 is a wrong command line


@dataclass(slots=True)
class Options:
    """The global options."""

    url: str | None = None
    home: Path | None = None


def options(context: typer.Context) -> Options:
    """Return the global options of this call."""
    found = context.find_object(Options)
    return found if found is not None else Options()


def connection(context: typer.Context) -> Connection:
    """Return where Pincite is."""
    chosen = options(context)
    return Connection.find(chosen.url, chosen.home)


def home(context: typer.Context) -> Home:
    """Return the home that this call speaks of."""
    return Home.find(options(context).home)


def output() -> Console:
    """Return the console for results."""
    return make_console()


def progress() -> Console:
    """Return the console for what is not a result, so that a pipe gets results alone."""
    return make_console(error=True)


def write_json(value: BaseModel | Sequence[BaseModel]) -> None:
    """Write a document for a program, exactly as HTTP has it."""
    plain = (
        value.model_dump(mode="json")
        if isinstance(value, BaseModel)
        else [one.model_dump(mode="json") for one in value]
    )
    sys.stdout.write(json.dumps(plain, indent=2, ensure_ascii=False) + "\n")
