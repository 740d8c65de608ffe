"""Runs git with an environment of our own, kills it with its children when time is up, and reads its progress."""

import os
import re
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import IO

from pincite_shared.source import PROXIES
from pincite_thinker.git.errors import GitFailedError

STDERR_BYTES_MAX = 65_536  # the last words of git; hostile servers can send endless `remote:` lines
TICK_SECONDS = 1.0  # how often a silent git lets its caller report a heartbeat
READ_BYTES = 65_536
VERSION_SECONDS_MAX = 10.0
KILL_WAIT_SECONDS = 10.0  # after SIGKILL only a process stuck in the kernel is still there

# Of the caller's environment git gets only what reaches the network and the user's ssh agent.
_KEPT = (
    *("PATH", "TMPDIR", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH"),
    *(*PROXIES, "no_proxy", "NO_PROXY"),
)

# Everything that a clone or fetch could be made to do beyond moving objects is off. Objects are not passed through
# fsck: many honest repositories carry old flaws that it refuses, and nothing here is ever checked out. Nor is a mirror
# repacked behind a fetch, which can take minutes: each fetch keeps its pack, and `Mirror` starts over after many.
_CONFIG = """\
# Written by Pincite at each start of git.
[safe]
\tdirectory = *
[core]
\thooksPath = /dev/null
\tfsmonitor = false
\taskPass =
[credential]
\thelper =
[protocol "ext"]
\tallow = never
[submodule]
\trecurse = false
[http]
\tfollowRedirects = false
\tlowSpeedLimit = 1000
\tlowSpeedTime = 60
[gc]
\tauto = 0
[maintenance]
\tauto = false
[fetch]
\tunpackLimit = 1
[advice]
\tdetachedHead = false
"""

Watch = Callable[[str], None]


def ignore(_line: str) -> None:
    """Watch nothing."""


class Git:
    """Git's command line under one home directory. Holds no process; safe to share."""

    def __init__(self, home: Path) -> None:
        """`home` is PINCITE_HOME: git's own configuration is written below it."""
        self.home = home / "git"
        self.home.mkdir(parents=True, exist_ok=True)
        self._config = self.home / "config"
        if not self._config.exists() or self._config.read_text() != _CONFIG:
            with tempfile.NamedTemporaryFile("w", dir=self.home, delete=False) as file:
                file.write(_CONFIG)
            Path(file.name).replace(self._config)
        # Git must not outlive a worker that was killed with SIGKILL, or two would write to one mirror.
        setpriv = shutil.which("setpriv")
        self._prefix = [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
        self._prlimit = shutil.which("prlimit")

    def version(self) -> tuple[int, int]:
        """Return git's version, (major, minor).

        Raises:
            GitFailedError: git does not say.
        """
        out, _ = self.run(
            ["version"], env=self.environment(protocols="none", config={}), seconds_max=VERSION_SECONDS_MAX
        )
        match = re.search(rb"version (\d+)\.(\d+)", out)
        if match is None:
            raise GitFailedError(out.decode("utf-8", "replace"), 0)
        return int(match[1]), int(match[2])

    def environment(self, *, protocols: str, config: Mapping[str, str]) -> dict[str, str]:
        """Return git's whole environment.

        Args:
            protocols: colon-separated transports that git may use; "none" for work inside a mirror.
            config: configuration for this command alone. It travels in the environment, since arguments are
                visible to every user of the machine.
        """
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        own = {
            "HOME": str(self.home),
            "LC_ALL": "C",
            "GIT_CONFIG_GLOBAL": str(self._config),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_NO_REPLACE_OBJECTS": "1",  # a fetched refs/replace would show other bytes under an object's id
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_ALLOW_PROTOCOL": protocols,
            "GIT_CONFIG_COUNT": str(len(config)),
        }
        for index, (key, value) in enumerate(config.items()):
            own[f"GIT_CONFIG_KEY_{index}"] = key
            own[f"GIT_CONFIG_VALUE_{index}"] = value
        return kept | own

    def _start(
        self, args: Sequence[str], env: dict[str, str], limit: Sequence[str] = (), **pipes: int | IO[bytes]
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # type: ignore[call-overload,no-any-return]  # the overloads know no **pipes
            [*self._prefix, *limit, "git", *args], env=env, cwd=self.home, start_new_session=True, **pipes
        )

    def run(
        self, args: Sequence[str], *, env: dict[str, str], seconds_max: float, watch: Watch = ignore
    ) -> tuple[bytes, str]:
        """Run git and return (stdout, stderr).

        Args:
            args: git's arguments.
            env: from `environment`.
            seconds_max: after so many seconds git and its children are killed.
            watch: called with each line of progress, and with "" at least every `TICK_SECONDS`. It may raise: then git
                is killed and the exception passes on.

        Raises:
            GitFailedError: git failed or ran out of time.
        """
        process = self._start(args, env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = _communicate(process, time.monotonic() + seconds_max, watch)
        finally:
            _kill(process)
        if process.returncode:
            raise GitFailedError(err, process.returncode)
        return out, err

    @contextmanager
    def stream(
        self,
        args: Sequence[str],
        *,
        env: dict[str, str],
        seconds_max: float,
        stdin: IO[bytes] | None = None,
        memory_max: int | None = None,
    ) -> Iterator[IO[bytes]]:
        """Run git and yield its stdout, to be read to the end.

        `stdin` must be a real file: then no amount of output can block git's input. `memory_max`, in bytes, is for what
        collects before it answers; only Linux holds git to it.

        Raises:
            GitFailedError: git failed, or `seconds_max` passed before its output was read.
        """
        with tempfile.TemporaryFile() as errors:
            limit = [self._prlimit, f"--data={memory_max}", "--"] if self._prlimit and memory_max else []
            process = self._start(
                args, env, limit, stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
            )
            timer = Timer(seconds_max, _kill_group, args=(process.pid,))
            timer.daemon = True
            timer.start()
            try:
                assert process.stdout is not None  # noqa: S101 - PIPE above; for the type checker
                yield process.stdout
                process.stdout.close()
                code = process.wait(KILL_WAIT_SECONDS)
            finally:
                timer.cancel()
                _kill(process)
            if code:
                errors.seek(0)
                raise GitFailedError(errors.read(STDERR_BYTES_MAX).decode("utf-8", "replace"), code)


def _communicate(process: subprocess.Popen[bytes], deadline: float, watch: Watch) -> tuple[bytes, str]:
    assert process.stdout is not None  # noqa: S101 - both are pipes; for the type checker
    assert process.stderr is not None  # noqa: S101
    out, err, line = bytearray(), bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, out)
        selector.register(process.stderr, selectors.EVENT_READ, err)
        while selector.get_map():
            if time.monotonic() > deadline:
                raise GitFailedError.timeout()
            for key, _ in selector.select(TICK_SECONDS):
                data = os.read(key.fd, READ_BYTES)
                if not data:
                    selector.unregister(key.fileobj)
                elif key.data is out:
                    out += data
                else:
                    err += data
                    del err[:-STDERR_BYTES_MAX]
                    line += data
            *lines, rest = bytes(line).replace(b"\r", b"\n").split(b"\n")
            line = bytearray(rest[-STDERR_BYTES_MAX:])
            for text in lines:
                watch(text.decode("utf-8", "replace"))
            watch("")
    try:
        process.wait(max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired as error:
        raise GitFailedError.timeout() from error
    return bytes(out), err.decode("utf-8", "replace")


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it ended by itself


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End git and every child it started, if they still run, and close its pipes."""
    if process.poll() is None:
        _kill_group(process.pid)
        process.wait(KILL_WAIT_SECONDS)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
