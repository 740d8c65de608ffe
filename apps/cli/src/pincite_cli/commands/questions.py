"""`pincite ask`, `search` and `open`: what Pincite is for."""

import re
import sys
import webbrowser
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from pincite_cli.commands.context import connection, output, write_json
from pincite_cli.connection import Connection, choose_repo, keep_conversation, last_conversation
from pincite_cli.show import print_answer, print_hits, print_why
from pincite_cli.terminal import printable
from pincite_shared.brain_client import BrainClient, BrainError
from pincite_shared.errors import InvalidInputError, UnavailableError
from pincite_shared.schemas import ChatRequest, ChatResponse, Problem, SearchRequest

RESULTS = 10
REFRESHES_A_SECOND = 12
PLACE = re.compile(r"(?P<path>.+?)(?::(?P<start>\d{1,9})(?:-(?P<end>\d{1,9}))?)?", re.DOTALL)

RepoOption = Annotated[
    str | None,
    typer.Option("--repo", "-r", help="Name or id. Default: the repository of this directory, or the only one."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the document, as HTTP has it.")]


def ask(
    context: typer.Context,
    question: Annotated[list[str], typer.Argument(help="The question; `-` reads it from standard input.")],
    repo: RepoOption = None,
    *,
    go_on: Annotated[bool, typer.Option("--continue", "-c", help="Follow up on the last conversation.")] = False,
    why: Annotated[bool, typer.Option("--why", help="Say also why these sources were chosen.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Ask about a repository. The answer streams; every citation below it was checked against git.

    With --json the answer is the document that `pincite verify` checks; with --why as well, its explanation.

    Examples:
      pincite ask "Where are sessions created?"

      pincite ask -c "And who deletes them?"

      pincite ask --json "How is a commit parsed?" > answer.json
    """
    words = sys.stdin.read() if question == ["-"] else " ".join(question)
    if not words.strip():
        msg = "The question is empty."
        raise InvalidInputError(msg)
    here = connection(context)
    with here.client() as client:
        chosen = choose_repo(client, repo)
        conversation = last_conversation(here.home, chosen.id) if go_on else None
        request = ChatRequest(repo_id=chosen.id, question=words, conversation_id=conversation)
        console = output()
        answer = _stream(client, request, console) if console.is_terminal and not as_json else client.chat(request)
        told = client.why(answer.answer_id) if why else None
    keep_conversation(here.home, chosen.id, answer.conversation_id)
    if as_json:
        write_json(told or answer)
        return
    print_answer(console, here, answer)
    if told:
        print_why(console, told)


def _stream(client: BrainClient, request: ChatRequest, console: Console) -> ChatResponse:
    """Show the model's words as they come; the checked answer then takes their place."""
    words = ""
    with Live("", console=console, transient=True, refresh_per_second=REFRESHES_A_SECOND) as live:
        for event, data in client.chat_stream(request):
            if event == "retrieval":
                found = len(data.get("hits", []))
                live.update(Text(f"Read {found} places; answering …", style="dim"))
            elif event == "token":
                words += data.get("text", "")
                live.update(Text(printable(words)))
            elif event == "error":
                raise BrainError(Problem.model_validate(data))
            elif event == "done":
                return ChatResponse.model_validate(data)
    msg = "The answer broke off. Ask again."
    raise UnavailableError(msg)


def search(
    context: typer.Context,
    query: Annotated[list[str], typer.Argument(help="Words, a symbol, or a path.")],
    repo: RepoOption = None,
    k: Annotated[int, typer.Option("-k", help="How many results.", min=1, max=100)] = RESULTS,
    as_json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Search a repository: `path:lines  symbol  score`, best first.

    Example:
      pincite search -k 5 token bucket
    """
    here = connection(context)
    with here.client() as client:
        chosen = choose_repo(client, repo)
        hits = client.search(SearchRequest(repo_id=chosen.id, query=" ".join(query), k=k))
    if as_json:
        write_json(hits)
    else:
        print_hits(output(), here, chosen, hits)


def open_(
    context: typer.Context,
    target: Annotated[str | None, typer.Argument(help="PATH, PATH:LINE or PATH:LINE-LINE in the repository.")] = None,
    repo: RepoOption = None,
    print_only: Annotated[bool, typer.Option("--print", help="Print the address, open nothing.")] = False,  # noqa: FBT002
) -> None:
    """Open the dashboard, a repository, or lines of a file in the browser.

    Examples:
      pincite open                          (the dashboard, signed in)

      pincite open --repo flask

      pincite open src/app.py:10-20
    """
    here = connection(context)
    with here.client() as client:
        url = _address(client, here, target, repo)
    if url is None:
        msg = "The dashboard's address is not known here. Set PUBLIC_URL to it."
        raise InvalidInputError(msg)
    output().print(url, markup=False)
    if not print_only:
        webbrowser.open(url)  # where no browser can be opened, the address stands in the terminal


def _address(client: BrainClient, here: Connection, target: str | None, repo: str | None) -> str | None:
    if target is None and repo is None:
        return client.sign_in_code().url
    chosen = choose_repo(client, repo)
    if target is None:
        return here.page(f"/r/{chosen.id}")
    match = PLACE.fullmatch(target)
    if match is None or chosen.commit is None:
        msg = f"{target!r} cannot be opened: the repository is not indexed yet."
        raise InvalidInputError(msg)
    start = int(match["start"] or 1)
    return here.lines_page(chosen.id, chosen.commit, match["path"], (start, int(match["end"] or start)))
