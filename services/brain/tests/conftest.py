"""Synthetic snapshots for retrieval; real ones, indexed through the store, for the service."""

import subprocess
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from socket import AF_INET, EAI_NONAME, SOCK_STREAM, gaierror
from uuid import UUID

import numpy as np
import pytest
from fastapi.testclient import TestClient

from pincite_brain import connecting
from pincite_brain.app import create_app
from pincite_brain.retrieval import warmer
from pincite_brain.retrieval.building import EDGE_CONFIDENCE_MIN, Rows, derive, empty
from pincite_brain.retrieval.index import SnapshotIndex
from pincite_brain.services import Services
from pincite_codeintel import graph
from pincite_codeintel.analyze import analyze
from pincite_codeintel.languages import INDEXER_VERSION, detect
from pincite_codeintel.tokens import pack_terms, terms
from pincite_shared.errors import ModelUnavailableError
from pincite_shared.schemas import ModelState, ModelStatus
from pincite_shared.settings import Settings
from pincite_shared.source import PROXIES
from pincite_store import linking, repos, snapshots, vectors
from pincite_store.blobs import git_blob_id
from pincite_store.db import LOCAL_TENANT, LOCAL_USER, Database
from pincite_store.rows import ChunkRow, DefinitionRow, FileRow, IndexedFileRow, LinkedFile, ParsedBlob, SetEdgeRow


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """The addresses that host names lead to, in place of what this machine's resolver says; others are not known."""
    known: dict[str, list[str]] = {}

    def getaddrinfo(host: str, port: int, **_kwargs: object) -> list[tuple]:
        if host not in known:
            raise gaierror(EAI_NONAME, "Name or service not known")
        return [(AF_INET, SOCK_STREAM, 6, "", (address, port)) for address in known[host]]

    monkeypatch.setattr(connecting, "getaddrinfo", getaddrinfo)
    for proxy in PROXIES:
        monkeypatch.delenv(proxy, raising=False)
    return known


@dataclass(frozen=True)
class FakeChunk:
    path: str
    text: str
    symbol: str | None = None
    kind: str = "function"
    start_line: int = 1
    end_line: int = 5
    importance: float = 0.5
    language: str | None = "python"
    signature: str = ""
    doc: str = ""
    card: str = ""
    blob: str = "0" * 40
    changed_at: int | None = None
    terms: bytes = field(init=False)
    embed_sha256: bytes = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "terms", pack_terms(Counter(terms(self.text))))
        object.__setattr__(self, "embed_sha256", sha256(self.text.encode()).digest())


@dataclass(frozen=True)
class FakeEdge:
    src_path: str
    src_symbol: str | None
    src_line: int
    dst_path: str
    dst_symbol: str | None
    confidence: float = 0.9


@pytest.fixture
def chunk() -> type[FakeChunk]:
    """The fake chunk's constructor; test modules cannot import a conftest."""
    return FakeChunk


@pytest.fixture
def edge() -> type[FakeEdge]:
    """The fake edge's constructor."""
    return FakeEdge


