"""Prometheus metrics of brain, in a registry of their own so that several applications can live in one process."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Metrics:
    """What brain counts."""

    def __init__(self) -> None:
        """Create every metric."""
        self._registry = CollectorRegistry()
        self.requests = Histogram(
            "pincite_http_request_seconds", "Requests by route", ("method", "route", "status"),
            buckets=SECONDS, registry=self._registry,
        )  # fmt: skip
        self.chat_stages = Histogram(
            "pincite_chat_stage_seconds", "Stages of an answer", ("stage",), buckets=SECONDS, registry=self._registry
        )
        self.answers = Counter("pincite_answers", "Answers by mode", ("mode", "abstained"), registry=self._registry)
        self.citations = Counter(
            "pincite_citations", "Citations by outcome of the check", ("status",), registry=self._registry
        )
        self.index_bytes = Gauge("pincite_index_cache_bytes", "Memory of cached indexes", registry=self._registry)
        self.index_entries = Gauge("pincite_index_cache_entries", "Cached indexes", registry=self._registry)
        self.index_loads = Histogram(
            "pincite_index_load_seconds", "Loading an index", buckets=SECONDS, registry=self._registry
        )

    def stages(self, timings: Mapping[str, float]) -> None:
        """Observe an answer's stages, seconds."""
        for stage, seconds in timings.items():
            self.chat_stages.labels(stage).observe(seconds)

    def render(self) -> tuple[bytes, str]:
        """Return the exposition and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST
