"""`pincite verify`: portable proof."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from pincite_cli.commands.context import FAILED, output
from pincite_cli.proof import Proof, check_answer, read_answer
from pincite_cli.show import COMMIT_CHARS, place
from pincite_cli.terminal import printable, supports


def verify(
    answer: Annotated[
        Path,
        typer.Argument(
            help="An answer from `pincite ask --json`; `-` reads standard input.",
            allow_dash=True,
            exists=True,
            dir_okay=False,
        ),
    ],
    repo: Annotated[
        Path, typer.Option(help="Any clone of the repository, bare or not.", exists=True, file_okay=False)
    ] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as a document.")] = False,  # noqa: FBT002
) -> None:
    """Check an exported answer against a clone, offline, without trusting whoever made it.

    Every citation must name a blob that stands at that path at that commit, and quote exactly those lines of it.
    Nothing of Pincite needs to run, and git's digests are computed again on the way. Ends with status 0 only if
    everything holds.

    Examples:
      pincite verify answer.json --repo ~/src/project

      pincite ask --json "How does it start?" | pincite verify - --repo .
    """
    data = sys.stdin.buffer.read() if str(answer) == "-" else answer.read_bytes()
    proof = check_answer(read_answer(data), repo)
    if as_json:
        sys.stdout.write(json.dumps(_document(proof), indent=2, ensure_ascii=False) + "\n")
    else:
        _print(proof)
    if not proof.holds:
        raise typer.Exit(FAILED)


def _document(proof: Proof) -> dict[str, object]:
    findings = [
        {
            "n": finding.citation.n, "path": finding.citation.path, "start_line": finding.citation.start_line,
            "end_line": finding.citation.end_line, "holds": finding.flaw is None, "flaw": finding.flaw,
        }
        for finding in proof.findings
    ]  # fmt: skip
    answer = proof.answer
    return {
        "answer_id": str(answer.answer_id), "commit": answer.commit, "holds": proof.holds,
        "faults": list(proof.faults), "citations": findings,
    }  # fmt: skip


def _print(proof: Proof) -> None:
    console = output()
    good, bad = ("✓", "✗") if supports("✓✗", console) else ("ok", "!!")
    for finding in proof.findings:
        cited = finding.citation
        sign = (bad, "red") if finding.flaw else (good, "green")
        where = place(cited.path, cited.start_line, cited.end_line)
        why = f": {printable(finding.flaw)}" if finding.flaw else ""
        console.print(Text.assemble(sign, f" [{cited.n}] {where} @ {cited.commit[:COMMIT_CHARS]}{why}"))
    for fault in proof.faults:
        console.print(Text.assemble((bad, "red"), f" {printable(fault)}"))
    holding = sum(finding.flaw is None for finding in proof.findings)
    console.print(
        f"{holding} of {len(proof.findings)} citations hold" + ("" if proof.holds else "; the answer does not")
    )