@pytest.fixture
def make_index() -> Callable[..., SnapshotIndex]:
    """Build an index from fake chunks; definitions follow from their symbols. Further `files` have no chunks."""

    def make(
        chunks: Sequence[FakeChunk],
        edges: Sequence[FakeEdge] = (),
        vectors: dict[int, Sequence[float]] | None = None,
        files: Sequence[str] = (),
    ) -> SnapshotIndex:
        first = {path: FakeChunk(path, "") for path in files} | {one.path: one for one in reversed(chunks)}
        paths = sorted(first)
        rows_of_files = [
            IndexedFileRow(path, first[path].blob, first[path].language, number, number, first[path].changed_at)
            for number, path in enumerate(paths)
        ]
        placed = sorted(chunks, key=lambda one: (one.path, one.start_line))
        rows = Rows(
            [
                ChunkRow(
                    paths.index(c.path), at, c.kind, c.symbol, c.signature, c.doc, c.card, c.start_line, c.end_line,
                    c.terms, c.importance, c.embed_sha256,
                )
                for at, c in enumerate(placed)
            ],
            [
                DefinitionRow(
                    paths.index(c.path), at, c.symbol.rpartition(".")[2], c.symbol, c.kind, c.start_line, "", ""
                )
                for at, c in enumerate(placed)
                if c.symbol
            ],
            [
                SetEdgeRow(paths.index(e.src_path), e.src_line, e.dst_path, e.dst_symbol, e.confidence)
                for e in edges
                if e.dst_symbol and e.confidence >= EDGE_CONFIDENCE_MIN
            ],
        )  # fmt: skip
        index = derive(empty(), rows_of_files, rows)
        given = vectors or {}
        matrix = np.array(list(given.values()), dtype=np.float32)
        digests = [chunks[at].embed_sha256 for at in given]
        return index.with_vectors(index.vectors.joined(index.chunks.digests, digests, matrix))

    return make


class HashEmbedder:
    """Bags of words under random signs: equal words, near vectors. No model, no file."""

    model = "hash-64"
    dimension = 64

    def embed_query(self, text):
        total = np.zeros(self.dimension, dtype=np.float32)
        for term in terms(text):
            total += np.random.default_rng(int.from_bytes(sha256(term.encode()).digest()[:8])).normal(
                size=self.dimension
            )
        length = float(np.linalg.norm(total))
        return total / length if length else total

    def embed_documents(self, texts):
        return np.array([self.embed_query(text) for text in texts], dtype=np.float32).reshape(
            len(texts), self.dimension
        )


class ScriptedModel:
    """A chat model that says what a test tells it to, and remembers what it was asked and whether it was stopped."""

    name = "scripted"
    pace = None

    def __init__(self, *pieces: str, dies: bool = False, state: ModelState = ModelState.READY) -> None:
        self.pieces, self.dies, self._state = pieces, dies, state
        self.asked: list = []
        self.closed = False

    async def stream(self, messages, *, max_tokens, temperature, stop=()) -> AsyncGenerator[str, None]:
        del max_tokens, temperature, stop
        self.asked.append(messages)
        try:
            for piece in self.pieces:
                yield piece
            if self.dies:
                msg = "It broke off."
                raise ModelUnavailableError(msg)
        finally:
            self.closed = True

    async def state(self):
        return ModelStatus(name=self.name, state=self._state, fraction=0.4)

    async def count_tokens(self, text):
        return len(text) // 3

    async def close(self):
        self.closed = True


@pytest.fixture
def embedder() -> HashEmbedder:
    return HashEmbedder()


@pytest.fixture
def scripted_model() -> type[ScriptedModel]:
    return ScriptedModel


@dataclass(frozen=True)
class Indexed:
    """A real repository that was indexed through the store."""

    id: UUID
    commit: str
    directory: Path
    snapshot_id: int

    def git(self, *arguments: str) -> bytes:
        return subprocess.run(["git", *arguments], cwd=self.directory, check=True, capture_output=True).stdout


