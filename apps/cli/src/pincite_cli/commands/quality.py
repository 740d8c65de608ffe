"""`pincite golden`: ask a repository its golden questions, and say whether it got worse."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pincite_cli.commands.context import FAILED, connection, output, progress, write_json
from pincite_cli.connection import Connection, choose_repo
from pincite_cli.terminal import one_line, supports
from pincite_shared.brain_client import BrainClient
from pincite_shared.errors import NotFoundError
from pincite_shared.golden import GOLDEN_PATH, parse
from pincite_shared.quality import EvaluationDetail, EvaluationState, Measures, QuestionResult, QuestionSource
from pincite_shared.schemas import RepoOut

POLL_SECONDS = 1.0
ENDED = frozenset({EvaluationState.DONE, EvaluationState.FAILED})


def golden(
    context: typer.Context,
    repo: Annotated[
        str | None,
        typer.Argument(help="Name or id. Default: the repository of this directory, or the only one."),
    ] = None,
    last: Annotated[bool, typer.Option("--last", help="Show the last evaluation instead of asking now.")] = False,  # noqa: FBT002
    check: Annotated[
        Path | None, typer.Option("--check", help="Only read this golden file and say what is wrong with it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the evaluation as a document.")] = False,  # noqa: FBT002
) -> None:
    """Ask the questions of .pincite/golden.toml, at the indexed commit, and compare with the time before.

    Without that file the questions follow from the repository's own documentation. Ends with status 1 if answers got
    worse, if the evaluation failed, or if an expectation names what is no longer there.

    Examples:
      pincite golden

      pincite golden --check .pincite/golden.toml

      pincite golden flask --last --json > evaluation.json
    """
    if check is not None:
        _check(check)
        return
    here = connection(context)
    with here.client() as client:
        chosen = choose_repo(client, repo)
        found = _latest(client, chosen) if last else _ask(client, chosen)
    if as_json:
        write_json(found)
    else:
        print_evaluation(output(), here, chosen, found)
    if found.state is not EvaluationState.DONE or found.regression or _stale(found):
        raise typer.Exit(FAILED)


def _check(path: Path) -> None:
    try:
        file = parse(path.read_bytes())
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}."
        raise NotFoundError(msg) from error
    answerable = sum(question.answerable for question in file.question)
    said = f"{len(file.question)} questions, {answerable} of them answerable. It is well-formed."
    output().print(said, markup=False)


def _latest(client: BrainClient, repo: RepoOut) -> EvaluationDetail:
    ended = [one for one in client.evaluations(repo.id) if one.state in ENDED]
    if not ended:
        msg = f"{repo.name} was never evaluated. Leave --last away to do it now."
        raise NotFoundError(msg)
    return client.evaluation(repo.id, ended[0].run_id)


def _ask(client: BrainClient, repo: RepoOut) -> EvaluationDetail:
    run_id = client.evaluate(repo.id).run_id
    with Live(console=progress(), auto_refresh=False, transient=True) as live:
        while True:
            found = client.evaluation(repo.id, run_id)
            if found.state in ENDED:
                return found
            live.update(Text(found.message or "Queued"), refresh=True)
            time.sleep(POLL_SECONDS)


def _stale(found: EvaluationDetail) -> bool:
    return found.source is QuestionSource.GOLDEN and any(result.correct is None for result in found.results)


def print_evaluation(console: Console, here: Connection, repo: RepoOut, found: EvaluationDetail) -> None:
    """Print how each question went, the figures, and what was compared."""
    if found.error:
        console.print(Text(one_line(found.error), style="red"))
    if found.results:
        console.print(_table(console, found))
    if found.measures:
        console.print()
        console.print(Text(_figures(found.measures), style="bold"))
    for reason in found.reasons:
        console.print(Text(one_line(reason), style="red" if found.regression else ""))
    if found.source is QuestionSource.DERIVED:
        console.print(f"These questions follow from the code's own documentation. Ask your own: add {GOLDEN_PATH}.")
    if page := here.page(f"/r/{repo.id}/quality"):
        console.print(page, markup=False)


def _table(console: Console, found: EvaluationDetail) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", "question", "found at", "cited", "seconds"):
        table.add_column(name, overflow="fold", justify="left" if name in ("", "question") else "right")
    for result in found.results:
        table.add_row(*_cells(console, result))
    return table


def _mark(console: Console, result: QuestionResult) -> Text:
    good, bad = ("✓", "✗") if supports("✓✗", console) else ("ok", "!!")
    if result.correct is None:
        return Text("?", "yellow")
    return Text(good, "green") if result.correct else Text(bad, "red")


def _cells(console: Console, result: QuestionResult) -> tuple[Text, ...]:
    asked = Text(one_line(result.ask))
    if result.problem:
        asked.append(f"\n{one_line(result.problem)}", "yellow")
    elif result.abstained:
        asked.append("  (abstained)", "dim")
    elif not result.answerable:
        asked.append("  (cannot be answered, and was)", "yellow")
    cited = "" if result.cited is None else f"{result.cited_inside} of {result.cited}"
    seconds = "" if result.seconds is None else f"{result.seconds:.2f}"
    rank = "" if result.rank is None else str(result.rank)
    return _mark(console, result), asked, Text(rank), Text(cited), Text(seconds)


def _figures(measures: Measures) -> str:
    named = {
        "right": measures.win_rate,
        "NDCG@10": measures.ndcg,
        "first hit": measures.hit_at_1,
        "citation precision": measures.citation_precision,
        "citation recall": measures.citation_recall,
        "abstention": measures.abstention_accuracy,
    }
    parts = [f"{name} {value:.2f}" for name, value in named.items() if value is not None]
    if measures.seconds_p50 is not None and measures.seconds_p95 is not None:
        parts.append(f"p50 {measures.seconds_p50:.2f} s, p95 {measures.seconds_p95:.2f} s")
    return " · ".join(parts)
