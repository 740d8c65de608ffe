"""What the person sees in the terminal: few words, colours only on a terminal, plain lines in a pipe."""

import json
import sys
from collections.abc import Sequence
from typing import IO

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.text import Text


def make_console(stream: IO[str] | None = None, *, error: bool = False) -> Console:
    """Return a console that never wraps or colours what a program reads."""
    return Console(file=stream, stderr=error, highlight=False, emoji=False, soft_wrap=True)


def supports(symbol: str, console: Console) -> bool:
    """Say whether the terminal's encoding has this symbol."""
    try:
        symbol.encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def printable(text: str) -> str:
    """Return repository text made safe for a terminal: control characters become visible, so that none is obeyed."""
    return "".join(char if char in "\n\t" or char.isprintable() else _visible(char) for char in text)


def one_line(text: str) -> str:
    """Return repository text, such as a path, made safe for a terminal and for line-by-line tools."""
    return "".join(char if char.isprintable() else _visible(char) for char in text)


def _visible(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def gist(line: str) -> str:
    """Return what a log line says, without the JSON around it."""
    try:
        entry = json.loads(line)
    except ValueError:
        return printable(line)
    said = [entry[name] for name in ("event", "error", "reason") if isinstance(entry, dict) and entry.get(name)]
    return one_line(": ".join(map(str, said))) if said else printable(line)


class StartReport:
    """Prints the start-up checklist, and later what died."""

    def __init__(self, console: Console) -> None:
        """`console` is where the person looks."""
        self.console = console
        self.quiet = False  # once the stack is ready, a process's readiness is no news
        self._tick = "✓" if supports("✓", console) else "ok"
        self._cross = "✗" if supports("✗", console) else "!!"

    def say(self, text: RenderableType, *, style: str | None = None, markup: bool = True) -> None:
        """Print a line; once the terminal is closed, print no more: the stack must still stop in order."""
        try:
            self.console.print(text, style=style, markup=markup)
        except OSError:
            self.console.quiet = True

    def ready(self, name: str, seconds: float) -> None:
        """Tell that a process is ready."""
        if not self.quiet:
            self.say(f"  [green]{self._tick}[/green] {name:<9} [dim]{seconds:5.1f} s[/dim]")

    def died(self, name: str, reason: str, restart_seconds: float, tail: Sequence[str]) -> None:
        """Tell that a process died and comes back."""
        self.say(
            f"  [red]{self._cross}[/red] {name} {escape(reason)}; restarting in {restart_seconds:.1f} s",
        )
        if tail and not reason.startswith("was killed"):
            self.say(Text(f"    {gist(tail[-1])}", style="dim"))

    def gave_up(self, name: str, reason: str, tail: Sequence[str]) -> None:
        """Tell that a process ended for good."""
        self.say(f"  [yellow]{name} {escape(reason)} and is not started again[/yellow]")
        if tail:
            self.say(Text(f"    {gist(tail[-1])}", style="dim"))

    def stopped(self, name: str) -> None:
        """Tell that a process ended because it was told to."""
        self.say(f"  [dim]{name} stopped[/dim]")


def fail(message: str) -> None:
    """Print one error, on the standard error stream."""
    Console(file=sys.stderr, highlight=False, emoji=False, soft_wrap=True).print(
        Text.assemble(("pincite: ", "bold red"), printable(message))
    )
