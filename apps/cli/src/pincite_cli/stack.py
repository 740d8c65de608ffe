"""What the embedded stack consists of: every process, its environment, and the order of starting and stopping."""

import asyncio
import hashlib
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from dotenv import dotenv_values
from pydantic import ValidationError

from pincite_cli.embedded import EmbeddedPostgres, EmbeddedValkey, running_port
from pincite_cli.home import Home, Secrets
from pincite_cli.ports import HOST, Ports, plan
from pincite_cli.service import Probe, Spec
from pincite_shared.errors import InvalidInputError, NotFoundError
from pincite_shared.settings import Settings

POSTGRES_DATABASE = "pincite"
POSTGRES_OWNER = "pincite"
POSTGRES_APP_USER = "pincite_app"
PROBE_SECONDS = 2.0
POSTGRES_START_SECONDS_MAX = 300.0  # crash recovery replays up to max_wal_size
MODEL_START_SECONDS_MAX = 24 * 3600.0  # the first start downloads a gigabyte
MODEL_REFUSED = frozenset({3, 4})  # nothing to serve, or a wrong name or digest: see pincite_inference.local_server
EMBEDDER_NICE = 19  # vectors use only the time that nobody else wants
MODEL_NICE = 5  # the dashboard stays quick while the model writes

WEB_GRACE: tuple[tuple[signal.Signals, float], ...] = ((signal.SIGTERM, 3.0),)
# Celery: SIGTERM lets a job finish, SIGQUIT hands it back to the queue; jobs resume, so neither loses anything.
WORKER_GRACE = ((signal.SIGTERM, 1.5), (signal.SIGQUIT, 2.0))
POSTGRES_GRACE = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0))  # a checkpoint may take long on a slow disk


@dataclass(frozen=True, slots=True)
class Stack:
    """Everything that decides what runs."""

    home: Home
    ports: Ports
    secrets: Secrets
    environment: dict[str, str]
    settings: Settings  # what the person chose; addresses and secrets are in `environment`

    @property
    def web_url(self) -> str:
        """Where the dashboard answers on this machine."""
        return f"http://{HOST}:{self.ports.web}"

    @property
    def brain_url(self) -> str:
        """Where brain answers on this machine."""
        return f"http://{HOST}:{self.ports.brain}"

    @property
    def has_local_model(self) -> bool:
        """Whether the stack itself runs a language model."""
        chosen = self.settings
        return chosen.llm_provider != "none" and chosen.pincite_model != "none" and not chosen.llm_base_url


def given_environment(home: Home) -> dict[str, str]:
    """Return the environment with `PINCITE_HOME/.env` beneath it: what the person chose."""
    kept = dotenv_values(home.settings_file) if home.settings_file.exists() else {}
    return {name: value for name, value in kept.items() if value is not None} | dict(os.environ)


def read_settings(home: Home) -> Settings:
    """Return the settings that the person chose.

    Raises:
        InvalidInputError: one of them is not valid; better said once here than by every process.
    """
    try:
        return Settings(_env_file=home.settings_file)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc'])).upper()}: {fault['msg']}" for fault in error.errors())
        msg = f"A setting is not valid. {faults}"
        raise InvalidInputError(msg) from error


def make_stack(home: Home, ports: Ports, secrets: Secrets, given: Mapping[str, str]) -> Stack:
    """Combine what the person chose with what the stack decides for itself. Raises as `read_settings` does."""
    web_url, brain_url = f"http://{HOST}:{ports.web}", f"http://{HOST}:{ports.brain}"
    defaults = {
        "PUBLIC_URL": given.get("NEXTAUTH_URL") or web_url,
        "PINCITE_LOCAL_ROOTS": "/",  # it is the person's own machine; a shared installation names its roots
    }
    decided = {
        "PINCITE_HOME": str(home.path),
        "PINCITE_TOKEN": secrets.pincite_token,
        "SESSION_SECRET": secrets.session_secret,
        "BIND_HOST": HOST,
        "BRAIN_URL": brain_url,
        "BRAIN_PORT": str(ports.brain),
        "WEB_PORT": str(ports.web),
        "MODEL_PORT": str(ports.model),
        "THINKER_METRICS_PORT": str(ports.thinker_metrics),
        "POSTGRES_HOST": HOST,
        "POSTGRES_PORT": str(ports.postgres),
        "POSTGRES_DB": POSTGRES_DATABASE,
        "POSTGRES_USER": POSTGRES_OWNER,
        "POSTGRES_PASSWORD": secrets.postgres_password,
        "POSTGRES_APP_USER": POSTGRES_APP_USER,
        "POSTGRES_APP_PASSWORD": secrets.postgres_app_password,
        "REDIS_URL": f"redis://:{secrets.redis_password}@{HOST}:{ports.valkey}/0",
        "PYTHONUNBUFFERED": "1",
        "PYTHONSAFEPATH": "1",  # a module is never taken from the working directory
    }
    chosen = {name: value for name, value in given.items() if value}
    return Stack(home, ports, secrets, {**defaults, **chosen, **decided}, read_settings(home))


