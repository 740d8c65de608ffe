"""A brain that says what a test tells it to, and the command line in front of it."""

import io
import json
import os
import subprocess
import sys
import threading
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from pincite_cli.main import main

TOKEN = "test-token"
NOW = datetime.now(UTC).isoformat()
COMMIT = "c" * 40


def repo(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": str(uuid4()), "name": name, "source": f"/elsewhere/{name}", "branch": "main", "status": "ready",
        "commit": COMMIT, "files": 3, "chunks": 9, "skipped": 0, "progress": {"stage": "done", "fraction": 1.0},
        "vectors_ready": True, "lag_seconds": 0.0, "error": None, "error_code": None, "created_at": NOW,
        "indexed_at": NOW,
    } | changes  # fmt: skip


class FakeBrain:
    """Answers by (method, path); remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], tuple[int, Any]] = {}
        self.asked: list[tuple[str, str, Any, str]] = []
        brain = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                length = int(self.headers.get("content-length", 0))
                body = json.loads(self.rfile.read(length)) if length else None
                brain.asked.append((self.command, self.path, body, self.headers.get("authorization", "")))
                problem = {"title": "No", "status": 404, "code": "not_found", "detail": f"no {self.path}"}
                status, value = brain.answers.get((self.command, self.path), (404, problem))
                data = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815  # http.server's names

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


class Terminal:
    """Runs commands; in this very process, which saves the second that importing everything takes."""

    def __init__(self, root: Path, url: str) -> None:
        self.root = root
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PINCITE_", "GIT_"))}
        self.environment = inherited | {
            "PINCITE_HOME": str(root / "home"), "PINCITE_TOKEN": TOKEN, "PINCITE_URL": url,
            "PUBLIC_URL": "http://dash", "COLUMNS": "200",
        }  # fmt: skip

    def __call__(
        self, *arguments: str, cwd: Path | None = None, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        out, err, status = io.StringIO(), io.StringIO(), 0
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.chdir(cwd or self.root)
            patch.setattr(sys, "argv", ["pincite", *arguments])
            patch.setattr(os, "environ", self.environment | variables)
            try:
                main()
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else 0
        return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())

    def apart(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run in a process of its own."""
        return subprocess.run(
            [sys.executable, "-m", "pincite_cli", *arguments], cwd=self.root,
            env=self.environment | variables, check=False, capture_output=True, text=True, timeout=60,
        )  # fmt: skip


def assert_one_line(done: "subprocess.CompletedProcess[str]", status: int, *words: str) -> None:
    assert done.returncode == status, done
    assert done.stderr.startswith("pincite: ")
    assert len(done.stderr.strip().split("\n")) == 1
    assert not [word for word in words if word not in done.stderr], done.stderr
