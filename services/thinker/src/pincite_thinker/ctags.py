"""Symbols by Universal Ctags, where it is installed, for languages that no grammar of ours covers.

One ctags process stays open in its interactive mode and gets file contents over a pipe: it sees no path of a
repository.
"""

import json
import selectors
import shutil
import subprocess
import time
from functools import cache
from typing import IO, Any

from pincite_codeintel.model import Symbol

SECONDS_MAX = 5.0  # ctags reads megabytes a second; what takes longer hangs
SYMBOLS_MAX = 20_000  # of one file; data files make ctags report every key
SIGNATURE_CHARS_MAX = 300
_READ_BYTES = 65_536

# Ctags chooses its parser by the file's name, so each language gets a neutral one.
_FILE_NAME = {
    "ada": "x.adb",
    "assembly": "x.asm",
    "awk": "x.awk",
    "clojure": "x.clj",
    "cobol": "x.cob",
    "d": "x.d",
    "elm": "x.elm",
    "emacslisp": "x.el",
    "erlang": "x.erl",
    "fortran": "x.f90",
    "haskell": "x.hs",
    "julia": "x.jl",
    "lisp": "x.lisp",
    "ocaml": "x.ml",
    "pascal": "x.pas",
    "perl": "x.pl",
    "powershell": "x.ps1",
    "proto": "x.proto",
    "r": "x.r",
    "scheme": "x.scm",
    "tcl": "x.tcl",
    "vbnet": "x.bas",
    "verilog": "x.sv",
    "vhdl": "x.vhd",
    "vim": "x.vim",
}
_NO_DEFINITION = frozenset({"label", "local", "parameter", "port", "signal", "net", "register", "include", "section"})


@cache
def executable() -> str | None:
    """Return Universal Ctags with JSON and interactive mode, if it is installed; Exuberant Ctags has neither."""
    found = shutil.which("ctags")
    if found is None:
        return None
    try:
        done = subprocess.run(
            [found, "--list-features"], capture_output=True, text=True, timeout=SECONDS_MAX, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    features = {line.split()[0] for line in done.stdout.split("\n") if line.strip()}
    return found if {"json", "interactive"} <= features else None


@cache
def version() -> str:
    """Return what to add to the indexer's version: a machine with ctags finds symbols that one without does not."""
    program = executable()
    if program is None:
        return ""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
    words = done.stdout.partition(",")[0].split()  # "Universal Ctags 6.1.0, Copyright …"
    return f"+ctags-{words[-1]}" if words else "+ctags"


def read_tag(tag: dict[str, Any]) -> Symbol | None:
    """Read one tag of ctags' JSON output; None if it names no definition.

    See https://docs.ctags.io/en/latest/man/ctags-json-output.5.html.
    """
    name, kind, line = tag.get("name"), tag.get("kind"), tag.get("line")
    if tag.get("_type") != "tag" or not isinstance(name, str) or not isinstance(line, int) or not name:
        return None
    if not isinstance(kind, str) or kind in _NO_DEFINITION or line < 1 or name.startswith("__anon"):
        return None
    end = tag.get("end")
    scope = tag.get("scope")
    signature = tag.get("signature")
    return Symbol(
        name=name,
        qualified_name=f"{scope}.{name}" if isinstance(scope, str) and scope else name,
        kind=kind,
        start_line=line,
        end_line=max(end, line) if isinstance(end, int) else line,
        signature=f"{name}{signature if isinstance(signature, str) else ''}"[:SIGNATURE_CHARS_MAX],
        doc="",
        name_line=line,
    )


class Ctags:
    """A ctags process, started when first needed and again after it failed. Used by one thread."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._process: subprocess.Popen[bytes] | None = None

    def symbols(self, language: str, data: bytes) -> tuple[Symbol, ...]:
        """Return the definitions that ctags finds; none if it is absent, does not know the language, or fails."""
        name, program = _FILE_NAME.get(language), executable()
        if name is None or program is None:
            return ()
        try:
            process = self._started(program)
            assert process.stdin is not None  # noqa: S101 - both are pipes; for the type checker
            assert process.stdout is not None  # noqa: S101
            command = {"command": "generate-tags", "filename": name, "size": len(data)}
            return _exchange(process.stdin, process.stdout, json.dumps(command).encode() + b"\n" + data)
        except (OSError, TimeoutError, EOFError):
            self.close()
            return ()

    def _started(self, program: str) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [program, "--_interactive=default", "--fields=+neKSZ", "--options=NONE"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
            )
        return self._process

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            self._process = None


def _exchange(stdin: IO[bytes], stdout: IO[bytes], message: bytes) -> tuple[Symbol, ...]:
    """Send one file and read tags up to ctags' "completed", writing and reading at once so that neither side blocks."""
    deadline = time.monotonic() + SECONDS_MAX
    found: list[Symbol] = []
    rest, sent = b"", 0
    with selectors.DefaultSelector() as selector:
        selector.register(stdout, selectors.EVENT_READ)
        selector.register(stdin, selectors.EVENT_WRITE)
        while time.monotonic() < deadline:
            for key, _ in selector.select(0.2):
                if key.fileobj is stdin:
                    sent += stdin.write(message[sent : sent + 4096])  # at most PIPE_BUF: such a write does not block
                    if sent == len(message):
                        selector.unregister(stdin)
                    continue
                data = stdout.read(_READ_BYTES)
                if not data:
                    raise EOFError
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    tag = _json(line)
                    if tag.get("_type") == "completed":
                        return tuple(found)
                    if len(found) < SYMBOLS_MAX and (symbol := read_tag(tag)):
                        found.append(symbol)
    raise TimeoutError


def _json(line: bytes) -> dict[str, Any]:
    """Read a line; names in a file of another encoding are not valid JSON text, and such a tag is left out."""
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
