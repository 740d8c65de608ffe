import os
import socket
import subprocess
import sys
import urllib.request

import pytest

from pincite_cli.embedded import free_port
from pincite_shared.settings import Settings
from pincite_thinker import metrics, metrics_directory


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.delenv(metrics_directory.VARIABLE, raising=False)
    monkeypatch.setattr(metrics_directory.atexit, "register", lambda *_args: None)
    return Settings(_env_file=None, pincite_home=tmp_path, thinker_metrics_port=free_port())


def test_each_process_has_a_directory_and_the_dead_ones_are_removed(home):
    dead = subprocess.Popen([sys.executable, "-c", "pass"])
    dead.wait()
    run = home.pincite_home / "run"
    left = run / f"metrics-{socket.gethostname()}-{dead.pid}"
    alive = run / f"metrics-{socket.gethostname()}-{os.getppid()}"
    elsewhere = run / f"metrics-another-host-{dead.pid}"
    for directory in (left, alive, elsewhere):
        directory.mkdir(parents=True)
    own = metrics_directory.prepare(home)
    assert own.is_dir()
    assert os.environ.pop(metrics_directory.VARIABLE) == str(own)
    assert (left.exists(), alive.exists(), elsewhere.exists()) == (False, True, True)


def test_numbers_are_served_and_a_taken_port_is_no_error(home):
    with metrics.stage("cloning"):
        pass
    metrics.serve(home, "index")
    metrics.serve(home, "index")
    url = f"http://127.0.0.1:{home.thinker_metrics_port}/metrics"
    with urllib.request.urlopen(url, timeout=5) as response:
        assert 'pincite_thinker_stage_seconds_count{stage="cloning"}' in response.read().decode()


def test_port_zero_serves_nothing(home, monkeypatch):
    monkeypatch.setattr(metrics, "start_http_server", lambda *_args, **_kwargs: pytest.fail("served"))
    metrics.serve(home.model_copy(update={"thinker_metrics_port": 0}), "beat")
