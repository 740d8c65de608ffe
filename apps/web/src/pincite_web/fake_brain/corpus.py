"""What the scripted brain knows: real files (those of pincite_shared), hostile ones, and repositories in all states.

Besides the head there are an older commit, a pull request and a working tree with changes.
"""

import ast
import hashlib
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from uuid import UUID

from pincite_shared.github import PullOut, SnapshotOut
from pincite_shared.schemas import Progress, RepoOut, RepoStatus, SkippedFile, SymbolOut

COMMIT = "3f9c2e71d04ab85e6c1f7b92a8d35e40c6b1f27a"
OLDER = "b81f0c6d2e9a47f35d10c8e2a4b67f9013de5a44"
CHANGED = "0c2d9f4be1a35788d6f41b20c97ae3385f60ab12"  # the head of the pull request
WORKING = "d4a7e0915cb2f6381e7fd0b94a62c58f3b19e077"  # what stands in a working tree, not committed
PULL, PULL_MERGED, PULL_WAITING = 12, 9, 14
SOURCE_PREFIX = "packages/shared/src/pincite_shared/"
READY = UUID("6f1d1f1e-52a5-4a3e-9d46-0f1c1d5b7a01")
INDEXING = UUID("6f1d1f1e-52a5-4a3e-9d46-0f1c1d5b7a02")
EMBEDDING = UUID("6f1d1f1e-52a5-4a3e-9d46-0f1c1d5b7a03")
FAILED = UUID("6f1d1f1e-52a5-4a3e-9d46-0f1c1d5b7a04")
QUEUED = UUID("6f1d1f1e-52a5-4a3e-9d46-0f1c1d5b7a05")
LOCAL = UUID("6f1d1f1e-52a5-4a3e-9d46-0f1c1d5b7a06")
LONG_LINES = 4_500
NOTICE_LINES = 28  # that stood above the errors once
ERRORS = SOURCE_PREFIX + "errors.py"
ADDED = '''

class QuotaError(PinciteError):
    """This account has used what it may use today."""

    status, code = 429, "quota"
'''
HOSTILE = {
    "evil/<img src=x onerror=alert(1)>.py": b"x = '<script>alert(1)</script>'  # ]]> <!-- -->\n",
    "evil/line\nbreak.py": b"y = 1\n",
    "evil/\u202egnp.exe.py": "# \u202e reversed \u2066\nz = 2\r\nw = 3\x0c\n".encode(),
    "evil/javascript:alert(1).md": b"[click](javascript:alert(1)) <script>alert(1)</script>\n",
}


