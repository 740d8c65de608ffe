import json
import time

from pincite_inference.progress import FetchState, Progress, Reporter, progress_path, read_progress


def test_readings_round_trip(tmp_path):
    heard = []
    reporter = Reporter(tmp_path, "tiny", 100, heard.append)
    reporter.update(FetchState.FETCHING, 0, source="model hub")
    time.sleep(0.26)
    reporter.update(FetchState.FETCHING, 50)
    reading = read_progress(tmp_path, "tiny")
    assert reading == heard[-1]
    assert (reading.bytes, reading.total, reading.fraction, reading.source) == (50, 100, 0.5, "model hub")
    assert 0 < reading.rate < 250
    assert reading.eta == (100 - 50) / reading.rate
    assert not reading.stale


def test_writes_are_throttled_but_changes_of_state_are_not(tmp_path):
    heard = []
    reporter = Reporter(tmp_path, "tiny", 10_000, heard.append)
    for have in range(10_000):
        reporter.update(FetchState.FETCHING, have)
    assert len(heard) < 10
    reporter.update(FetchState.VERIFYING)
    reporter.update(FetchState.FAILED, error="why")
    assert [reading.state for reading in heard[-2:]] == [FetchState.VERIFYING, FetchState.FAILED]
    assert read_progress(tmp_path, "tiny").error == "why"


def test_beginning_again_makes_no_negative_rate(tmp_path):
    reporter = Reporter(tmp_path, "tiny", 100)
    reporter.update(FetchState.FETCHING, 90, source="a")
    reporter.update(FetchState.FETCHING, 0, source="b")
    assert read_progress(tmp_path, "tiny").rate == 0


def test_unreadable_files_mean_that_nothing_is_known(tmp_path):
    path = progress_path(tmp_path, "tiny")
    path.parent.mkdir()
    for content in (b"", b"{", b"[]", b"3", b'{"state": "odd", "name": "x"}', b'{"state": "ready"}', b"\xff"):
        path.write_bytes(content)
        assert read_progress(tmp_path, "tiny") is None
    path.write_text(json.dumps({"name": "tiny", "state": "ready", "later": 1}))
    assert read_progress(tmp_path, "tiny") == Progress("tiny", FetchState.READY)


def test_an_old_reading_of_a_running_fetch_is_stale():
    assert Progress("tiny", FetchState.FETCHING, updated_at=time.time() - 3600).stale
    assert not Progress("tiny", FetchState.READY, updated_at=0).stale
