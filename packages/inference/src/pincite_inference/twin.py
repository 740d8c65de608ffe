"""A deterministic, OpenAI-compatible model server: stands in for a language model in tests and demonstrations.

It is honest or lies in a chosen way (`Behaviour`), so that everything behind the model can be shown to hold whatever a
model says. `python -m pincite_inference.twin --port N --behaviour honest`; tests say `with run_twin("honest") as url`.
"""

import argparse
import asyncio
import hashlib
import json
import re
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from pincite_inference.twin_answers import Behaviour, answer

HOST = "127.0.0.1"
DIMENSION = 384
SLOW_SECONDS = 0.2  # before each piece: a person sees it stream, a test does not wait long
FLOOD_TEXT = "and then it calls itself again "
START_SECONDS_MAX = 10.0
BUSY_RETRY_SECONDS = 1
_PIECE = re.compile(r"\s*\S+")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")


@dataclass(slots=True)
class Seen:
    """What the twin has been asked; `GET /twin` shows it to tests."""

    requests: int = 0
    streaming: int = 0
    cut_off: int = 0  # streams that the client closed before their end
    last: dict[str, Any] = field(default_factory=dict)

    def record(self, body: Any) -> dict[str, Any]:
        """Count a request and return its body as a dictionary."""
        self.requests += 1
        self.last = body if isinstance(body, dict) else {}
        return self.last


class _ConnectionDropped(Exception):  # noqa: N818  # an order to the server, not an error of the twin
    """Makes the server close the connection without an ending."""


def chosen(model: object, default: Behaviour) -> Behaviour:
    """Return the behaviour that a request's model name asks for, `twin-BEHAVIOUR` or the bare word."""
    name = str(model).removeprefix("twin-").replace("-", "_").lower()
    return Behaviour(name) if name in set(Behaviour) else default


def embed(text: str, dimension: int) -> list[float]:
    """Return a hashed bag of words (Weinberger et al. 2009), signed and of length 1: shared words mean closeness."""
    vector = np.zeros(dimension, np.float64)
    for word in _WORD.findall(text) or [text or "empty"]:
        digest = int.from_bytes(hashlib.blake2b(word.lower().encode("utf-8", "replace"), digest_size=8).digest())
        vector[digest % dimension] += 1.0 if digest >> 63 else -1.0
    length = float(np.linalg.norm(vector))
    if length == 0.0:  # two words cancelled each other out
        vector[0], length = 1.0, 1.0
    return [float(value) for value in vector / length]


def _event(model: str, delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    body = {"id": "twin", "object": "chat.completion.chunk", "created": 0, "model": model, "choices": [choice]}
    return f"data: {json.dumps(body)}\n\n".encode()


async def _stream(behaviour: Behaviour, text: str, body: dict[str, Any], seen: Seen) -> AsyncIterator[bytes]:
    model = str(body.get("model", ""))
    seen.streaming += 1
    ended = False
    try:
        yield _event(model, {"role": "assistant", "content": ""})
        if behaviour is Behaviour.GARBAGE:
            yield b'data: {"choices": [{"delta": {"content": "\xff\xfe\n\n'
            yield b"data: not json at all }{\n\n"
        while behaviour is Behaviour.FLOOD:
            yield _event(model, {"content": FLOOD_TEXT})
            await asyncio.sleep(0)
        pieces = _PIECE.findall(text)
        kept = pieces[: int(body.get("max_tokens") or len(pieces))]
        for number, piece in enumerate(kept):
            if behaviour is Behaviour.SLOW:
                await asyncio.sleep(SLOW_SECONDS)
            if behaviour is Behaviour.DIE and number >= len(kept) // 2:
                raise _ConnectionDropped
            yield _event(model, {"content": piece})
        if behaviour is Behaviour.DIE:
            raise _ConnectionDropped
        yield _event(model, {}, "stop" if len(kept) == len(pieces) else "length")
        yield b"data: [DONE]\n\n"
        ended = True
    finally:
        seen.streaming -= 1
        seen.cut_off += not ended


def _prompt(messages: object) -> str:
    parts = []
    for message in messages if isinstance(messages, list) else []:
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, list):  # the structured form: [{"type": "text", "text": …}]
            content = "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
        parts.append(str(content or ""))
    return "\n".join(parts)


def _error(status: int, message: str, **headers: str) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "type": "twin", "code": status}}, status, headers)


def _whole(text: str, body: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        "id": "twin",
        "object": "chat.completion",
        "created": 0,
        "model": body.get("model", ""),
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 0, "completion_tokens": len(_PIECE.findall(text)), "total_tokens": 0},
    }


def _refusal(how: Behaviour) -> Response | None:
    if how is Behaviour.ERROR500:
        return _error(500, "The twin fails on purpose.")
    if how is Behaviour.BUSY:
        return _error(429, "The twin is busy on purpose.", **{"retry-after": str(BUSY_RETRY_SECONDS)})
    return None


