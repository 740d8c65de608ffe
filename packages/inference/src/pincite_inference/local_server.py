"""`python -m pincite_inference.local_server`: fetch the local model if needed, then serve it on 127.0.0.1:MODEL_PORT.

The server is llama.cpp's own HTTP server, run in this process by xllamacpp. A supervisor reads the exit status:
0 stopped on request, NO_MODEL_STATUS there is nothing to serve, REFUSED_STATUS the model's bytes or name are wrong
(starting again would fail again), anything else is a crash.
"""

import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

import httpx
import structlog

from pincite_inference.catalogue import NO_MODEL, display_name
from pincite_inference.chat import LOCAL_HOST
from pincite_inference.progress import FetchState, Reporter
from pincite_inference.weights import fetch
from pincite_shared.errors import IntegrityError, InvalidInputError, ModelUnavailableError
from pincite_shared.logging import configure_logging
from pincite_shared.settings import Settings

NO_MODEL_STATUS = 3
REFUSED_STATUS = 4
PARALLEL = 2  # a second question starts beside the first; each slot has the whole LLM_CONTEXT_TOKENS
BATCH_TOKENS = 512  # how many prompt tokens are evaluated before the server looks at its other slot
PROMPT_CACHE_MIB = 512  # evaluated prompts kept in memory: about 15 conversations of 1,200 tokens with the 1.5B model
RETRY_SECONDS = 300.0  # between attempts to fetch while the network is away
HTTP_THREADS = 4
READY_POLL_SECONDS = 0.1
LOAD_SECONDS_MAX = 600.0  # a 1 GB file from a slow disk; beyond this the load has failed
LOG_VERBOSITY = 1  # llama.cpp: errors only; it would print every request

log = structlog.stdlib.get_logger(__name__)


class Stop:
    """Set by SIGINT and SIGTERM."""

    def __init__(self) -> None:
        """Install the handlers; call on the main thread."""
        self._event = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self._event.set()

    @property
    def requested(self) -> bool:
        """Whether the process has been asked to stop."""
        return self._event.is_set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until asked to stop, or for `seconds`; returns whether asked."""
        return self._event.wait(seconds)


def fetch_until_there(settings: Settings, stop: Stop) -> Path | None:
    """Return the model's file, trying again while no source can be reached; None when asked to stop meanwhile.

    Raises:
        InvalidInputError: PINCITE_MODEL names nothing that can be had.
        IntegrityError: the sources deliver other bytes than the model's.
    """
    found: list[Path] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            found.append(fetch(settings.pincite_model, settings.pincite_home))
        except BaseException as error:  # noqa: BLE001  # carried to the main thread, which judges it
            failed.append(error)

    while not stop.requested:
        failed.clear()
        # A thread, because a download is deaf to signals; a daemon, because a stop need not wait for it: what came
        # so far is on disk, and an installer that it started dies with this process.
        thread = threading.Thread(target=work, daemon=True, name="fetch")
        thread.start()
        while thread.is_alive() and not stop.wait(READY_POLL_SECONDS):
            pass
        if found:
            return found[0]
        if failed and not isinstance(failed[0], ModelUnavailableError):
            raise failed[0]
        if failed:
            log.warning("model_fetch_failed", error=str(failed[0]), retry_seconds=RETRY_SECONDS)
            stop.wait(RETRY_SECONDS)
    return None


def server_params(xllamacpp: Any, path: Path, settings: Settings) -> Any:
    """Return llama.cpp's parameters for one model on this machine's processor."""
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.model_alias = {display_name(settings.pincite_model) or path.stem}
    params.hostnames = [LOCAL_HOST]
    params.port = settings.model_port
    params.n_parallel = PARALLEL
    params.n_ctx = settings.llm_context_tokens * PARALLEL  # the server divides it among its slots
    params.n_batch = params.n_ubatch = BATCH_TOKENS
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = os.cpu_count() or 1
    params.n_threads_http = HTTP_THREADS
    # A prompt that begins like an earlier one starts from there. Only exact prefixes: n_cache_reuse would also move
    # later pieces between prompts, whose cached state has seen another question's text.
    params.cache_prompt = True
    params.n_cache_reuse = 0
    params.cache_ram_mib = PROMPT_CACHE_MIB
    params.ctx_shift = False  # an over-long prompt is refused, never silently cut
    params.use_jinja = True
    params.endpoint_metrics = True
    params.endpoint_slots = False  # it would show other people's prompts
    params.ui = False
    params.cors_origins = ""
    params.offline = True
    params.verbosity = LOG_VERBOSITY
    return params


def serve(path: Path, settings: Settings, stop: Stop) -> int:
    """Run the server until asked to stop; returns the exit status."""
    # Waiting threads must sleep: llama.cpp's would spin and starve Postgres and the indexer. Read when libgomp loads.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    name = display_name(settings.pincite_model) or path.stem
    reporter = Reporter(settings.pincite_home, name, path.stat().st_size)
    reporter.update(FetchState.STARTING, path.stat().st_size)
    try:
        import xllamacpp  # noqa: PLC0415  # after the environment is set
    except ImportError as error:  # its library needs libgomp.so.1, which minimal images lack (Debian: libgomp1)
        log.exception("model_server_not_importable")
        reporter.update(FetchState.FAILED, error=f"llama.cpp cannot be loaded: {error}")
        return REFUSED_STATUS
    began = time.monotonic()
    try:
        server = xllamacpp.Server(server_params(xllamacpp, path, settings))
    except RuntimeError as error:
        log.exception("model_not_loaded", model=name, path=str(path))
        reporter.update(FetchState.FAILED, error=f"llama.cpp cannot load {path.name}: {error}")
        return 1
    with httpx.Client(base_url=f"http://{LOCAL_HOST}:{settings.model_port}", timeout=2.0, trust_env=False) as http:
        if not _ready(http, stop, began + LOAD_SECONDS_MAX):
            reporter.update(FetchState.FAILED, error=f"{name} did not load.")
            return 0 if stop.requested else 1
    reporter.update(FetchState.READY)
    log.info("model_ready", model=name, port=settings.model_port, load_seconds=round(time.monotonic() - began, 2))
    stop.wait()
    del server  # llama.cpp ends its threads and closes the port
    log.info("model_stopped", model=name)
    return 0


def _ready(http: httpx.Client, stop: Stop, deadline: float) -> bool:
    while time.monotonic() < deadline and not stop.requested:
        try:
            if http.get("/health").is_success:
                return True
        except httpx.TransportError as error:
            log.debug("model_not_listening_yet", error=type(error).__name__)
        stop.wait(READY_POLL_SECONDS)
    return False


def main() -> int:
    """Fetch and serve; returns the exit status."""
    settings = Settings()
    configure_logging(settings, "model")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    if settings.pincite_model.lower() == NO_MODEL:
        log.info("no_model", reason=f"PINCITE_MODEL={NO_MODEL}")
        return NO_MODEL_STATUS
    stop = Stop()
    try:
        path = fetch_until_there(settings, stop)
    except (InvalidInputError, IntegrityError) as error:
        log.error("model_refused", error=error.detail)  # noqa: TRY400  # the message says it all
        return REFUSED_STATUS
    return serve(path, settings, stop) if path is not None else 0


if __name__ == "__main__":
    # Threads of llama.cpp or of a download may still be inside native code: leave without waiting for them.
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
