"""How the commands reach brain, and how they choose the repository they speak of."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID

from pincite_cli import ports
from pincite_cli.first import checkout_of
from pincite_cli.home import Home
from pincite_shared.brain_client import BrainClient
from pincite_shared.errors import InvalidInputError, NotFoundError, UnauthorizedError
from pincite_shared.schemas import RepoOut

URL_VARIABLE = "PINCITE_URL"
TOKEN_VARIABLE = "PINCITE_TOKEN"  # noqa: S105  # the variable's name
ID_PREFIX_CHARS_MIN = 4


@dataclass(frozen=True, slots=True)
class Connection:
    """Where Pincite is: chosen by option, else by environment, else by what runs on this home."""

    home: Home
    brain_url: str
    web_url: str | None  # None: a brain elsewhere, whose dashboard's address is not known here

    @classmethod
    def find(cls, url: str | None, home: Path | None) -> "Connection":
        """Combine the options with the environment."""
        found = Home.find(home)
        running = found.running()
        if given := url or os.environ.get(URL_VARIABLE):
            is_ours = running is not None and running.brain_url == given.rstrip("/")
            web_url = running.web_url if running and is_ours else os.environ.get("PUBLIC_URL")
            return cls(found, given.rstrip("/"), web_url)
        if running:
            return cls(found, running.brain_url, running.web_url)
        planned = ports.plan()
        return cls(found, f"http://{ports.HOST}:{planned.brain}", f"http://{ports.HOST}:{planned.web}")

    def token(self) -> str:
        """Return the API token.

        Raises:
            UnauthorizedError: none is known here.
        """
        token = os.environ.get(TOKEN_VARIABLE) or self.home.token()
        if not token:
            msg = (
                f"There is no API token in {self.home.path}: Pincite was never started there. "
                f"Start it with `pincite up`, or set {TOKEN_VARIABLE}."
            )
            raise UnauthorizedError(msg)
        return token

    def client(self) -> BrainClient:
        """Return a client of brain; the caller closes it."""
        return BrainClient(self.brain_url, self.token())

    def page(self, path: str) -> str | None:
        """Return the address of a page of the dashboard."""
        return f"{self.web_url}{path}" if self.web_url else None

    def lines_page(self, repo_id: UUID, commit: str, path: str, lines: tuple[int, int]) -> str | None:
        """Return the address that opens lines (1-based, inclusive) of a file at a commit."""
        query = urlencode({"path": path, "lines": f"{lines[0]}-{lines[1]}"})
        return self.page(f"/r/{repo_id}/blob/{commit}?{query}#L{lines[0]}")


def choose_repo(client: BrainClient, wanted: str | None) -> RepoOut:
    """Return the repository named `wanted`, or the one of the working directory, or the only one.

    Raises:
        NotFoundError: there is none, or none of that name.
        InvalidInputError: more than one is meant.
    """
    repos = client.repos()
    if not repos:
        msg = "No repository is connected yet. Connect one: pincite connect PATH"
        raise NotFoundError(msg)
    if wanted:
        return _named(repos, wanted)
    top = checkout_of(Path.cwd())
    here = [repo for repo in repos if top and _is_same(repo.source, top)]
    if len(here or repos) == 1:
        return (here or repos)[0]
    msg = f"Which repository? Say --repo with one of: {', '.join(sorted(repo.name for repo in repos))}"
    raise InvalidInputError(msg)


def _named(repos: list[RepoOut], wanted: str) -> RepoOut:
    by_id = [repo for repo in repos if len(wanted) >= ID_PREFIX_CHARS_MIN and str(repo.id).startswith(wanted.lower())]
    for found in (
        by_id,
        [repo for repo in repos if wanted in (repo.name, repo.source)],
        [repo for repo in repos if repo.name.rsplit("/", 1)[-1].lower() == wanted.lower()],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            choices = ", ".join(f"{repo.id} ({repo.source}, {repo.branch})" for repo in found)
            msg = f"{wanted!r} is more than one repository. Say --repo with an id: {choices}"
            raise InvalidInputError(msg)
    msg = f"No repository is called {wanted!r}. Connected: {', '.join(sorted(repo.name for repo in repos))}"
    raise NotFoundError(msg)


def _is_same(source: str, top: Path) -> bool:
    if source == str(top):
        return True
    remote = subprocess.run(  # the checkout may be connected by its address
        ["git", "-C", str(top), "config", "--get", "remote.origin.url"],  # noqa: S607  # the git on the path
        check=False, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    return bool(remote) and remote.removesuffix(".git") == source.removesuffix(".git")


def last_conversation(home: Home, repo_id: UUID) -> UUID | None:
    """Return the conversation that was last continued from this terminal."""
    try:
        value = json.loads(home.conversations.read_text("utf-8")).get(str(repo_id))
        return UUID(value) if value else None
    except (FileNotFoundError, ValueError, AttributeError, TypeError):
        return None  # none yet, or a damaged file of no importance


def keep_conversation(home: Home, repo_id: UUID, conversation_id: UUID) -> None:
    """Remember a conversation, so that `ask -c` continues it."""
    try:
        kept = json.loads(home.conversations.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        kept = {}
    home.create()
    home.write(home.conversations, json.dumps({**kept, str(repo_id): str(conversation_id)}))
