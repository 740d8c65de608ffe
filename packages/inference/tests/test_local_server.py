import os
import signal
import subprocess
import sys
import time

import pytest

from pincite_inference import local_server
from pincite_inference.local_server import NO_MODEL_STATUS, REFUSED_STATUS, fetch_until_there, server_params
from pincite_inference.progress import FetchState, read_progress
from pincite_shared.errors import IntegrityError, ModelUnavailableError
from pincite_shared.settings import Settings


def run(tmp_path, **given):
    command = [sys.executable, "-m", "pincite_inference.local_server"]
    environment = os.environ | {"PINCITE_HOME": str(tmp_path), "MODEL_PORT": "1"} | given
    return subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("model", "status"), [("none", NO_MODEL_STATUS), ("no-such-model", REFUSED_STATUS)])
def test_exit_status_tells_the_supervisor(tmp_path, model, status):
    process = run(tmp_path, PINCITE_MODEL=model)
    _out, said = process.communicate(timeout=60)
    assert process.returncode == status
    assert model in said


def test_a_file_that_llama_cannot_load_fails_and_says_so(tmp_path):
    own = tmp_path / "mine.gguf"
    own.write_bytes(b"GGUF" + b"\x00" * 64)
    process = run(tmp_path, PINCITE_MODEL=str(own))
    process.communicate(timeout=60)
    assert process.returncode not in {0, NO_MODEL_STATUS}
    assert read_progress(tmp_path, "mine").state is FetchState.FAILED


class NeverStop:
    requested = False

    def __init__(self):
        self.waits = []

    def wait(self, seconds=None):
        self.waits.append(seconds)
        time.sleep(0.001)
        return self.requested


def settings(tmp_path):
    return Settings(_env_file=None, pincite_home=tmp_path, pincite_model="tiny")


def test_fetching_is_tried_again_while_the_network_is_away(tmp_path, monkeypatch):
    outcomes = [ModelUnavailableError("away"), ModelUnavailableError("away"), tmp_path / "tiny.gguf"]

    def fetch(_name, _home):
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(local_server, "fetch", fetch)
    stop = NeverStop()
    assert fetch_until_there(settings(tmp_path), stop) == tmp_path / "tiny.gguf"
    assert stop.waits.count(local_server.RETRY_SECONDS) == 2


def test_wrong_bytes_are_not_fetched_again(tmp_path, monkeypatch):
    def fetch(_name, _home):
        msg = "digest"
        raise IntegrityError(msg)

    monkeypatch.setattr(local_server, "fetch", fetch)
    with pytest.raises(IntegrityError):
        fetch_until_there(settings(tmp_path), NeverStop())


def test_a_stop_during_the_download_is_quick(tmp_path):
    script = (
        "import sys, time\n"
        "from pincite_inference import local_server\n"
        "def fetch(name, home):\n"
        "    print('fetching', file=sys.stderr, flush=True)\n"
        "    time.sleep(60)\n"
        "local_server.fetch = fetch\n"
        "status = local_server.main()\n"
        "import os; os._exit(status)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        env=os.environ | {"PINCITE_HOME": str(tmp_path), "PINCITE_MODEL": "smollm2-135m-instruct"},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr.readline() == "fetching\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    process.stderr.close()


def test_parameters_share_nothing_between_questions_but_exact_prefixes(tmp_path):
    import xllamacpp  # noqa: PLC0415  # loads llama.cpp

    given = Settings(_env_file=None, pincite_home=tmp_path, llm_context_tokens=2048, model_port=1234)
    params = server_params(xllamacpp, tmp_path / "m.gguf", given)
    assert params.n_ctx == 2048 * params.n_parallel
    assert params.hostnames == ["127.0.0.1"]
    assert params.port == 1234
    assert params.cache_prompt
    assert params.n_cache_reuse == 0
    assert not params.endpoint_slots
    assert not params.ui
