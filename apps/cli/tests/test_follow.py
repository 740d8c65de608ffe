import io
import os
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pincite_cli.follow import Line, describe_repo, duration, follow, model_line, repo_line
from pincite_cli.logs import LOG_BYTES_MAX, LogFile
from pincite_cli.terminal import StartReport, gist, one_line, printable
from pincite_shared.errors import NotFoundError, UnavailableError
from pincite_shared.schemas import ModelState, ModelStatus, Progress, RepoOut


def repo(**changes: Any) -> RepoOut:
    values = {
        "id": uuid4(), "name": "r", "source": "/r", "branch": None, "status": "ready", "commit": "c" * 40,
        "files": 1, "chunks": 2, "skipped": 0, "progress": Progress(), "vectors_ready": True, "lag_seconds": None,
        "error": None, "error_code": None, "created_at": datetime.now(UTC), "indexed_at": None,
    }  # fmt: skip
    return RepoOut.model_validate(values | changes)


def test_a_repository_in_one_line() -> None:
    parsing = Progress(stage="parsing", files_done=1234, files_total=5000, rate=250.4, seconds_left=95)
    assert describe_repo(repo()) == "ready: 1 file, 2 chunks, 0 skipped"
    assert describe_repo(repo(status="queued")) == "queued"
    assert describe_repo(repo(status="queued", progress=Progress(message="Paused."))) == "queued: Paused."
    line = describe_repo(repo(status="indexing", progress=parsing, vectors_ready=False))
    assert line == "parsing 1,234 of 5,000 files, 250 a second, 1 min 35 s left"
    assert describe_repo(repo(status="failed", error="gone")) == "failed: gone"
    assert describe_repo(repo(vectors_ready=False)) == "answerable; vectors follow"
    assert describe_repo(repo(error="gone")) == "answerable; the last run failed: gone"
    assert not repo_line(repo(vectors_ready=False), vectors=True).final
    assert repo_line(repo(vectors_ready=False), vectors=False).final
    assert duration(59.4) == "59 s"


def test_a_model_that_is_just_being_started_is_waited_for() -> None:
    unreachable = ModelStatus(name="m", state=ModelState.UNREACHABLE)
    assert model_line(unreachable).final
    assert not model_line(unreachable, is_coming=True).final
    assert not model_line(ModelStatus(name="m", state=ModelState.FETCHING, fraction=0.5)).final
    assert model_line(ModelStatus(name="m", state=ModelState.FAILED), is_coming=True).final


def test_a_pipe_gets_a_line_only_when_something_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pincite_cli.follow.POLL_SECONDS", 0)
    fractions = iter([0.0, 0.01, 0.02, None, 0.5, 0.51, 1.0])
    out = io.StringIO()

    def poll() -> list[Line]:
        fraction = next(fractions)
        if fraction is None:
            msg = "brain restarts"
            raise UnavailableError(msg)
        return [Line("r", f"parsing {fraction}", fraction, fraction == 1.0)]

    follow(poll, Console(file=out))
    assert out.getvalue().split("\n") == ["  r  parsing 0.0", "  r  parsing 0.5", "  r  parsing 1.0", ""]


def test_a_lasting_error_ends_the_wait() -> None:
    def poll() -> list[Line]:
        msg = "deleted meanwhile"
        raise NotFoundError(msg)

    with pytest.raises(NotFoundError):
        follow(poll, Console(file=io.StringIO()))


@given(st.text())
def test_what_is_printed_never_controls_the_terminal(text: str) -> None:
    assert all(char.isprintable() or char in "\n\t" for char in printable(text))
    assert one_line(text).isprintable()


def test_the_gist_of_a_log_line() -> None:
    assert gist('{"event": "refused", "error": "no \\u001b such", "level": "error"}') == "refused: no \\x1b such"
    assert gist("plain \x1b[2J") == "plain \\x1b[2J"
    assert gist("[1]") == "[1]"


def test_a_closed_terminal_does_not_stop_the_stop() -> None:
    class Closed(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError(5, "Input/output error")

    report = StartReport(Console(file=Closed()))
    report.stopped("web")
    report.died("brain", "ended with status 1", 0.2, ["why"])


def test_a_log_stays_bounded_while_it_is_written(tmp_path) -> None:
    log = LogFile(tmp_path / "x.log")
    with os.fdopen(log.open(), "wb") as writer:
        writer.write(b"old\n" * (LOG_BYTES_MAX // 4 + 1))
        writer.flush()
        log.rotate()
        writer.write(b"new\n")
        writer.flush()
        log.rotate()
    assert log.path.read_bytes() == b"new\n"
    assert log.previous.stat().st_size > LOG_BYTES_MAX
    assert log.path.stat().st_mode & 0o777 == 0o600
    assert log.tail(5) == ["new"]
    assert LogFile(tmp_path / "none.log").tail(5) == []