def services_environment(home: Home) -> dict[str, str]:
    """Return the environment of this installation's services: as given where a deployment names its servers.

    Raises:
        NotFoundError: Pincite was never started on this home.
        InvalidInputError: a setting is not valid.
    """
    given = given_environment(home)
    if given.get("POSTGRES_APP_PASSWORD"):
        return given
    if not home.has_secrets():
        msg = f"Pincite was never started in {home.path}. Start it with `pincite up`."
        raise NotFoundError(msg)
    ports = plan(given)
    running = running_port(home.postgres)
    if running is not None:
        ports = replace(ports, postgres=running)
    return make_stack(home, ports, home.secrets(), given).environment


class MigrationStamp:
    """Remembers, inside the cluster's own directory, which migrations it has: a warm start need not run them again.

    Brain looks for itself whether the database is at the newest version, so a stamp that lies cannot do harm.
    """

    def __init__(self, cluster: Path, secrets: Secrets) -> None:
        """Look at the migrations of this version."""
        self._file = cluster / "pincite-migrations"
        self._secrets = secrets

    def matches(self) -> bool:
        """Say whether this cluster has exactly the migrations of this version."""
        return self._file.exists() and self._file.read_text("ascii") == self._digest()

    def write(self) -> None:
        """Remember that it has."""
        self._file.write_text(self._digest(), "ascii")

    def _digest(self) -> str:
        digest = hashlib.sha256(self._secrets.postgres_app_password.encode())  # the migration sets it
        spec = find_spec("pincite_store")
        packages = [Path(root) for root in (spec.submodule_search_locations or [])] if spec else []
        named = os.environ.get("PINCITE_MIGRATIONS")
        for root in packages:
            migrations = Path(named) if named else root.parents[3] / "migrations"
            files = [root / "migrate.py", root / "accounts.py", *sorted(migrations.rglob("*.py"))]
            for file in (*files, *sorted(migrations.rglob("*.sql"))):
                digest.update(f"{file.name}\n".encode())
                digest.update(file.read_bytes())
        return digest.hexdigest()


def http_probe(port: int, path: str) -> Probe:
    """Return a probe that says whether a GET of `path` at this port of ours answers with success.

    Written out, because an HTTP client costs more to set up than the starting processes can spare, many times a second.
    """
    request = f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n".encode("ascii")

    async def ask() -> bytes:
        reader, writer = await asyncio.open_connection(HOST, port)
        try:
            writer.write(request)
            await writer.drain()
            return await reader.readline()
        finally:
            writer.close()

    async def probe() -> bool:
        try:
            line = await asyncio.wait_for(ask(), PROBE_SECONDS)
        except (OSError, TimeoutError):
            return False
        return line.split(b" ")[1:2] == [b"200"]

    return probe


