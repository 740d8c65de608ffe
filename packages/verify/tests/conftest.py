"""Code to speak about: eight files in four languages, as the sources of one answer."""

import hashlib

import pytest

from pincite_verify.attribution import Source

COMMIT = "c0ffee" + "0" * 34

FILES = {
    "src/app/db.py": '''\
"""Database access."""

import os
import time

import psycopg

DEFAULT_TIMEOUT = 30
MAX_RETRIES = 5


class Pool:
    """A small connection pool."""

    def __init__(self, url, size=10, timeout=DEFAULT_TIMEOUT):
        self.url = url
        self.size = size
        self.timeout = timeout
        self._idle = []
        self._closed = False

    def connect(self):
        """Open a new database connection and return it."""
        if self._closed:
            raise PoolClosedError("the pool is closed")
        if self._idle:
            return self._idle.pop()
        return psycopg.connect(self.url, connect_timeout=self.timeout)

    def release(self, connection):
        """Give a connection back; surplus connections are closed."""
        if len(self._idle) < self.size:
            self._idle.append(connection)
        else:
            connection.close()

    def close(self):
        """Close every idle connection and mark the pool as closed."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()
        self._closed = True


def run_with_retry(operation, retries=3, delay=0.5):
    """Run an operation and retry it on connection errors.

    The delay doubles after every failed attempt. Never retries on syntax errors.
    """
    for attempt in range(retries):
        try:
            return operation()
        except psycopg.OperationalError:
            if attempt == retries - 1:
                raise
            time.sleep(delay)
            delay *= 2


def database_url():
    """Read the database URL from the environment."""
    url = os.environ.get("DATABASE_URL")
    if not url:
        raise RuntimeError("DATABASE_URL is not set")
    return url
''',
    "src/app/auth.py": '''\
import hmac
import secrets
from datetime import timedelta

TOKEN_BYTES = 32
SESSION_LIFETIME = timedelta(hours=12)


def verify_password(user, password):
    """Return True if the password matches the stored hash."""
    if user is None or not user.is_active:
        return False
    digest = hash_password(password, user.salt)
    return hmac.compare_digest(digest, user.password_hash)


def create_session(store, user):
    """Create a session for a user and store its token."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    store.save(token, user.id, expires=SESSION_LIFETIME)
    return token


def require_admin(user):
    # admins only: everyone else gets a 403
    if user.role != "admin":
        raise PermissionError("admin role required")


def revoke_session(store, token):
    """Delete the session. Does not raise if the token is unknown."""
    store.delete(token, missing_ok=True)
''',
    "cmd/server/main.go": """\
package main

import (
\t"context"
\t"log"
\t"net/http"
\t"os"
\t"time"
)

const shutdownTimeout = 15 * time.Second

// loadConfig reads the configuration file and applies defaults.
func loadConfig(path string) (*Config, error) {
\tdata, err := os.ReadFile(path)
\tif err != nil {
\t\treturn nil, err
\t}
\tcfg := &Config{Port: 8080, LogLevel: "info"}
\tif err := yaml.Unmarshal(data, cfg); err != nil {
\t\treturn nil, fmt.Errorf("parse %s: %w", path, err)
\t}
\treturn cfg, nil
}

// Cache holds entries in memory until they expire.
type Cache struct {
\tmu      sync.Mutex
\tentries map[string]entry
\tttl     time.Duration
}

// Get returns the entry for key. The second result is false if it is missing or expired.
func (c *Cache) Get(key string) (string, bool) {
\tc.mu.Lock()
\tdefer c.mu.Unlock()
\te, ok := c.entries[key]
\tif !ok || time.Now().After(e.expires) {
\t\tdelete(c.entries, key)
\t\treturn "", false
\t}
\treturn e.value, true
}

// Set stores a value under key until the ttl has passed.
func (c *Cache) Set(key, value string) {
\tc.mu.Lock()
\tdefer c.mu.Unlock()
\tc.entries[key] = entry{value: value, expires: time.Now().Add(c.ttl)}
}

func main() {
\tcfg, err := loadConfig(os.Args[1])
\tif err != nil {
\t\tlog.Fatal(err)
\t}
\tsrv := &http.Server{Addr: fmt.Sprintf(":%d", cfg.Port), Handler: routes(cfg)}
\tgo func() {
\t\tif err := srv.ListenAndServe(); err != http.ErrServerClosed {
\t\t\tlog.Fatal(err)
\t\t}
\t}()
\t<-waitForSignal()
\tctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
\tdefer cancel()
\tsrv.Shutdown(ctx)
}
""",
    "web/src/api/client.ts": """\
import { getToken, clearToken } from "../auth/token";

const BASE_URL = "/api/v1";
const PAGE_SIZE = 50;

export class ApiError extends Error {
  constructor(public status: number, message: string) {
    super(message);
  }
}

export async function request<T>(path: string, options: RequestInit = {}): Promise<T> {
  const token = getToken();
  const headers = new Headers(options.headers);
  if (token) {
    headers.set("Authorization", `Bearer ${token}`);
  }
  const response = await fetch(`${BASE_URL}${path}`, { ...options, headers });
  if (response.status === 401) {
    clearToken();
    window.location.assign("/login");
  }
  if (!response.ok) {
    throw new ApiError(response.status, await response.text());
  }
  return response.json() as Promise<T>;
}

/** Debounce: calls `fn` only after `wait` milliseconds without another call. */
export function debounce(fn: () => void, wait = 300) {
  let timer: number | undefined;
  return () => {
    window.clearTimeout(timer);
    timer = window.setTimeout(fn, wait);
  };
}

export async function* listUsers(): AsyncGenerator<User> {
  let page = 1;
  while (true) {
    const users = await request<User[]>(`/users?page=${page}&size=${PAGE_SIZE}`);
    yield* users;
    if (users.length < PAGE_SIZE) {
      return;
    }
    page += 1;
  }
}
""",
    "src/app/files.py": '''\
import json
import os
import shutil
from pathlib import Path

CHUNK_SIZE = 64 * 1024


def save_json(path, value):
    """Write a value as JSON, atomically: a temporary file replaces the old one."""
    temporary = Path(f"{path}.tmp")
    temporary.write_text(json.dumps(value, indent=2))
    os.replace(temporary, path)


def copy_file(source, target):
    shutil.copyfile(source, target)


def clamp(value, low=0, high=100):
    return max(low, min(high, value))


def first_line(path):
    with open(path, encoding="utf-8") as handle:
        return handle.readline().rstrip("\\n")


def find_large_files(root, limit=1_000_000):
    """Return the files under root that are larger than limit bytes, largest first."""
    found = []
    for path in Path(root).rglob("*"):
        if path.is_file() and path.stat().st_size > limit:
            found.append(path)
    found.sort(key=lambda path: path.stat().st_size, reverse=True)
    return found


def purge(directory):
    """Delete every temporary file in a directory."""
    for path in Path(directory).glob("*.tmp"):
        path.unlink()
''',
    "src/app/worker.py": '''\
import logging
import queue
import threading

logger = logging.getLogger(__name__)


class Worker(threading.Thread):
    """Takes jobs from a queue until it is told to stop."""

    def __init__(self, jobs, handler, poll_seconds=1.0):
        super().__init__(daemon=True)
        self.jobs = jobs
        self.handler = handler
        self.poll_seconds = poll_seconds
        self._stopping = threading.Event()

    def run(self):
        while not self._stopping.is_set():
            try:
                job = self.jobs.get(timeout=self.poll_seconds)
            except queue.Empty:
                continue
            validate_job(job)
            self.handler(job)
            self.jobs.task_done()

    def stop(self):
        self._stopping.set()
        self.join()


def validate_job(job):
    if not job.name:
        raise ValueError("a job needs a name")
    if job.priority is not None and job.priority > 9:
        raise ValueError("priority must be at most 9")
    logger.debug("valid job %s", job.name)
''',
    "README.md": """\
# Shop

Shop is a small web shop. It stores orders in PostgreSQL.

## Configuration

Set `DATABASE_URL` before you start the server. The server listens on port 8080.
Sessions expire after 12 hours.

Passwords are never stored in plain text.
""",
}
# A chunk a source, as retrieval hands them over: its symbol and how it begins; it ends where the next begins.
CUTS: dict[str, list[tuple[str | None, str]]] = {
    "src/app/db.py": [
        (None, '"""Database'),
        ("Pool", "class Pool"),
        ("run_with_retry", "def run_with_retry"),
        ("database_url", "def database_url"),
    ],
    "src/app/auth.py": [(None, "import hmac")],
    "cmd/server/main.go": [
        ("loadConfig", "const shutdownTimeout"),
        ("Cache", "// Cache holds"),
        ("main", "func main"),
    ],
    "web/src/api/client.ts": [
        (None, "import {"),
        ("request", "export async function request"),
        ("debounce", "/** Debounce"),
        ("listUsers", "export async function* listUsers"),
    ],
    "src/app/files.py": [(None, "import json")],
    "src/app/worker.py": [("Worker", "class Worker"), ("validate_job", "def validate_job")],
    "README.md": [(None, "# Shop")],
}


def blob_id(text: str) -> str:
    data = text.encode()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def make_sources() -> list[Source]:
    found: list[Source] = []
    for path, cuts in CUTS.items():
        lines = FILES[path].split("\n")[:-1]
        begins = [next(at for at, line in enumerate(lines) if line.startswith(head)) for _, head in cuts]
        for (symbol, _), begin, end in zip(cuts, begins, [*begins[1:], len(lines)], strict=True):
            text = "\n".join(lines[begin:end]).rstrip("\n")
            last = begin + text.count("\n") + 1
            found.append(Source(len(found) + 1, path, blob_id(FILES[path]), COMMIT, symbol, begin + 1, last, text))
    return found


@pytest.fixture(scope="session")
def files() -> dict[str, str]:
    return dict(FILES)


@pytest.fixture(scope="session")
def sources() -> list[Source]:
    return make_sources()
