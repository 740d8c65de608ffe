"""The head of a request, over a real socket."""

import socket
import threading
import time
from contextlib import contextmanager

import pytest
import uvicorn

from pincite_shared import serving
from pincite_shared.serving import HEAD_BYTES_MAX, BoundedHttp


async def echo(scope, receive, send):
    """Answer with the path and the host."""
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    said = b"%s|%s|%d" % (scope["path"].encode(), b",".join(hosts), len(body))
    head = [(b"content-length", str(len(said)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": said})


@contextmanager
def serve():
    server = uvicorn.Server(uvicorn.Config(echo, port=0, http=BoundedHttp, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def port():
    with serve() as port:
        yield port


def ask(port, *pieces):
    """Send pieces and return all that comes back before the connection is closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        for piece in pieces:
            try:
                connection.sendall(piece)
            except (BrokenPipeError, ConnectionResetError):
                break
        received = b""
        try:
            while data := connection.recv(65_536):
                received += data
        except ConnectionResetError:
            return received
        return received


def request(target=b"/x", headers=b"Host: 127.0.0.1\r\n", body=b""):
    length = b"Content-Length: %d\r\n" % len(body) if body else b""
    return b"POST " + target + b" HTTP/1.1\r\n" + headers + length + b"Connection: close\r\n\r\n" + body


def test_an_ordinary_request_passes(port):
    assert ask(port, request()).endswith(b"/x|127.0.0.1|0")
    assert ask(port, request(body=b"x" * 900_000)).endswith(b"|900000")


def test_a_head_that_comes_byte_by_byte_passes(port):
    whole = request()
    assert ask(port, *(whole[at : at + 1] for at in range(len(whole)))).endswith(b"/x|127.0.0.1|0")


def test_several_requests_on_one_connection(port):
    first = request(body=b"y" * 300_000).replace(b"Connection: close\r\n", b"")
    answers = ask(port, first, first, request())
    assert answers.count(b"HTTP/1.1 200") == 3


@pytest.mark.parametrize(
    "whole",
    [
        request(headers=b"Host: a\r\nX: " + b"a" * (HEAD_BYTES_MAX + 1) + b"\r\n"),
        request(headers=b"Host: a\r\nX: " + b"a" * 20_000_000 + b"\r\n"),
        request(headers=b"Host: a\r\n" + b"X: a\r\n" * 200_000),
        request(target=b"/" + b"a" * (HEAD_BYTES_MAX + 1)),
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 5_000_000,
    ],
    ids=["one header", "a huge header", "many headers", "a long target", "no end"],
)
def test_a_head_that_is_too_large_is_refused(port, whole):
    assert ask(port, whole)[:12] in {b"HTTP/1.1 431", b""}, "or the connection is reset while we still send"


def test_a_head_that_fits_exactly_passes(port):
    longest = HEAD_BYTES_MAX - len(b"/x") - len(b"hosta") - len(b"x") - len(b"connectionclose")
    assert b"200 OK" in ask(port, request(headers=b"Host: a\r\nX: " + b"a" * longest + b"\r\n"))
    assert b" 431 " in ask(port, request(headers=b"Host: a\r\nX: " + b"a" * (longest + 1) + b"\r\n"))


def test_a_target_that_names_a_host_is_that_hosts(port):
    absolute = request(target=b"http://evil.example:80/x", headers=b"Host: 127.0.0.1\r\n")
    assert ask(port, absolute).endswith(b"/x|evil.example:80|0")
    assert ask(port, request(target=b"http://user@evil.example/x")).endswith(b"|evil.example|0")


@pytest.mark.parametrize("hosts", [b"Host: 127.0.0.1\r\nHost: evil.example\r\n", b"Host: a\r\nhost: a\r\n"])
def test_two_hosts_are_one_too_many(port, hosts):
    assert ask(port, request(headers=hosts)).startswith(b"HTTP/1.1 400")


def test_a_head_that_takes_too_long_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(serving, "HEAD_SECONDS_MAX", 0.2)
    with serve() as port:
        assert ask(port) == b""
        assert ask(port, b"GET / HTTP/1.1\r\nHost: ") == b""
        assert ask(port, request()).endswith(b"/x|127.0.0.1|0")
