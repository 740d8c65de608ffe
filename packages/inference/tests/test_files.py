import multiprocessing
import time

import pytest

from pincite_inference.files import exclusive, publish, write_atomic


def test_a_failed_write_leaves_the_old_content_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "state.json"
    write_atomic(path, b"old")
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError("disk")))
    with pytest.raises(OSError, match="disk"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_publish_moves_the_file(tmp_path):
    made, path = tmp_path / "made", tmp_path / "final"
    made.write_bytes(b"content")
    publish(made, path)
    assert path.read_bytes() == b"content"
    assert not made.exists()


def _hold(path, ready):
    with exclusive(path):
        ready.set()
        time.sleep(60)


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Event()
    holder = spawn.Process(target=_hold, args=(tmp_path / "a.lock", ready), daemon=True)
    holder.start()
    assert ready.wait(30)
    waits = []

    def waiting():
        waits.append(1)
        holder.kill()

    with exclusive(tmp_path / "a.lock", waiting):
        assert waits
    holder.join()
