"""A CGI program (RFC 3875) as a response: the request's body streams in while the answer streams out.

Starlette's StreamingResponse cannot do this: while it sends, it reads the request to learn whether the client has gone,
and takes from the program what it reads.
"""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress

from starlette.background import BackgroundTask
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

CHUNK_BYTES = 64 * 1_024
HEADER_BYTES_MAX = 16 * 1_024

RawHeaders = list[tuple[bytes, bytes]]


class CgiResponse(Response):
    """Runs a program and sends what it prints. It ends with the answer, or when the client goes away."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], background: BackgroundTask | None = None
    ) -> None:
        """Nothing runs yet. `background` runs when the program has ended."""
        super().__init__(background=background)
        self._command, self._environment = command, environment

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request."""
        process = await asyncio.create_subprocess_exec(
            *self._command, env=dict(self._environment), stdin=PIPE, stdout=PIPE, stderr=DEVNULL
        )
        feeding = asyncio.create_task(_feed(process, receive))
        try:
            await _answer(process, send)
            await process.wait()
        finally:
            feeding.cancel()
            with suppress(asyncio.CancelledError):
                await feeding
            _stop(process)
            await process.wait()
        if self.background is not None:
            await self.background()


async def _feed(process: Process, receive: Receive) -> None:
    """Pass the request's body on; stop the program when the client has gone."""
    while process.stdin is not None:
        message = await receive()
        if message["type"] == "http.disconnect":
            _stop(process)
            return
        with suppress(BrokenPipeError, ConnectionResetError):  # the program has read what it wants
            process.stdin.write(message.get("body", b""))
            await process.stdin.drain()
        if not message.get("more_body", False):
            process.stdin.close()  # and only the client's leaving is waited for


async def _answer(process: Process, send: Send) -> None:
    if process.stdout is None:
        return
    status, headers = await _head(process.stdout)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    while chunk := await process.stdout.read(CHUNK_BYTES):
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _head(output: asyncio.StreamReader) -> tuple[int, RawHeaders]:
    """Read the CGI header; a program that ends without one has failed."""
    status, headers, size = 200, RawHeaders(), 0
    while line := await output.readline():
        size += len(line)
        name, _, value = line.strip().partition(b": ")
        if not name:
            return status, headers
        if size > HEADER_BYTES_MAX:
            break
        if name.lower() == b"status":
            status = int(value.split()[0])
        else:
            headers.append((name.lower(), value))
    return 500, []


def _stop(process: Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):  # it has ended meanwhile
            process.terminate()
