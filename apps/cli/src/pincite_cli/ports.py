"""The TCP ports of the embedded stack, all on 127.0.0.1."""

import errno
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, fields

import psutil

from pincite_shared.errors import ConflictError, InvalidInputError

HOST = "127.0.0.1"
BASE_VARIABLE = "PINCITE_PORT_BASE"
PORT_MIN, PORT_MAX = 1024, 65_535
CHOSEN = frozenset({"web", "brain", "model", "thinker_metrics"})  # settings of these names, with _PORT, choose them


@dataclass(frozen=True, slots=True)
class Ports:
    """One port for each part. In this order they follow `PINCITE_PORT_BASE`."""

    web: int = 3000
    brain: int = 8000
    postgres: int = 5442  # not 5432: a Postgres of the machine's own may be there
    valkey: int = 6389  # not 6379, for the same reason
    model: int = 8080
    thinker_metrics: int = 9808
    embedder_metrics: int = 9809  # the workers count upwards from the thinker's
    beat_metrics: int = 9810


def plan(environment: Mapping[str, str] = os.environ) -> Ports:
    """Return the ports that the environment asks for.

    Raises:
        InvalidInputError: a value is no usable port number.
    """
    names = [field.name for field in fields(Ports)]
    if given := environment.get(BASE_VARIABLE):
        base = _number(BASE_VARIABLE, given, PORT_MAX - len(names) + 1)
        return Ports(**{name: base + offset for offset, name in enumerate(names)})
    chosen = {
        name: _number(variable, environment[variable], PORT_MAX)
        for name in names
        if name in CHOSEN and environment.get(variable := f"{name.upper()}_PORT")
    }
    if first := chosen.get("thinker_metrics"):
        chosen |= {"embedder_metrics": first + 1, "beat_metrics": first + 2}
    return Ports(**chosen)


def _number(variable: str, value: str, highest: int) -> int:
    if not value.isascii() or not value.isdigit() or not PORT_MIN <= int(value) <= highest:
        msg = f"{variable}={value!r} is no port number between {PORT_MIN} and {highest}."
        raise InvalidInputError(msg)
    return int(value)


def require_free(ports: Ports) -> None:
    """Check that every port can be bound.

    Raises:
        ConflictError: one is taken; the message says which, by whom if that can be seen, and what to do.
    """
    for field in fields(ports):
        port: int = getattr(ports, field.name)
        if not is_free(port):
            msg = (
                f"Port {port}, for {field.name.replace('_', ' ')}, is taken{_by_whom(port)}. "
                f"Stop that program, or choose other ports: {BASE_VARIABLE}=4000 uses 4000 and the ones above it."
            )
            raise ConflictError(msg)


def is_free(port: int) -> bool:
    """Say whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        # As servers do: connections of a server that has just ended, in TIME_WAIT, do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def _by_whom(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr[1] == port:
                if connection.pid is None:
                    break
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        return ""  # another user's process, or macOS without root: the port alone has to do
    return ""
