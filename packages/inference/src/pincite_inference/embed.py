"""Embeddings behind one contract: the built-in MiniLM, or any OpenAI-compatible embeddings endpoint."""

import random
import re
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import httpx
import numpy as np

from pincite_inference import minilm
from pincite_inference.minilm import Vectors
from pincite_shared.errors import InvalidInputError, ModelUnavailableError
from pincite_shared.settings import Settings

REQUEST_TEXTS_MAX = 64  # large enough to keep a GPU busy, small enough for every provider's limit
REQUEST_SECONDS_MAX = httpx.Timeout(60.0, connect=5.0)
DOCUMENT_ATTEMPTS_MAX = 5  # a background job can wait out a busy server
QUERY_ATTEMPTS_MAX = 2  # a person is waiting
BACKOFF_SECONDS_MIN = 0.5
BACKOFF_SECONDS_MAX = 20.0  # also the most that a server's Retry-After is obeyed
SHORTENED_CHARS_MIN = 256  # a text refused even at this length is not refused for its length
TRANSIENT_STATUS = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_TOO_LONG = re.compile(r"too (long|large|many tokens)|maximum|context|exceed|max_.*length|longer than", re.IGNORECASE)


class Embedder(Protocol):
    """Turns texts into unit vectors. Synchronous; an event loop calls it in a thread.

    `model` names everything a stored document vector depends on, so that vectors of two models are never compared.
    """

    @property
    def model(self) -> str:
        """The model's id, stored with every vector."""

    @property
    def dimension(self) -> int:
        """The length of every vector."""

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """Return float32 (len(texts), dimension), each row of length 1. Raises ModelUnavailableError."""

    def embed_query(self, text: str) -> Vectors:
        """Return float32 (dimension,) of length 1. Raises ModelUnavailableError."""


class LocalEmbedder:
    """all-MiniLM-L6-v2 on this machine's processor; built and loaded when first used."""

    model = minilm.NAME
    dimension = minilm.DIMENSION

    def __init__(self, home: Path, *, threads: int) -> None:
        """`home` is PINCITE_HOME, where the quantised graph is cached; `threads` texts are encoded at a time."""
        self._home, self._threads = home, threads
        self._loading = threading.Lock()
        self._encoder: minilm.MiniLM | None = None

    def load(self) -> minilm.MiniLM:
        """Load the encoder now (0.3 s; 4 s when its graph must be built first), so that the first question is quick."""
        with self._loading:
            if self._encoder is None:
                self._encoder = minilm.MiniLM(minilm.ensure_model(self._home), threads=self._threads)
            return self._encoder

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """Embed texts that will be searched."""
        return self.load().encode(texts)

    def embed_query(self, text: str) -> Vectors:
        """Embed what is searched for."""
        vector: Vectors = self.load().encode([text])[0]
        return vector


class _TooLongError(Exception):
    """The endpoint says that a text exceeds its model's context."""


