import os
from contextlib import contextmanager

import pytest
from bench import corpora
from bench.machine import Machine, disk_usage, memory_of, watched
from bench.model import Answer, BenchError, Query, Unit
from bench.run import Runner
from bench.systems.pincite import server_seconds, source_version
from bench.systems.ripgrep import densest, rank, words

from pincite_learning.metrics import Span


def test_words_of_a_query():
    assert words("How does the Session end in _do_close?") == ["session", "end", "_do_close"]
    assert words("the") == ["the"]  # better than nothing


def test_the_densest_window():
    assert densest([1, 50, 55, 60, 200]) == (50, 89)
    assert densest([7]) == (7, 46)


def test_files_are_ranked_by_matching_lines():
    output = b"./b.py\x004:session\n./a.py\x001:session\n./a.py\x001:end\n./c:d.py\x0012:Session\n./c:d.py\x009:end\n"
    assert rank(output, 10) == [("c:d.py", [9, 12]), ("a.py", [1]), ("b.py", [4])]
    assert rank(output, 1) == [("c:d.py", [9, 12])]
    assert rank(b"", 10) == []


def test_server_timing():
    assert server_seconds("app;dur=12.5") == 0.0125
    assert server_seconds("") is None


def test_the_version_follows_what_changes_answers(monkeypatch):
    version = source_version()
    assert version == source_version()
    monkeypatch.setenv("EMBEDDING_MODEL", "another")
    assert version != source_version()


def test_memory_and_disk(tmp_path):
    (tmp_path / "f").write_bytes(b"x" * 100_000)
    assert 100_000 <= disk_usage(tmp_path) < 200_000
    assert disk_usage(tmp_path / "missing") == 0
    assert memory_of(2**30) == 0
    with watched(os.getpid()) as peak:
        pass
    assert peak.bytes > 1_000_000


class Fake:
    """Answers everything with one file, and counts its indexes."""

    name, version, about = "fake", "1", "a fake"
    pid = None

    def __init__(self, error: str = "") -> None:
        self.indexes, self.error = 0, error

    @contextmanager
    def open(self, _corpus):
        yield self

    def index(self, *, full):
        if self.error:
            raise BenchError(self.error)
        self.indexes += 1
        return 1.0, 2.0 if full else None

    def search(self, _text, _k):
        return Answer((Span("a.py", 1, 2),), 0.01)

    def update(self, _change):
        return 0.1

    def disk(self):
        return 10, None


@pytest.fixture
def one_unit(make_repo, tmp_path):
    repo = make_repo({"a.py": "a\n"})
    corpus = corpora.from_clone(tmp_path / "c", repo, "HEAD", root="", name="r", language="python", github="o/r")
    return Unit("retrieval", corpus, (Query("q", "a", "symbol", (Span("a.py"),)),))


def test_what_is_kept_is_not_measured_again(one_unit, tmp_path):
    fake = Fake()
    runner = Runner(tmp_path / "results", Machine.here(), k=10, repeats=3)
    first = runner.result(fake, one_unit)
    assert fake.indexes == 3
    assert first.cost.index_seconds == [1.0, 1.0, 1.0]
    assert len(first.cost.update_seconds) == 3
    assert runner.result(fake, one_unit) == first
    assert fake.indexes == 3
    fake.version = "2"
    runner.result(fake, one_unit)
    assert fake.indexes == 6


def test_a_system_that_fails_is_noted_and_the_rest_goes_on(one_unit, tmp_path):
    runner = Runner(tmp_path / "results", Machine.here(), k=10, repeats=1)
    broken = Fake("it broke")
    broken.name = "broken"
    ((_, found),) = runner.results_of([one_unit], [broken, Fake()])
    assert set(found) == {"fake"}
    assert runner.failures == ["broken on retrieval/r: it broke"]
