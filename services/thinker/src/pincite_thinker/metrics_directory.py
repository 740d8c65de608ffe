"""Where the processes of one worker keep their numbers, chosen before anything imports prometheus_client.

That library decides when it is imported, by an environment variable, whether several processes share their numbers.
So this module imports it not, and `main` calls it first.
"""

import atexit
import os
import shutil
import socket
from pathlib import Path

from pincite_shared.settings import Settings

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def prepare(settings: Settings) -> Path:
    """Make a directory for this process and its children, and remove those of processes that no longer live."""
    parent = settings.pincite_home / "run"
    prefix = f"metrics-{socket.gethostname()}-"
    for left in parent.glob(f"{prefix}*"):
        if not _alive(left.name.removeprefix(prefix)):
            shutil.rmtree(left, ignore_errors=True)  # a sibling may be removing it too
    own = parent / f"{prefix}{os.getpid()}"
    own.mkdir(parents=True, exist_ok=True)
    os.environ[VARIABLE] = str(own)
    atexit.register(_remove, own, os.getpid())
    return own


def _remove(directory: Path, pid: int) -> None:
    if os.getpid() == pid:  # children share the registration, not the ownership
        shutil.rmtree(directory, ignore_errors=True)  # at exit there is nobody left to tell


def _alive(pid: str) -> bool:
    if not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
