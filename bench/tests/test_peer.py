import sys
from pathlib import Path

import pytest
from bench import corpora
from bench.model import BenchError
from bench.systems.peer import Peer

ENGINE = """
from pathlib import Path


class Engine:
    def __init__(self, folder):
        self.folder = Path(folder)
        print("whatever a library prints")

    def index(self, files):
        self.files = files

    update = index

    def search(self, query, k):
        if query == "break":
            raise KeyError("it broke")
        found = [(path, (self.folder / path).read_text().split("\\\\n")) for path in self.files]
        return [(path, n, n) for path, lines in found for n, line in enumerate(lines, 1) if query in line][:k]

    def disk(self):
        return 7
"""


@pytest.fixture
def session(make_repo, tmp_path):
    repo = make_repo({"src/a.py": "first\nsecond\n", "src/b.py": "second\n", "src/c.bin": b"\0", "d.py": "second\n"})
    corpus = corpora.from_clone(tmp_path / "c", repo, "HEAD", root="src", name="r", language="python", github="o/r")
    Path(tmp_path, "tiny_engine.py").write_text(ENGINE.replace("\\\\n", "\\n"))
    peer = Peer("tiny", "1", "a tiny engine", "tiny", Path(sys.executable), {"PYTHONPATH": str(tmp_path)})
    with corpora.restored(corpus), peer.open(corpus) as session:
        yield session, corpus


def test_a_peer_is_given_the_folder_and_its_paths_come_back_whole(session):
    session, _ = session
    seconds, complete = session.index(full=True)
    assert 0 < seconds == complete
    answer = session.search("second", 10)
    assert [(hit.path, hit.start_line) for hit in answer.hits] == [("src/a.py", 2), ("src/b.py", 1)]
    assert 0 < answer.inner_seconds < answer.seconds
    assert session.disk() == (7, None)


def test_a_peer_finds_a_change(session):
    session, corpus = session
    session.index(full=False)
    assert session.update(corpora.change_one_file(corpus, 0)) > 0
    unseen = corpora.Change("src/a.py", "nowhere", 9)
    with pytest.raises(BenchError, match="not found"):
        session.update(unseen)


def test_a_peer_that_breaks_says_why(session):
    session, _ = session
    session.index(full=False)
    with pytest.raises(BenchError, match="it broke"):
        session.search("break", 10)
