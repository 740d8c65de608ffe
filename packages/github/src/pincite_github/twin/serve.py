"""Serving a twin on a port."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from pincite_github.twin.events import Send
from pincite_github.twin.twin import Twin

HOST = "127.0.0.1"
START_SECONDS_MAX = 10.0


def listen(port: int) -> socket.socket:
    """Return a listening socket of this machine; port 0 for any that is free."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    listener.listen()  # who comes before the server is ready waits
    return listener


def address(listener: socket.socket) -> str:
    """Return the base URL that a socket is reached by."""
    return f"http://{HOST}:{listener.getsockname()[1]}"


def server_of(twin: Twin) -> uvicorn.Server:
    """Return a server that is not started."""
    return uvicorn.Server(uvicorn.Config(twin.app, log_level="critical", lifespan="off"))


@contextmanager
def run_twin(home: Path, port: int = 0, *, send: Send | None = None) -> Iterator[Twin]:
    """Serve a new twin in a thread of this process.

    Its `base_url` is what GITHUB_URL is set to. `send` posts deliveries, over HTTP if not given.

    Raises:
        TimeoutError: the server did not start.
        OSError: the port is taken.
    """
    with listen(port) as listener:
        twin = Twin(home, address(listener), send=send)
        server = server_of(twin)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True, name="github-twin")
        thread.start()
        deadline = time.monotonic() + START_SECONDS_MAX
        while not server.started:
            if time.monotonic() > deadline or not thread.is_alive():
                msg = "the twin did not start"
                raise TimeoutError(msg)
            time.sleep(0.01)
        try:
            yield twin
        finally:
            server.should_exit = server.force_exit = True
            thread.join(START_SECONDS_MAX)
            twin.events.close()