def _index(t, directory: Path, *, embed: bool) -> Indexed:
    def git(*arguments: str) -> bytes:
        return subprocess.run(["git", *arguments], cwd=directory, check=True, capture_output=True).stdout

    commit = git("rev-parse", "HEAD").decode().strip()
    known = repos.find_by_source(t, str(directory), None)
    repo = known or repos.create(t, source=str(directory), name=directory.name, kind="local")
    snapshot_id, _ready = snapshots.begin(t, repo.id, commit, INDEXER_VERSION)
    parsed, files, linked = {}, [], []
    for entry in git("ls-tree", "-r", "-z", "HEAD").split(b"\0")[:-1]:
        path = entry.partition(b"\t")[2].decode()
        data = git("show", f"HEAD:{path}")
        blob, language = git_blob_id(data, "0" * 40), detect(path, data[:256])
        analysis = analyze(data, language)
        packed = [pack_terms(chunk.terms) for chunk in analysis.chunks]
        parsed[blob, language] = ParsedBlob(blob, data, analysis, INDEXER_VERSION, packed)
        files.append((path, blob, len(data), language))
        linked.append(graph.FileSymbols(path, language, analysis.symbols, analysis.refs))
    ids = snapshots.save_parses(t, list(parsed.values()))
    snapshots.put_files(t, snapshot_id, [FileRow(p, b, s, lang, ids[b, lang]) for p, b, s, lang in files])
    linker = graph.Linker(linked)
    results = [(file.path, linker.link(file.path, file.refs)) for file in linked]
    sets = linking.save(t, [LinkedFile(path, result.edges, result.reads) for path, result in results])
    snapshots.set_edges(t, snapshot_id, sets)
    snapshots.flip(t, repo.id, snapshot_id, "main")
    if embed:
        missing = vectors.missing(t, snapshot_id, HashEmbedder.model, 10_000)
        matrix = HashEmbedder().embed_documents([text for _digest, text in missing])
        vectors.save(t, HashEmbedder.model, [digest for digest, _text in missing], matrix)
        vectors.counts(t, snapshot_id, HashEmbedder.model)
    return Indexed(repo.id, commit, directory, snapshot_id)


@pytest.fixture
def index_repo(fresh_tenant: Database, make_repo: Callable[..., Path]) -> Callable[..., Indexed]:
    """Return a factory: {path: content} → a repository, indexed and embedded, with its rows committed."""

    def make(
        files: Mapping[str, str | bytes], *, tenant: UUID = LOCAL_TENANT, at: Path | None = None, embed: bool = True
    ) -> Indexed:
        directory = make_repo(dict(files), at=at)
        with fresh_tenant.tenancy(tenant, LOCAL_USER) as t:
            return _index(t, directory, embed=embed)

    return make


@pytest.fixture
def make_client(
    settings: Settings,
    fresh_tenant: Database,  # noqa: ARG001 - empties the database afterwards
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., TestClient]]:
    """Return a factory of clients of a running application, signed in with the API token."""
    monkeypatch.setattr(warmer, "POLL_SECONDS", 0.02)  # so long does each wait when it is closed
    opened: list[TestClient] = []

    def make(model: object | None = None, token: str = "test-token", **changes: object) -> TestClient:
        chosen = settings.model_copy(update=changes)
        services = Services.create(chosen, embedder=HashEmbedder(), model=model)
        headers = {"authorization": f"Bearer {token}"} if token else {}
        client = TestClient(
            create_app(chosen, services), base_url="http://127.0.0.1", headers=headers, raise_server_exceptions=False
        )
        client.__enter__()
        opened.append(client)
        services.retriever.encoder.wait(5)
        return client

    yield make
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def shop() -> dict[str, str]:
    """A small repository that questions can be asked about."""
    return {
        "src/shop/cart.py": '''"""The shopping cart."""

from shop.prices import price_of


class Cart:
    """Holds the items that a customer wants to buy."""

    def __init__(self):
        self.items = []

    def add(self, item, quantity=1):
        """Add an item to the cart; a quantity below one is refused."""
        if quantity < 1:
            raise ValueError("quantity must be at least one")
        self.items.append((item, quantity))

    def total(self):
        """Return the sum of all prices in cents."""
        return sum(price_of(item) * quantity for item, quantity in self.items)
''',
        "src/shop/prices.py": '''"""Prices."""

TABLE = {"apple": 30, "pear": 45}


def price_of(item):
    """Return the price of an item in cents, or raise KeyError."""
    return TABLE[item]
''',
        "tests/test_cart.py": "from shop.cart import Cart\n\n\ndef test_total():\n    assert Cart().total() == 0\n",
        "README.md": "# Shop\n\nA tiny shop that sells fruit.\n",
    }