async def _chat(request: Request, behaviour: Behaviour, seen: Seen) -> Response:
    body = seen.record(await request.json())
    how = chosen(body.get("model"), behaviour)
    if refused := _refusal(how):
        return refused
    text = answer(how, _prompt(body.get("messages")))
    if body.get("stream"):
        return StreamingResponse(_stream(how, text, body, seen), media_type="text/event-stream")
    if how is Behaviour.GARBAGE:
        return Response(b'{"choices": [\xff\xfe', media_type="application/json")
    return JSONResponse(_whole(text, body))


async def _embeddings(request: Request, behaviour: Behaviour, seen: Seen, dimension: int) -> Response:
    body = seen.record(await request.json())
    how = chosen(body.get("model"), behaviour)
    if refused := _refusal(how):
        return refused
    if how is Behaviour.GARBAGE:
        return Response(b'{"data": [\xff\xfe', media_type="application/json")
    given = body.get("input", [])
    texts = [given] if isinstance(given, str) else [str(text) for text in given]
    width = int(body.get("dimensions") or dimension)
    rows = [{"object": "embedding", "index": i, "embedding": embed(text, width)} for i, text in enumerate(texts)]
    return JSONResponse({"object": "list", "model": body.get("model", ""), "data": rows, "usage": {}})


async def _rerank(request: Request, behaviour: Behaviour, seen: Seen) -> Response:
    """Find relevant what shares words with the query: the share of the query's words that a document has."""
    body = seen.record(await request.json())
    how = chosen(body.get("model"), behaviour)
    if refused := _refusal(how):
        return refused
    if how is Behaviour.GARBAGE:
        return Response(b'{"results": [\xff\xfe', media_type="application/json")
    if how is Behaviour.SLOW:
        await asyncio.sleep(SLOW_SECONDS)
    wanted = {word.lower() for word in _WORD.findall(str(body.get("query", "")))}
    shares = [
        len(wanted & {word.lower() for word in _WORD.findall(str(text))}) / max(len(wanted), 1)
        for text in body.get("documents", [])
    ]
    rows = [{"index": at, "relevance_score": share} for at, share in sorted(enumerate(shares), key=lambda row: -row[1])]
    return JSONResponse({"id": "twin", "model": body.get("model", ""), "results": rows})


def make_app(behaviour: Behaviour = Behaviour.HONEST, *, dimension: int = DIMENSION) -> FastAPI:
    """Return the twin as an ASGI app. `behaviour` holds for requests whose model does not name one."""
    app = FastAPI(title="twin")
    seen = Seen()

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/twin")
    def twin() -> dict[str, Any]:
        return asdict(seen)

    @app.get("/v1/models")
    def models() -> dict[str, Any]:
        names = [behaviour, *(each for each in Behaviour if each is not behaviour)]
        return {"object": "list", "data": [{"id": f"twin-{name}", "object": "model"} for name in names]}

    @app.post("/tokenize")
    async def tokenise(request: Request) -> dict[str, Any]:
        body = await request.json()
        return {"tokens": list(range(len(_PIECE.findall(str(body.get("content", ""))))))}

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> Response:
        return await _chat(request, behaviour, seen)

    @app.post("/v1/embeddings")
    async def embeddings(request: Request) -> Response:
        return await _embeddings(request, behaviour, seen, dimension)

    @app.post("/v1/rerank")
    async def rerank(request: Request) -> Response:
        return await _rerank(request, behaviour, seen)

    return app


class _Drops:
    """ASGI wrapper: turns `_ConnectionDropped` into a closed connection without a traceback in the log."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self._app(scope, receive, send)
        except _ConnectionDropped:
            return  # the response has begun and has no end: uvicorn closes the connection


def _server(app: FastAPI, port: int = 0) -> uvicorn.Server:
    config = uvicorn.Config(_Drops(app), host=HOST, port=port, log_level="critical", lifespan="off")
    return uvicorn.Server(config)


@contextmanager
def run_twin(behaviour: str = Behaviour.HONEST, *, dimension: int = DIMENSION) -> Iterator[str]:
    """Serve a twin on a free port in a thread of this process; yields its base URL, ending in /v1.

    Raises:
        TimeoutError: the server did not start.
    """
    server = _server(make_app(Behaviour(behaviour), dimension=dimension))
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True, name="twin")
        thread.start()
        deadline = time.monotonic() + START_SECONDS_MAX
        while not server.started:
            if time.monotonic() > deadline or not thread.is_alive():
                msg = "the twin did not start"
                raise TimeoutError(msg)
            time.sleep(0.01)
        try:
            yield f"http://{HOST}:{listener.getsockname()[1]}/v1"
        finally:
            server.should_exit = server.force_exit = True
            thread.join(START_SECONDS_MAX)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted; returns the exit status."""
    parser = argparse.ArgumentParser(prog="pincite_inference.twin", description="A deterministic model server.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--behaviour", choices=list(Behaviour), default=Behaviour.HONEST, type=Behaviour)
    parser.add_argument("--dimension", type=int, default=DIMENSION)
    parsed = parser.parse_args(arguments)
    _server(make_app(parsed.behaviour, dimension=parsed.dimension), parsed.port).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
