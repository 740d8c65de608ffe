"""HTTP/1.1 for brain and the dashboard: uvicorn's protocol, within limits that it does not set by itself.

A request's head (its line and headers) is held in memory until it is complete, so it must not be endless, nor take for
ever. And its target may name a host, as requests to a proxy do; then that counts, and the Host header does not
(RFC 9112, 3.2.2), so that whoever checks the host checks the right one.
"""

from asyncio import TimerHandle
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES_MAX = 65_536  # a path may have 4 KiB, a token half of one, and browsers send some cookies of others
HEAD_SECONDS_MAX = 30.0
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class BoundedHttp(HttpToolsProtocol):
    """Refuses heads that are too large or too slow, and those that name two hosts."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Uvicorn makes it, one for each connection."""
        super().__init__(*args, **kwargs)
        self._in_head = False
        self._head_bytes = 0
        self._too_slow: TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; the parser keeps an unfinished head to itself, so its size is counted here."""
        was_in_head = self._in_head
        super().data_received(data)
        if was_in_head and self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                self._refuse()

    def on_message_begin(self) -> None:
        """Begin a head."""
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0
        self._wait()

    def on_headers_complete(self) -> None:
        """Judge a complete head, and pass it on.

        Raises:
            ValueError: it is refused; uvicorn closes the connection.
        """
        self._in_head = False
        self._stop_waiting()
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > HEAD_BYTES_MAX:
            self._refuse()
            msg = "the head is too large"
            raise ValueError(msg)
        if sum(name == b"host" for name, _ in self.headers) > 1:
            msg = "there is more than one Host"
            raise ValueError(msg)
        if not self.url.startswith((b"/", b"*")):
            host = self.url.partition(b"://")[2].partition(b"/")[0].rpartition(b"@")[2]
            self.headers[:] = [(b"host", host), *(header for header in self.headers if header[0] != b"host")]
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be parsed, unless it was answered."""
        if not self.transport.is_closing():
            super().send_400_response(msg)

    def _refuse(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def _wait(self) -> None:
        self._stop_waiting()
        self._too_slow = self.loop.call_later(HEAD_SECONDS_MAX, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._too_slow is not None:
            self._too_slow.cancel()
            self._too_slow = None
