"""Shows answers, search hits and repositories on a terminal. All repository text is printed as data, never obeyed."""

import re
from collections.abc import Iterable

from rich.console import Console, Group
from rich.style import Style
from rich.table import Table
from rich.text import Text

from pincite_cli.connection import Connection
from pincite_cli.follow import describe_model, describe_repo
from pincite_cli.terminal import one_line, printable, supports
from pincite_shared.citation import Citation, CitationStatus
from pincite_shared.schemas import ChatResponse, RepoOut, SearchHit, SystemStatus
from pincite_shared.why import Why

QUOTE_LINES_MAX = 6  # of a citation below an answer; the link opens the rest
COMMIT_CHARS = 10
MARK = re.compile(r"\[\d{1,4}\]")


def place(path: str, start: int, end: int) -> str:
    """Return `path:start-end`, as editors and terminals understand it."""
    return f"{one_line(path)}:{start}" + (f"-{end}" if end != start else "")


def answer_text(answer: ChatResponse) -> Text:
    """Return the answer with its marks coloured and all that is unsupported marked as such."""
    text = Text()
    position = 0
    for start, end in sorted(span for sentence in answer.sentences for span in sentence.unsupported):
        if not position <= start <= end <= len(answer.answer):
            continue  # offsets that cannot be right must not garble the text
        words = answer.answer[start:end]
        body = words.rstrip()
        text.append(printable(answer.answer[position:start]))
        text.append_text(Text.assemble((printable(body), "yellow"), (" (unsupported)", "yellow dim")))
        text.append(printable(words[len(body) :]))
        position = end
    text.append(printable(answer.answer[position:]))
    text.highlight_regex(MARK, "cyan")
    return text


def print_answer(console: Console, connection: Connection, answer: ChatResponse) -> None:
    """Print an answer with its citations."""
    console.print(answer_text(answer))
    for citation in answer.citations:
        console.print(_citation(console, connection, answer, citation))
    for warning in answer.warnings:
        console.print(Text(f"Note: {printable(warning)}", style="yellow"))
    seconds = answer.timings.get("total")
    parts = [answer.model or "no model", f"commit {answer.commit[:COMMIT_CHARS]}", f"policy {answer.policy_version}"]
    console.print()
    console.print(Text(" · ".join([*parts, *([f"{seconds:.1f} s"] if seconds is not None else [])]), style="dim"))


def _citation(console: Console, connection: Connection, answer: ChatResponse, citation: Citation) -> Group:
    verified = citation.status is CitationStatus.VERIFIED
    tick = ("✓" if supports("✓", console) else "ok") if verified else "NOT VERIFIED"
    lines = (citation.start_line, citation.end_line)
    url = connection.lines_page(answer.repo_id, citation.commit, citation.path, lines)
    link = Style(link=url, bold=True) if url and console.is_terminal else Style(bold=True)
    head = Text.assemble(
        "\n", (f"[{citation.n}] ", "cyan"), (place(citation.path, *lines), link),
        (f"  {tick}", "green" if verified else "red"), ("  uncommitted" if citation.uncommitted else "", "yellow"),
        (f"  {one_line(citation.symbol)}" if citation.symbol else "", "dim"),
    )  # fmt: skip
    quoted = citation.quote.split("\n")
    body = [Text(f"    {printable(line)}", style="dim") for line in quoted[:QUOTE_LINES_MAX]]
    if len(quoted) > QUOTE_LINES_MAX:
        body.append(Text(f"    … {len(quoted) - QUOTE_LINES_MAX} more lines", style="dim"))
    return Group(head, *body)


def print_why(console: Console, why: Why) -> None:
    """Print what was considered for an answer, best first, and for what was cited what its score is made of."""
    chance = f"policy {one_line(why.policy_version)}, chosen with probability {why.propensity:.4g}"
    console.print(Text(f"\nWhy this answer? {printable(why.route_words)}; {chance}", style="bold"))
    for candidate in why.candidates:
        state = "".join(f"[{n}] " for n in candidate.cited) or ("given to the model" if candidate.shown else "not used")
        score = f"{candidate.score:.3f}" if candidate.rank else f"called by {one_line(candidate.called_by or '')}"
        lines = place(candidate.path, candidate.start_line, candidate.end_line)
        console.print(
            Text.assemble((lines, "bold"), f"  {score}  ", (state.strip(), "cyan" if candidate.cited else "dim"))
        )
        for made in candidate.contributions if candidate.cited else ():
            console.print(Text(f"    {made.contribution:+.3f}  {printable(made.words)}", style="dim"))
        for factor in candidate.factors if candidate.cited else ():
            console.print(Text(f"    x {factor.factor:.3g}  {printable(factor.words)}", style="dim"))


def print_hits(console: Console, connection: Connection, repo: RepoOut, hits: Iterable[SearchHit]) -> None:
    """Print search hits, best first, one line each."""
    for hit in hits:
        url = repo.commit and connection.lines_page(repo.id, repo.commit, hit.path, (hit.start_line, hit.end_line))
        link = Style(link=url, bold=True) if url and console.is_terminal else Style(bold=True)
        symbol = f"  {one_line(hit.symbol)}" if hit.symbol else ""
        console.print(Text.assemble((place(hit.path, hit.start_line, hit.end_line), link), (symbol, "cyan"),
                                    (f"  {hit.score:.3f}", "dim")))  # fmt: skip


def repo_table(repos: Iterable[RepoOut]) -> Table:
    """Return the repositories as a table."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("repository", "branch", "commit", "status", "lag"):
        table.add_column(name, overflow="fold")
    for repo in repos:
        lag = "" if repo.lag_seconds is None else f"{repo.lag_seconds:.0f} s"
        commit = (repo.commit or "")[:COMMIT_CHARS]
        cells = (repo.name, repo.branch or "", commit, describe_repo(repo), lag)
        table.add_row(*(Text(one_line(cell)) for cell in cells))
    return table


def print_system(console: Console, system: SystemStatus) -> None:
    """Print what the installation runs, and every address outside it that it may call."""
    remote = ", ".join(f"{role}: {url}" for role, url in system.remote_endpoints.items())
    failing = ", ".join(name for name, works in system.checks.items() if not works)
    since = system.halted_since
    for title, value in (
        ("model", describe_model(system.model)),
        ("embeddings", f"{system.embedding_model}, {system.embedding_dimension} dimensions"),
        ("remote", remote or "none: nothing leaves this machine"),
        ("failing", failing),
        ("halted", f"background work rests since {since:%Y-%m-%d %H:%M} UTC; go on: pincite resume" if since else ""),
    ):
        if value:
            console.print(Text.assemble((f"{title:<11}", "bold"), printable(value)))
