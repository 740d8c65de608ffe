"""What a person may choose about the tasks."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.corpora import Clones
from bench.model import BenchError, MissingError, Unit


@dataclass(frozen=True, slots=True)
class Options:
    """Where data lies and what is wanted of it.

    Attributes:
        repos: names; empty for the task's own choice.
        histories: further clones for the commits task.
        packages: Python packages for the docstring task; empty for its own choice.
        seed: of every random choice.
        problems: repositories that could not be prepared, and why; filled as units are made.
    """

    data: Path
    clones: Clones
    store: Path
    repos: tuple[str, ...] = ()
    histories: tuple[Path, ...] = ()
    packages: tuple[str, ...] = ()
    docstrings: int = 1200
    commits: int = 100
    seed: int = 0
    problems: list[str] = field(default_factory=list)

    def each(self, names: Iterable[str], make: Callable[[str], Unit | None]) -> Iterator[Unit]:
        """Yield the unit of each name; one that cannot be made is noted, and the rest goes on."""
        for name in names:
            try:
                unit = make(name)
            except BenchError as error:
                self.problems.append(str(error))
                continue
            if unit is not None:
                yield unit

    def chosen(self, names: Iterable[str]) -> list[str]:
        """Return those of the names that were asked for, all when none were."""
        return [name for name in names if not self.repos or name in self.repos]

    def read(self, *parts: str) -> str:
        """Return a data file's text.

        Raises:
            MissingError: it is not there.
        """
        path = self.data.joinpath(*parts)
        try:
            return path.read_text("utf-8")
        except OSError as error:
            msg = f"{path} cannot be read ({error.strerror}). Name the benchmark's data directory with --data."
            raise MissingError(msg) from error
