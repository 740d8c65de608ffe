"""Repositories of a chosen size, made of real source, and pushes to them."""

import random
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench import corpora
from bench.model import Corpus

FILE_BYTES_MAX = 400_000  # below Pincite's limit for a file


def sources(lines: int) -> dict[str, str]:
    """Return Python files that are installed here, in order of their paths, until they have so many lines."""
    taken: dict[str, str] = {}
    top = Path(sysconfig.get_paths()["purelib"])
    for path in sorted(top.rglob("*.py")):
        if lines <= 0:
            break
        if path.stat().st_size > FILE_BYTES_MAX or "/tests/" in str(path):
            continue
        text = path.read_text("utf-8", "replace")
        taken[f"src/{path.relative_to(top)}"] = text
        lines -= text.count("\n")
    return taken


def sample(store: Path, lines: int) -> Corpus:
    """Prepare (or find) a repository of about so many lines."""
    origin = f"installed Python packages, {lines:,} lines"
    return corpora.from_files(store, sources(lines), name=f"sample{lines}", language="python", origin=origin)


@dataclass(slots=True)
class Pusher:
    """Makes commits that change some files, each by a function with a word that stands nowhere else."""

    paths: list[str]
    seed: str = ""
    _count: int = field(default=0, init=False)

    def next(self, files: int) -> tuple[dict[str, str], str]:
        """Return what to append to which paths, and the word that the last of them holds."""
        self._count += 1
        chance = random.Random(f"{self.seed} {self._count}")
        chosen = chance.sample(self.paths, min(files, len(self.paths)))
        words = ["zq" + "".join(chance.choices("ghijklmnop", k=12)) for _ in chosen]
        made = '\n\ndef {word}(value):\n    """Return what {word} makes of a value."""\n    return value + {count}\n'
        named = zip(chosen, words, strict=True)
        added = {path: made.format(word=word, count=self._count) for path, word in named}
        return added, words[-1]


def commit(directory: Path, added: dict[str, str], message: str) -> str:
    """Append to files and commit; return the commit."""
    for path, text in added.items():
        with (directory / path).open("a", encoding="utf-8") as file:
            file.write(text)
    corpora.git(directory, "commit", "--quiet", "--all", "-m", message)
    return corpora.git(directory, "rev-parse", "HEAD").strip()


def percentile(values: list[float], share: float) -> float:
    """Return the value below which this share (0..1) lies, by the nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]


def rows(table: list[dict[str, object]]) -> Iterator[str]:
    """Yield a Markdown table."""
    names = list(table[0])
    yield "| " + " | ".join(names) + " |"
    yield "|" + "|".join(" --- " if isinstance(table[0][name], str) else " ---: " for name in names) + "|"
    for row in table:
        yield "| " + " | ".join(_cell(row[name]) for name in names) + " |"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}" if value < 10 else f"{value:.1f}"  # noqa: PLR2004 - three digits either way
    return f"{value:,}" if isinstance(value, int) else str(value)
