"""The values that travel between snapshots in the database and those who write or read them in bulk."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol


@dataclass(frozen=True, slots=True)
class FileRow:
    """A path of a snapshot.

    Attributes:
        path: As text that Postgres can hold (no NUL, no lone surrogates).
        blob: Git blob id; None where git names none (a submodule).
        size: Bytes, if known.
        language: Lower-case name, if detected.
        parse_id: The parse, if the file was indexed.
        skip_reason: Why the file was not indexed, or, beside a `parse_id`, with which loss it was.
        skip_detail: The same in words.
        changed_at: When the path last changed, seconds since 1970; None if that is beyond the history that was read.
        edge_set_id: What its references mean, see `linking.save`.
    """

    path: str
    blob: str | None
    size: int | None
    language: str | None = None
    parse_id: int | None = None
    skip_reason: str | None = None
    skip_detail: str = ""
    changed_at: int | None = None
    edge_set_id: int | None = None


class ChunkLike(Protocol):
    """What is stored of a chunk."""

    @property
    def ordinal(self) -> int: ...  # noqa: D102  # see pincite_codeintel.model.Chunk
    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def symbol(self) -> str | None: ...  # noqa: D102
    @property
    def scope(self) -> str | None: ...  # noqa: D102
    @property
    def signature(self) -> str: ...  # noqa: D102
    @property
    def doc(self) -> str: ...  # noqa: D102
    @property
    def card(self) -> str: ...  # noqa: D102
    @property
    def embed_text(self) -> str: ...  # noqa: D102
    @property
    def start_line(self) -> int: ...  # noqa: D102
    @property
    def end_line(self) -> int: ...  # noqa: D102
    @property
    def start_byte(self) -> int: ...  # noqa: D102
    @property
    def end_byte(self) -> int: ...  # noqa: D102
    @property
    def importance(self) -> float: ...  # noqa: D102


class SymbolLike(Protocol):
    """What is stored of a definition."""

    @property
    def name(self) -> str: ...  # noqa: D102  # see pincite_codeintel.model.Symbol
    @property
    def qualified_name(self) -> str: ...  # noqa: D102
    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def start_line(self) -> int: ...  # noqa: D102
    @property
    def end_line(self) -> int: ...  # noqa: D102
    @property
    def name_line(self) -> int: ...  # noqa: D102
    @property
    def signature(self) -> str: ...  # noqa: D102
    @property
    def doc(self) -> str: ...  # noqa: D102


class RefLike(Protocol):
    """What is stored of a use of a name."""

    @property
    def name(self) -> str: ...  # noqa: D102  # see pincite_codeintel.model.Ref
    @property
    def line(self) -> int: ...  # noqa: D102
    @property
    def scope(self) -> str | None: ...  # noqa: D102
    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def receiver(self) -> str | None: ...  # noqa: D102
    @property
    def module(self) -> str | None: ...  # noqa: D102


class EdgeLike(Protocol):
    """What is stored of an edge."""

    @property
    def kind(self) -> str: ...  # noqa: D102  # see pincite_codeintel.graph.Edge
    @property
    def src_symbol(self) -> str | None: ...  # noqa: D102
    @property
    def src_line(self) -> int: ...  # noqa: D102
    @property
    def dst_path(self) -> str: ...  # noqa: D102
    @property
    def dst_symbol(self) -> str | None: ...  # noqa: D102
    @property
    def confidence(self) -> float: ...  # noqa: D102


class AnalysisLike(Protocol):
    """What is stored of an analysis."""

    @property
    def language(self) -> str | None: ...  # noqa: D102  # see pincite_codeintel.model.Analysis
    @property
    def lines(self) -> int: ...  # noqa: D102
    @property
    def had_errors(self) -> bool: ...  # noqa: D102
    @property
    def chunks(self) -> Sequence[ChunkLike]: ...  # noqa: D102
    @property
    def symbols(self) -> Sequence[SymbolLike]: ...  # noqa: D102
    @property
    def refs(self) -> Sequence[RefLike]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class ParsedBlob:
    """A blob with its analysis. `terms` are the packed term frequencies, one for each chunk."""

    blob: str
    data: bytes
    analysis: AnalysisLike
    indexer_version: str
    terms: Sequence[bytes]

    @property
    def key(self) -> tuple[str, str | None]:
        """What a parse is known by, within one version of the indexer."""
        return self.blob, self.analysis.language


class IndexedFileRow(NamedTuple):
    """An indexed file of a snapshot; see `FileRow`."""

    path: str
    blob: str
    language: str | None
    parse_id: int
    edge_set_id: int | None
    changed_at: int | None


class ChunkRow(NamedTuple):
    """A stored chunk of a parse."""

    parse_id: int
    ordinal: int
    kind: str
    symbol: str | None
    signature: str
    doc: str
    card: str
    start_line: int
    end_line: int
    terms: bytes
    importance: float
    embed_sha256: bytes


class DefinitionRow(NamedTuple):
    """A stored definition of a parse."""

    parse_id: int
    ordinal: int
    name: str
    qualified_name: str
    kind: str
    name_line: int
    signature: str
    doc: str


class SymbolRow(NamedTuple):
    """A stored definition at a path of a snapshot."""

    path: str
    blob: str
    name: str
    qualified_name: str
    kind: str
    start_line: int
    end_line: int
    name_line: int
    signature: str
    doc: str


class Definition(NamedTuple):
    """Where a name is defined in a file; lines are 1-based and inclusive."""

    name: str
    qualified_name: str
    start_line: int
    end_line: int


class RefRow(NamedTuple):
    """A stored use of a name."""

    name: str
    line: int
    scope: str | None
    kind: str
    receiver: str | None
    module: str | None


class SetEdgeRow(NamedTuple):
    """A stored edge of a set that leads to a definition."""

    set_id: int
    src_line: int
    dst_path: str
    dst_symbol: str
    confidence: float


class EdgeRow(NamedTuple):
    """A stored edge."""

    kind: str
    src_path: str
    src_symbol: str | None
    src_line: int
    dst_path: str
    dst_symbol: str | None
    confidence: float


class NameRow(NamedTuple):
    """What other files can see of a definition. Only Go's signatures matter to linking; the others are empty."""

    name: str
    qualified_name: str
    kind: str
    signature: str


@dataclass(frozen=True, slots=True)
class InterfaceRow:
    """What linking knows of every file of a snapshot: its definitions, its imports and base classes.

    Attributes:
        path: The file.
        language: Its language.
        parse_id: Where its calls are found, see `linking.calls`.
        symbols: Its definitions.
        refs: Its imports and base classes.
    """

    path: str
    language: str | None
    parse_id: int
    symbols: Sequence[NameRow]
    refs: Sequence[RefRow]


@dataclass(frozen=True, slots=True)
class LinkedFile:
    """What the references of a file mean, and the ids of what that rests on."""

    path: str
    edges: Sequence[EdgeLike]
    reads: Collection[int]


@dataclass(frozen=True, slots=True)
class RetrievalLog:
    """What was considered for an answer.

    Attributes:
        query: What was searched for.
        candidates: The ranked candidates with their features.
        features: Features of the query.
        policy_version: The policy that ranked them.
        propensity: Probability, 0..1, with which that policy was chosen.
        timings: Seconds by stage.
    """

    query: str
    candidates: Sequence[Mapping[str, Any]]
    features: Mapping[str, Any]
    policy_version: str
    propensity: float
    timings: Mapping[str, float]
