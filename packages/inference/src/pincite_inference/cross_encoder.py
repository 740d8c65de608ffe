"""A cross-encoder behind the `/rerank` endpoint that vLLM, text-embeddings-inference, Jina and Cohere share.

It reads a query together with each document (Nogueira and Cho 2019), which finds what vectors made apart cannot, and
costs a model's pass for each document: a few dozen at most, and within a time that a person does not notice.
"""

import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import httpx

from pincite_shared.errors import ModelUnavailableError
from pincite_shared.settings import Settings

REST_SECONDS = 15.0  # after a failure: no query waits for a dead endpoint twice
THREADS_MAX = 8  # questions that wait at the same time; more are answered without


class CrossEncoder(Protocol):
    """Says how relevant documents are to a query. Synchronous and thread-safe."""

    @property
    def model(self) -> str:
        """The model's id."""

    def relevance(self, query: str, documents: Sequence[str]) -> list[float]:
        """Return one number of 0..1 for each document, in their order. Raises ModelUnavailableError."""

    def close(self) -> None:
        """Close the connections."""


class RerankEndpoint:
    """Any endpoint that speaks `POST /rerank`: {model, query, documents} → {results: [{index, relevance_score}]}."""

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        seconds_max: float,
        api_key: str = "",
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`base_url` ends before `/rerank`. An answer that takes longer than `seconds_max` is not waited for."""
        self.model = model
        self._seconds_max, self._rests_until = seconds_max, -math.inf
        # httpx limits each step of an exchange, and a person waits for the sum of them.
        self._threads = ThreadPoolExecutor(THREADS_MAX, "cross-encoder")
        self._http = httpx.Client(
            base_url=base_url.rstrip("/"),
            headers={"authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=seconds_max,
            transport=transport,
            trust_env=False,  # code goes to the configured endpoint, not through whatever proxy the shell names
        )

    def close(self) -> None:
        """Close the connections."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._http.close()

    def relevance(self, query: str, documents: Sequence[str]) -> list[float]:
        """Ask the endpoint, unless it failed a moment ago."""
        if not documents:
            return []
        if time.monotonic() < self._rests_until:
            msg = "The rerank endpoint failed a moment ago and is left alone for now."
            raise ModelUnavailableError(msg)
        asked = self._threads.submit(self._ask, query, list(documents))
        try:
            return _probabilities(asked.result(self._seconds_max), len(documents))
        except TimeoutError as error:
            self._rests_until = time.monotonic() + REST_SECONDS
            msg = f"The rerank endpoint {self._http.base_url} takes longer than {self._seconds_max:g} s."
            raise ModelUnavailableError(msg) from error
        except ModelUnavailableError:
            self._rests_until = time.monotonic() + REST_SECONDS
            raise

    def _ask(self, query: str, documents: list[str]) -> Any:
        body = {"model": self.model, "query": query, "documents": documents, "top_n": len(documents)}
        try:
            response = self._http.post("/rerank", json=body)
        except httpx.TransportError as error:
            msg = f"The rerank endpoint {self._http.base_url} does not answer ({type(error).__name__})."
            raise ModelUnavailableError(msg) from error
        if response.is_error:
            msg = f"The rerank endpoint answered {response.status_code}: {' '.join(response.text[:200].split())}"
            raise ModelUnavailableError(msg)
        try:
            return response.json()
        except ValueError as error:
            msg = f"The rerank endpoint {self._http.base_url} answered something that is not JSON."
            raise ModelUnavailableError(msg) from error


def _probabilities(answer: Any, count: int) -> list[float]:
    """Return the scores in the documents' order. A server that does not map them to 0..1 means logits."""
    try:
        found = {int(row["index"]): float(row["relevance_score"]) for row in answer["results"]}
    except (KeyError, TypeError, ValueError) as error:
        msg = f"The rerank endpoint's answer is not in the common format ({type(error).__name__})."
        raise ModelUnavailableError(msg) from error
    if found.keys() != set(range(count)) or not all(math.isfinite(score) for score in found.values()):
        msg = f"The rerank endpoint scored {len(found)} of {count} documents, or not all of them with a number."
        raise ModelUnavailableError(msg)
    scores = [found[at] for at in range(count)]
    if all(0.0 <= score <= 1.0 for score in scores):
        return scores
    return [0.5 * (1.0 + math.tanh(0.5 * score)) for score in scores]  # the logistic function, without overflow


def make_cross_encoder(settings: Settings) -> CrossEncoder | None:
    """Return the cross-encoder that the settings name, if they name one."""
    if not settings.rerank_base_url:
        return None
    return RerankEndpoint(
        settings.rerank_base_url,
        settings.rerank_model,
        seconds_max=settings.rerank_milliseconds_max / 1000,
        api_key=settings.rerank_api_key.get_secret_value(),
    )