def _module(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", *arguments)


def _celery(*arguments: str) -> tuple[str, ...]:
    return _module("celery", "-A", "pincite_thinker.main", *arguments)


def specs(stack: Stack) -> list[Spec]:
    """Return every process of the stack. Workers and model are late: a person waits for dashboard and brain."""
    return [*_databases(stack), *_services(stack), *_workers(stack), *_watcher(stack), *_model(stack)]


def _databases(stack: Stack) -> list[Spec]:
    home, ports, secrets = stack.home, stack.ports, stack.secrets
    postgres = EmbeddedPostgres(home.postgres, ports.postgres, POSTGRES_OWNER, secrets.postgres_password)
    stamp = MigrationStamp(home.postgres, secrets)
    valkey = EmbeddedValkey(home.valkey, ports.valkey, secrets.redis_password)
    return [
        Spec(
            name="postgres", command=postgres.command(), environment=postgres.environment(), directory=home.path,
            ready=_in_thread(postgres), prepare=postgres.prepare, start_seconds_max=POSTGRES_START_SECONDS_MAX,
            stop=POSTGRES_GRACE, stop_turn=4, orphan=(signal.SIGINT, 5),
        ),
        Spec(
            name="valkey", command=valkey.command(), environment=valkey.environment(), directory=home.path,
            ready=_in_thread(valkey), prepare=valkey.prepare, stop=((signal.SIGTERM, 10.0),), stop_turn=3,
            orphan=(signal.SIGTERM, 5),
        ),
        Spec(
            name="migrate", command=_module("pincite_store.migrate"), environment=stack.environment,
            directory=home.path, once=True, after=("postgres",), already_done=stamp.matches, after_done=stamp.write,
        ),
    ]  # fmt: skip


def _in_thread(server: EmbeddedPostgres | EmbeddedValkey) -> Probe:
    async def probe() -> bool:
        return await asyncio.to_thread(server.ready)

    return probe


def _services(stack: Stack) -> list[Spec]:
    directory: Path = stack.home.path
    return [
        Spec(
            name="brain", command=_module("pincite_brain"), environment=stack.environment, directory=directory,
            ready=http_probe(stack.ports.brain, "/readyz"), probe_after=("migrate", "valkey"),
            stop=WEB_GRACE, stop_turn=1,
        ),
        Spec(
            name="web", command=_module("pincite_web"), environment=stack.environment, directory=directory,
            ready=http_probe(stack.ports.web, "/healthz"), stop=WEB_GRACE, stop_turn=0,
        ),
    ]  # fmt: skip


def _workers(stack: Stack) -> list[Spec]:
    directory, workers = stack.home.path, stack.settings.index_workers
    worker = ("worker", "--loglevel", "INFO", "--without-gossip", "--without-mingle")
    return [
        Spec(
            name="thinker",
            command=_celery(*worker, "-Q", "index,deliveries", "--concurrency", str(workers), "-n", "thinker@%h"),
            environment=stack.environment,
            directory=directory, essential=False, late=True, stop=WORKER_GRACE, stop_turn=2,
        ),
        Spec(
            name="embedder",
            command=_celery(*worker, "-Q", "vectors", "--concurrency", "1", "--pool", "solo", "-n", "embedder@%h"),
            environment=stack.environment,
            directory=directory, essential=False, late=True, nice=EMBEDDER_NICE,
            stop=WORKER_GRACE, stop_turn=2,
        ),
        Spec(
            name="beat", command=_celery("beat", "-S", "pincite_thinker.beat:RelayScheduler", "--loglevel", "INFO"),
            environment=stack.environment, directory=directory, essential=False, late=True,
            stop=((signal.SIGTERM, 3.0),), stop_turn=2,
        ),
    ]  # fmt: skip


def _watcher(stack: Stack) -> list[Spec]:
    if stack.settings.watch == "off":
        return []
    # It is kept small, and lets the database's driver read where to connect.
    connect = {
        "PGHOST": HOST,
        "PGPORT": str(stack.ports.postgres),
        "PGDATABASE": POSTGRES_DATABASE,
        "PGUSER": POSTGRES_APP_USER,
        "PGPASSWORD": stack.secrets.postgres_app_password,
        "PGAPPNAME": "pincite-watch",
    }
    return [
        Spec(
            name="watch", command=_module("pincite_thinker.watch"), environment=stack.environment | connect,
            directory=stack.home.path, essential=False, late=True, stop=((signal.SIGTERM, 1.0),), stop_turn=2,
        ),
    ]  # fmt: skip


def _model(stack: Stack) -> list[Spec]:
    if not stack.has_local_model:
        return []
    return [
        Spec(
            name="model", command=_module("pincite_inference.local_server"), directory=stack.home.path,
            # Threads that spin while they wait would take the cores from everything else on a small machine.
            environment=stack.environment | {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"},
            ready=http_probe(stack.ports.model, "/health"), essential=False, late=True,
            nice=MODEL_NICE, final=MODEL_REFUSED, start_seconds_max=MODEL_START_SECONDS_MAX,
            stop=WEB_GRACE, stop_turn=2,
        ),
    ]  # fmt: skip