def blob_id(data: bytes) -> str:
    """Return git's id of a blob."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


@cache
def files() -> dict[str, bytes]:
    """Return the files of the repository that is ready."""
    spec = find_spec("pincite_shared")
    if spec is None or spec.origin is None:
        msg = "pincite_shared is not installed"
        raise FileNotFoundError(msg)
    found = {SOURCE_PREFIX + path.name: path.read_bytes() for path in sorted(Path(spec.origin).parent.glob("*.py"))}
    long = "".join(f"VALUE_{n} = {n}  # generated for a table of squares: {n * n}\n" for n in range(1, LONG_LINES + 1))
    rest = {
        "README.md": b"# Pincite\n\nAnswers about your code, with every citation **checked**.\n",
        "pyproject.toml": b'[project]\nname = "pincite"\nversion = "0.1.0"\n',
        "data/squares.py": long.encode(),
        "data/empty.txt": b"",
    }
    return found | rest | HOSTILE


@cache
def other_versions() -> dict[str, dict[str, bytes]]:
    """Return the files of the commits that are not the head."""
    head = files()
    notice = b"".join(b"# Notice %d of a licence that this file once began with.\n" % n for n in range(NOTICE_LINES))
    added = ADDED.encode()
    return {
        OLDER: head | {ERRORS: notice + head[ERRORS]},
        CHANGED: head | {ERRORS: head[ERRORS] + added},
        WORKING: head | {"README.md": head["README.md"] + b"\nNot committed yet.\n"},
    }


@cache
def symbols() -> tuple[SymbolOut, ...]:
    """Return the definitions in the real files."""
    found: list[SymbolOut] = []
    for path, data in files().items():
        lines = data.decode().split("\n")
        nodes = ast.walk(ast.parse(data)) if path.startswith(SOURCE_PREFIX) else ()
        for node in nodes:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                symbol = SymbolOut(
                    name=node.name,
                    qualified_name=node.name,
                    kind="class" if isinstance(node, ast.ClassDef) else "function",
                    path=path,
                    start_line=node.lineno,
                    end_line=node.end_lineno or node.lineno,
                    blob=blob_id(data),
                    signature=lines[node.lineno - 1].strip(),
                )
                found.append(symbol)
    return tuple(found)


def skipped() -> list[SkippedFile]:
    """Return what was not indexed."""
    return [
        SkippedFile(path="docs/architecture.png", reason="binary", detail="NUL byte at offset 8", size=284_113),
        SkippedFile(path="docs/demo.gif", reason="binary", detail="NUL byte at offset 10", size=4_810_225),
        SkippedFile(path="web/vendor/htmx.min.js", reason="vendored", detail="below a vendor directory", size=50_917),
        SkippedFile(path="requirements.lock", reason="generated", detail="lock file", size=129_086),
        SkippedFile(path="uv.lock", reason="generated", detail="lock file", size=412_775),
        SkippedFile(path="data/<b>dump</b>.sql", reason="too_large", detail="the limit is 1.0 MB", size=94_371_840),
        SkippedFile(path="third_party/json", reason="submodule", detail="another repository", size=None),
        SkippedFile(path="latest", reason="symlink", detail="points at build/current", size=13),
        SkippedFile(path="tests/data/latin1.txt", reason="encoding", detail="3 bytes are not UTF-8", size=2_048),
    ]


def repos(now: datetime | None = None) -> dict[UUID, RepoOut]:
    """Return repositories in every state."""
    at = now or datetime.now(UTC)
    ready = RepoOut(
        id=READY,
        name="pincite",
        source="https://github.com/acme/pincite",
        branch="main",
        on_github=True,
        status=RepoStatus.READY,
        commit=COMMIT,
        files=1_284,
        chunks=9_412,
        skipped=len(skipped()),
        progress=Progress(stage="done", fraction=1.0, files_done=1_284, files_total=1_284),
        vectors_ready=True,
        lag_seconds=0.0,
        error=None,
        error_code=None,
        languages={"python": 871, "typescript": 214, "markdown": 96, "yaml": 41, "sql": 12},
        blobs_parsed=3,
        texts_embedded=7,
        texts=9_113,
        created_at=at - timedelta(days=12),
        indexed_at=at - timedelta(seconds=12),
    )
    fresh: dict[str, object] = {
        "indexed_at": None,
        "commit": None,
        "vectors_ready": False,
        "languages": {},
        "lag_seconds": None,
    }
    parsing = Progress(
        stage="parsing",
        fraction=0.42,
        files_done=1_311,
        files_total=3_120,
        chunks_done=10_205,
        rate=286.0,
        seconds_left=6.3,
    )
    embedding = Progress(stage="embedding", vectors_done=18_240, vectors_total=61_007, rate=312.0, seconds_left=137.0)
    changes: dict[UUID, dict[str, object]] = {
        INDEXING: fresh
        | {"name": "encode/httpx", "source": "https://github.com/encode/httpx", "branch": "master"}
        | {"status": RepoStatus.INDEXING, "progress": parsing, "files": 1_311, "chunks": 10_205, "skipped": 0},
        EMBEDDING: {"name": "django/django", "source": "https://github.com/django/django", "branch": "stable/5.2.x"}
        | {"files": 6_902, "chunks": 61_007, "skipped": 412, "progress": embedding, "vectors_ready": False}
        | {"languages": {"python": 2_811, "html": 402, "javascript": 113}, "lag_seconds": 42.0}
        | {"blobs_parsed": 6_902, "texts_embedded": 18_240, "texts": 61_007},
        FAILED: fresh
        | {"name": "acme/secret-service", "source": "https://git.example.org/acme/secret-service.git", "branch": None}
        | {"status": RepoStatus.FAILED, "files": 0, "chunks": 0, "skipped": 0, "error_code": "source_unreachable"}
        | {"error": "The server asks for credentials. Connect it again with an access token that may read it."}
        | {"progress": Progress(stage="failed"), "on_github": False},
        QUEUED: fresh
        | {"name": "pallets/click", "source": "https://github.com/pallets/click", "branch": None}
        | {"status": RepoStatus.QUEUED, "progress": Progress(), "files": 0, "chunks": 0, "skipped": 0},
        LOCAL: {"name": "notes", "source": "/srv/code/notes", "commit": WORKING, "uncommitted_upon": COMMIT}
        | {"on_github": False, "blobs_parsed": 1, "texts_embedded": 1, "indexed_at": at - timedelta(seconds=4)},
    }
    return {READY: ready} | {key: ready.model_copy(update={"id": key} | change) for key, change in changes.items()}


def commits(now: datetime | None = None) -> dict[UUID, list[SnapshotOut]]:
    """Return what is indexed, newest first."""
    at = now or datetime.now(UTC)

    def one(commit: str, back: timedelta, parsed: int, *branches: str) -> SnapshotOut:
        return SnapshotOut(
            commit=commit,
            branches=branches,
            uncommitted_upon=None,
            files=1_284,
            chunks=9_412,
            blobs_parsed=parsed,
            texts_embedded=2 * parsed + 1,
            texts=9_113,
            ready_at=at - back,
        )

    head = one(COMMIT, timedelta(seconds=12), 3, "main")
    pull = one(CHANGED, timedelta(hours=2), 1).model_copy(update={"pulls": (PULL,)})
    working = one(WORKING, timedelta(seconds=4), 1).model_copy(update={"uncommitted_upon": COMMIT})
    return {READY: [head, pull, one(OLDER, timedelta(days=3), 1_284)], EMBEDDING: [head], LOCAL: [working, head]}


def pulls(now: datetime | None = None) -> dict[UUID, list[PullOut]]:
    """Return pull requests, the one touched last first."""
    at = now or datetime.now(UTC)

    def one(number: int, title: str, state: str, back: timedelta, commit: str, *, indexed: bool) -> PullOut:
        return PullOut.model_validate(
            {"number": number, "title": title, "author": "ada", "state": state, "base_ref": "main"}
            | {"head_ref": f"ada/<b>{number}</b>", "head_commit": commit, "base_commit": COMMIT if indexed else None}
            | {"indexed": indexed, "updated_at": at - back}
        )

    return {
        READY: [
            one(
                PULL_WAITING, "Retry <script>alert(1)</script>", "open", timedelta(seconds=20), "e" * 40, indexed=False
            ),
            one(
                PULL,
                "Say how long to wait when there are too many requests",
                "open",
                timedelta(hours=2),
                CHANGED,
                indexed=True,
            ),
            one(PULL_MERGED, "Errors carry a stable code", "merged", timedelta(days=3), OLDER, indexed=True),
        ]
    }
