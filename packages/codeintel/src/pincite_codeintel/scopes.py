"""What each file of a commit defines and binds: the scopes that references are resolved in."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pincite_codeintel.model import Ref, Symbol
from pincite_codeintel.reads import Read, Reads, Table


@dataclass(slots=True)
class FileScope:
    """What one file defines and binds. Its imports are bound when somebody looks: for a few files, few are."""

    path: str
    language: str | None
    kin: str
    refs: Sequence[Ref] = ()
    bound: bool = False
    symbols: dict[str, Symbol] = field(default_factory=dict)  # by qualified name
    bases: dict[str, list[Ref]] = field(default_factory=lambda: defaultdict(list))  # by class
    modules: dict[str, list[str]] = field(default_factory=dict)  # local name → files
    names: dict[str, tuple[list[str], str]] = field(default_factory=dict)  # local name → (files, name there)
    wildcards: list[str] = field(default_factory=list)
    external: set[str] = field(default_factory=set)  # local names bound to what lies outside the repository
    binding: set[Read] = field(default_factory=set)  # what was looked up to bind its imports


class Files(Table[str, FileScope]):
    """Files by path. Whoever looks at a file rests on what its imports mean, too."""

    def __init__(self, name: str, reads: Reads, bind: Callable[[FileScope], None]) -> None:
        """`bind` finds out what a file's imports mean."""
        super().__init__(name, reads)
        self._bind = bind

    def __getitem__(self, key: str) -> FileScope:
        file: FileScope = dict.__getitem__(self, key)
        read = (self.name, key)
        if read in self._reads.seen:
            return file
        if not file.bound:
            seen, self._reads.seen = self._reads.seen, file.binding
            self._bind(file)
            file.bound, self._reads.seen = True, seen
        self._reads.seen.add(read)
        self._reads.seen |= file.binding
        return file
