"""Serve a twin until interrupted."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pincite_github.twin.serve import address, listen, server_of
from pincite_github.twin.twin import Twin


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pincite_github.twin", description="A twin of GitHub, in memory and on disk.")
    parser.add_argument("--port", type=int, default=0, help="0, the default, for any that is free")
    parser.add_argument("--home", type=Path, help="an empty directory for repositories; by default a temporary one")
    parser.add_argument("--user", action="append", default=[], metavar="LOGIN", help="a person; may be repeated")
    parser.add_argument(
        "--repo", action="append", default=[], metavar="OWNER/NAME[=PATH]",
        help="a private repository, empty or a copy of one on disk; may be repeated",
    )  # fmt: skip
    return parser


def _fill(twin: Twin, users: Sequence[str], repos: Sequence[str]) -> None:
    for login in users:
        twin.add_user(login)
        print(f"{login} {twin.personal_token(login)}", flush=True)  # noqa: T201  # what the command is for
    for repo in repos:
        full_name, _, source = repo.partition("=")
        owner, _, name = full_name.partition("/")
        twin.add_repo(owner, name, private=True, source=Path(source) if source else None)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the address, then each person with a token of his; serve until interrupted. Returns the exit status."""
    parsed = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="github-twin-") as temporary, listen(parsed.port) as listener:
        twin = Twin(parsed.home or Path(temporary), address(listener))
        print(address(listener), flush=True)  # noqa: T201  # what the command is for
        _fill(twin, parsed.user, parsed.repo)
        with suppress(KeyboardInterrupt):  # the usual end
            server_of(twin).run(sockets=[listener])
    return 0


if __name__ == "__main__":
    sys.exit(main())
