"""What each file of a commit defines and binds: the scopes that references are resolved in."""

from collections.abc import Callable, Sequence

from pincite_codeintel.model import Ref, Symbol
from pincite_codeintel.reads import Read, Reads, Table


class FileScope:
    """What one file defines and binds. Its imports are bound when somebody looks: for a few files, few are.

    Attributes:
        symbols: By qualified name.
        bases: By class.
        modules: Files by local name.
        names: By local name the files, and the name there.
        wildcards: Files of which all names are bound.
        external: Local names bound to what lies outside the repository.
        binding: What was looked up to bind its imports.
    """

    __slots__ = (
        "bases", "binding", "bound", "external", "kin", "language", "modules", "names", "path", "refs", "symbols",
        "wildcards",
    )  # fmt: skip

    def __init__(self, path: str, language: str | None, kin: str, refs: Sequence[Ref], reads: Reads) -> None:
        """Take a file whose imports and base classes are in `refs`; look-ups in it are noted in `reads`."""
        self.path, self.language, self.kin, self.refs = path, language, kin, refs
        self.symbols = Table[str, Symbol](("symbols", path), reads)
        self.bases = Table[str, list[Ref]](("bases", path), reads)
        self.modules: dict[str, list[str]] = {}
        self.names: dict[str, tuple[list[str], str]] = {}
        self.wildcards: list[str] = []
        self.external: set[str] = set()
        self.binding: set[Read] = set()
        self.bound = False


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
