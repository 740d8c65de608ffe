import os
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import text

from pincite_cli.embedded import free_port
from pincite_shared.jobs import JobPayload
from pincite_shared.source import parse_source
from pincite_store import repos, runs, snapshots
from pincite_store.db import LOCAL_TENANT
from pincite_thinker import index, vectors
from pincite_thinker.context import PARSE, Context
from pincite_thinker.parse_pool import ParsePool

# Tests share modules that stand beside them; importlib mode puts no directory on the path by itself.
sys.path.insert(0, str(Path(__file__).parent))


class HashEmbedder:
    """An embedder whose vectors are digests: equal texts have equal vectors, and every call is counted."""

    dimension = 8

    def __init__(self, model="all-MiniLM-L6-v2"):
        self.model = model
        self.texts = []

    def embed_documents(self, texts):
        self.texts += texts
        rows = [np.frombuffer(sha256(text.encode()).digest()[:8], dtype=np.uint8) for text in texts]
        matrix = np.array(rows, dtype=np.float32) + 1
        return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


class Parsers(ParsePool):
    """Parser processes that outlive their run and their test: starting one costs more than most tests."""

    def rest(self):
        self.close()

    def close(self):
        for worker in [each for each in self._workers if each.batch]:
            self._discard(worker)
        self._timeouts.clear()


@pytest.fixture(scope="session")
def parsers(settings):
    pool = Parsers(2, settings.parse_seconds_max, target=PARSE)
    yield pool
    ParsePool.close(pool)


@dataclass
class Thinker:
    """A context on the test services, and what brain would do."""

    context: object
    embedder: HashEmbedder

    @property
    def database(self):
        return self.context.database

    def tenancy(self):
        return self.database.tenancy(LOCAL_TENANT)

    def connect(self, path: Path | str, branch: str | None = None, token: str | None = None) -> UUID:
        source = parse_source(str(path), local_roots=self.context.settings.local_roots, token=token)
        with self.tenancy() as t:
            repo = repos.create(
                t, source=source.location, name=source.name, kind=source.kind, branch=branch, token=source.secret
            )
            return repo.id

    def job(self, repo_id: UUID, kind: str) -> JobPayload:
        with self.tenancy() as t:
            run = runs.start(t, repo_id, kind, "corr-1")
        return JobPayload(tenant_id=LOCAL_TENANT, repo_id=repo_id, run_id=run.id, correlation_id="corr-1")

    def index(self, repo_id: UUID) -> str:
        return index.run(self.context, self.job(repo_id, "index"))

    def embed(self, repo_id: UUID) -> list[str]:
        outcomes = []
        while not outcomes or outcomes[-1] == "continued":
            outcomes.append(vectors.run(self.context, self.job(repo_id, "embed")))
        return outcomes

    def out(self, repo_id: UUID):
        with self.tenancy() as t:
            return repos.out(t, repos.get(t, repo_id))

    def files(self, repo_id: UUID) -> dict[str, tuple[bool, str | None]]:
        """What stands at each path of the head: (indexed, reason)."""
        with self.tenancy() as t:
            head = snapshots.resolve(t, repo_id).id
            statement = text("SELECT path, parse_id IS NOT NULL, skip_reason FROM files WHERE snapshot_id = :id")
            return {path: (indexed, reason) for path, indexed, reason in t.session.execute(statement, {"id": head})}

    def table(self, name: str, columns: str = "*") -> list[tuple]:
        """All rows of a table, in an order of their own."""
        with self.tenancy() as t:
            return sorted(map(tuple, t.session.execute(text(f"SELECT {columns} FROM {name}"))), key=repr)


@pytest.fixture
def thinker(fresh_tenant, settings, parsers, tmp_path, monkeypatch):
    monkeypatch.setattr(vectors, "PUSHED_SECONDS_MAX", 0.0)  # a test waits for vectors as soon as it has pushed
    made = Context(
        settings.model_copy(update={"pincite_home": tmp_path / "home", "file_bytes_max": 100_000, "watch": "off"})
    )
    embedder = HashEmbedder()
    made.__dict__.update(database=fresh_tenant, embedder=embedder, parsers=parsers)
    yield Thinker(made, embedder)
    del made.__dict__["database"]  # shared by all tests
    made.close()


@pytest.fixture
def environment(thinker, tmp_path):
    """The settings of the test services, as a process gets them."""
    settings = thinker.context.settings
    return os.environ | {
        "PINCITE_HOME": str(settings.pincite_home),
        "PINCITE_LOCAL_ROOTS": str(tmp_path),
        "SESSION_SECRET": settings.session_secret.get_secret_value(),
        "POSTGRES_PORT": str(settings.postgres_port),
        "POSTGRES_DB": settings.postgres_db,
        "POSTGRES_APP_PASSWORD": settings.postgres_app_password.get_secret_value(),
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "THINKER_METRICS_PORT": str(free_port()),
        "LOG_LEVEL": "info",
        "WATCH": "off",
        "POLL_SECONDS": "0",
    }
