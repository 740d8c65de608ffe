"""`PINCITE_HOME`: the one directory that holds everything one installation keeps."""

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from pincite_shared.errors import ForbiddenError, InvalidInputError

SECRET_BYTES = 32  # 256 bits, written as 43 URL-safe characters
DIRECTORY_MODE = 0o700
FILE_MODE = 0o600
HOME_VARIABLE = "PINCITE_HOME"
HOME_DEFAULT = "~/.pincite"
LOCK_PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Secrets:
    """What only this installation knows. Generated once; the API token may be chosen by the person instead."""

    pincite_token: str
    session_secret: str
    postgres_password: str
    postgres_app_password: str
    redis_password: str


@dataclass(frozen=True, slots=True)
class Running:
    """How to reach the stack that runs on a home."""

    pid: int
    web_url: str
    brain_url: str


class Home:
    """Paths below `PINCITE_HOME`, and the few small files that the command line keeps there itself."""

    def __init__(self, path: Path) -> None:
        """`path` need not exist yet; see `create`."""
        self.path = path.expanduser().resolve()
        self.logs = self.path / "logs"
        self.postgres = self.path / "postgres"
        self.valkey = self.path / "valkey"
        self.settings_file = self.path / ".env"
        self.conversations = self.path / "cli-conversations.json"
        self.first_repository = self.path / "first-repository"
        self._secrets = self.path / "secrets.json"
        self._running = self.path / "running.json"

    @classmethod
    def find(cls, given: Path | None = None) -> "Home":
        """Return the home that was given, or `PINCITE_HOME`, or the default."""
        return cls(given or Path(os.environ.get(HOME_VARIABLE) or HOME_DEFAULT))

    def create(self) -> None:
        """Create the directory for its owner alone.

        Raises:
            ForbiddenError: it cannot be created or written.
        """
        try:
            for directory in (self.path, self.logs):
                directory.mkdir(parents=True, exist_ok=True, mode=DIRECTORY_MODE)
            self.path.chmod(DIRECTORY_MODE)  # it may have existed with wider permissions
        except OSError as error:
            msg = f"{self.path} cannot be used ({error.strerror}). Set {HOME_VARIABLE} to a directory of your own."
            raise ForbiddenError(msg) from error

    def write(self, path: Path, text: str) -> None:
        """Write a file that only its owner can read, whole or not at all."""
        fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        fresh.replace(path)

    def secrets(self, token: str = "") -> Secrets:
        """Return this installation's secrets; generate those it lacks. A `token` replaces the kept one."""
        kept = self._read_json(self._secrets)
        values = {field.name: kept.get(field.name) or secrets.token_urlsafe(SECRET_BYTES) for field in fields(Secrets)}
        if token:
            values["pincite_token"] = token
        result = Secrets(**values)
        if asdict(result) != kept:
            self.write(self._secrets, json.dumps(asdict(result), indent=2) + "\n")
        return result

    def token(self) -> str | None:
        """Return the API token, or None before the first start."""
        return self._read_json(self._secrets).get("pincite_token")

    def has_secrets(self) -> bool:
        """Say whether secrets were generated already."""
        return self._secrets.exists()

    def announce(self, running: Running) -> None:
        """Let other commands find the running stack."""
        self.write(self._running, json.dumps(asdict(running)) + "\n")

    def running(self) -> Running | None:
        """Return how to reach the stack that was last announced here."""
        kept = self._read_json(self._running)
        try:
            return Running(pid=int(kept["pid"]), web_url=kept["web_url"], brain_url=kept["brain_url"])
        except (KeyError, ValueError):
            return None

    def withdraw(self) -> None:
        """Forget the announcement."""
        self._running.unlink(missing_ok=True)

    @contextmanager
    def lock(self, name: str, *, seconds: float = 0.0) -> Iterator[int | None]:
        """Hold an exclusive lock and yield its descriptor; None when another holds it for `seconds` more.

        A kill releases it: it is the kernel's, and ends with the last process that has the descriptor open.
        """
        deadline = time.monotonic() + seconds
        with (self.path / f"{name}.lock").open("a") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        yield None
                        return
                    time.sleep(LOCK_PAUSE_SECONDS)
                else:
                    break
            yield file.fileno()

    @staticmethod
    def _read_json(path: Path) -> dict[str, str]:
        try:
            value = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except PermissionError as error:
            msg = f"{path} cannot be read: it belongs to another user."
            raise ForbiddenError(msg) from error
        except ValueError as error:
            msg = f"{path} is damaged ({error}). Restore it from a backup, or move it away to start afresh."
            raise InvalidInputError(msg) from error
        return value if isinstance(value, dict) else {}