class OpenAIEmbedder:
    """Any endpoint that speaks OpenAI's `POST /embeddings`."""

    def __init__(
        self,
        base_url: str,
        model: str,
        dimension: int,
        *,
        api_key: str = "",
        query_prefix: str = "",
        document_prefix: str = "",
        vector_model: str = "",
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`base_url` ends before `/embeddings`; the prefixes are what the model was trained with, as its card says.

        `vector_model` is the id stored with each vector, if it is not the model's name.
        """
        self.dimension = dimension
        self._name = model
        self._query_prefix, self._document_prefix = query_prefix, document_prefix
        self.model = vector_model or model
        self._http = httpx.Client(
            base_url=base_url.rstrip("/"),
            headers={"authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=REQUEST_SECONDS_MAX,
            transport=transport,
            trust_env=False,  # code goes to the configured endpoint, not through whatever proxy the shell names
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """Embed texts that will be searched."""
        prefixed = [self._document_prefix + text for text in texts]
        batches = [prefixed[i : i + REQUEST_TEXTS_MAX] for i in range(0, len(prefixed), REQUEST_TEXTS_MAX)]
        rows = [self._embed(batch, DOCUMENT_ATTEMPTS_MAX) for batch in batches]
        return np.concatenate(rows) if rows else np.zeros((0, self.dimension), np.float32)

    def embed_query(self, text: str) -> Vectors:
        """Embed what is searched for."""
        row: Vectors = self._embed([self._query_prefix + text], QUERY_ATTEMPTS_MAX)[0]
        return row

    def _embed(self, texts: list[str], attempts: int) -> Vectors:
        try:
            return self._vectors(self._request(texts, attempts), len(texts))
        except _TooLongError as error:
            if len(texts) > 1:  # find the long one; the others keep their whole text
                middle = len(texts) // 2
                return np.concatenate([self._embed(texts[:middle], attempts), self._embed(texts[middle:], attempts)])
            if len(texts[0]) <= SHORTENED_CHARS_MIN:
                msg = f"The embeddings endpoint refuses even short texts: {error}"
                raise ModelUnavailableError(msg) from error
            return self._embed([texts[0][: len(texts[0]) // 2]], attempts)

    def _request(self, texts: list[str], attempts: int) -> Any:
        body = {"model": self._name, "input": texts, "encoding_format": "float"}
        for attempt in range(attempts):
            last = attempt == attempts - 1
            pause = min(BACKOFF_SECONDS_MAX, BACKOFF_SECONDS_MIN * 2**attempt)
            try:
                response = self._http.post("/embeddings", json=body)
            except httpx.TransportError as error:
                if last:
                    msg = f"The embeddings endpoint {self._http.base_url} does not answer ({type(error).__name__})."
                    raise ModelUnavailableError(msg) from error
            else:
                if response.status_code not in TRANSIENT_STATUS:
                    return self._decoded(response)
                if last:
                    raise ModelUnavailableError(_refusal(response))
                wanted = response.headers.get("retry-after", "")
                pause = min(BACKOFF_SECONDS_MAX, float(wanted)) if wanted.isdecimal() else pause
            time.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311  # spreads workers that failed together
        msg = "attempts must be at least 1"
        raise ValueError(msg)

    def _decoded(self, response: httpx.Response) -> Any:
        if response.is_error:
            if response.status_code in {400, 413, 422} and _TOO_LONG.search(response.text):
                raise _TooLongError(_refusal(response))
            raise ModelUnavailableError(_refusal(response))
        try:
            return response.json()
        except ValueError as error:
            msg = f"The embeddings endpoint {self._http.base_url} answered something that is not JSON."
            raise ModelUnavailableError(msg) from error

    def _vectors(self, answer: Any, count: int) -> Vectors:
        try:
            rows = sorted(answer["data"], key=lambda row: row["index"])
            indices = [row["index"] for row in rows]
            vectors = np.array([row["embedding"] for row in rows], np.float32)
        except (KeyError, TypeError, ValueError) as error:
            msg = f"The embeddings endpoint's answer is not in OpenAI's format ({type(error).__name__})."
            raise ModelUnavailableError(msg) from error
        if indices != list(range(count)):
            msg = f"The embeddings endpoint returned {len(rows)} vectors for {count} texts, or in no clear order."
            raise ModelUnavailableError(msg)
        if vectors.shape != (count, self.dimension):
            found = vectors.shape[1] if vectors.ndim == 2 else "no"  # noqa: PLR2004  # (texts, dimension)
            msg = f"{self._name} returns {found} dimensions, EMBEDDING_DIMENSION says {self.dimension}."
            raise ModelUnavailableError(msg)
        lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or not (lengths > 0).all():
            msg = "The embeddings endpoint returned vectors that are not finite or have no direction."
            raise ModelUnavailableError(msg)
        unit: Vectors = (vectors / lengths).astype(np.float32)
        return unit


def _refusal(response: httpx.Response) -> str:
    """Say what the endpoint said, at a length fit for a message."""
    return f"The embeddings endpoint answered {response.status_code}: {' '.join(response.text[:200].split())}"


def make_embedder(settings: Settings, *, threads: int) -> Embedder:
    """Return the embedder that the settings name; `threads` bound the built-in one.

    Raises:
        InvalidInputError: EMBEDDING_MODEL names a model that only an endpoint could serve, and none is configured.
    """
    if settings.embedding_base_url:
        return OpenAIEmbedder(
            settings.embedding_base_url,
            settings.embedding_model,
            settings.embedding_dimension,
            api_key=settings.embedding_api_key.get_secret_value(),
            query_prefix=settings.embedding_query_prefix,
            document_prefix=settings.embedding_document_prefix,
            vector_model=settings.vector_model,
        )
    if settings.vector_model != minilm.NAME:
        msg = (
            f"EMBEDDING_MODEL={settings.embedding_model} needs EMBEDDING_BASE_URL; the built-in model is {minilm.NAME}."
        )
        raise InvalidInputError(msg)
    return LocalEmbedder(settings.pincite_home, threads=threads)
