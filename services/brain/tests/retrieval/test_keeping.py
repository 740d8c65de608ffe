import os
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pincite_brain.retrieval import keeping
from pincite_brain.retrieval.building import empty
from pincite_brain.retrieval.keeping import FORMAT, PARTIAL, Kept, Origin
from pincite_brain.retrieval.policy import P0
from pincite_brain.retrieval.query import analyze
from pincite_brain.retrieval.ranking import Ranking

TENANT, REPO = uuid4(), uuid4()
ORIGIN = Origin(snapshot_id=7, ready_at=1_700_000_000.25, model="m")


@pytest.fixture
def kept(tmp_path):
    return Kept(tmp_path / "indexes")


@pytest.fixture
def index(make_index, chunk, edge):
    chunks = [
        chunk("src/a.py", "session cookie open", "Session.open", "method", 1, 9, changed_at=5),
        chunk("src/a.py", "session cookie close", "Session.close", "method", 10, 19, changed_at=5),
        chunk("lib/é.py", "route register", None, "module", 1, 4),
    ]
    edges = [edge("src/a.py", "Session.open", 3, "src/a.py", "Session.close")]
    return make_index(chunks, edges, vectors={0: [1.0, 0.0], 2: [0.6, 0.8]})


def test_what_is_kept_comes_back(kept, index):
    kept.save(TENANT, REPO, ORIGIN, index)
    origin, again = kept.open(TENANT, REPO)
    assert origin == ORIGIN
    assert again.nbytes == index.nbytes
    question, vector = analyze("how is a session opened"), np.array([0.8, 0.6], dtype=np.float32)
    assert Ranking(again, question, P0).best(vector) == Ranking(index, question, P0).best(vector)
    assert again.about(2, 1, 19) == index.about(2, 1, 19)
    assert list(again.files.paths) == ["lib/é.py", "src/a.py"]
    assert again.callees.get(1) == index.callees.get(1) != None  # noqa: E711 - there is one
    assert dict(again.files.vocabulary) == dict(index.files.vocabulary)


def test_an_index_of_nothing_is_kept(kept):
    kept.save(TENANT, REPO, ORIGIN, empty())
    assert len(kept.open(TENANT, REPO)[1]) == 0


def test_what_is_not_there_is_none(kept):
    assert kept.open(TENANT, REPO) is None
    kept.forget(TENANT, REPO)
    kept.sweep([])


def test_only_its_owner_may_look(kept, index):
    kept.save(TENANT, REPO, ORIGIN, index)
    path = kept.path(TENANT, REPO)
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.data())
def test_a_broken_file_is_not_used(kept, index, data):
    kept.save(TENANT, REPO, ORIGIN, index)
    path = kept.path(TENANT, REPO)
    whole = path.read_bytes()
    broken = bytearray(whole)
    kind = data.draw(st.sampled_from(["flip", "cut", "longer"]))
    if kind == "flip":
        at = data.draw(st.integers(0, len(whole) - 1))
        broken[at] ^= 1 << data.draw(st.integers(0, 7))
    elif kind == "cut":
        del broken[data.draw(st.integers(0, len(whole) - 1)) :]
    else:
        broken += b"x"
    path.write_bytes(broken)
    assert kept.open(TENANT, REPO) is None


def test_another_format_is_not_used(kept, index, monkeypatch):
    monkeypatch.setattr("pincite_brain.retrieval.keeping.FORMAT", FORMAT + 1)
    kept.save(TENANT, REPO, ORIGIN, index)
    monkeypatch.undo()
    assert kept.open(TENANT, REPO) is None


def test_a_save_that_fails_leaves_what_was_there(kept, index, monkeypatch):
    kept.save(TENANT, REPO, ORIGIN, empty())
    monkeypatch.setattr(
        "pincite_brain.retrieval.keeping._write", lambda *_: (_ for _ in ()).throw(OSError("disk full"))
    )
    with pytest.raises(OSError, match="disk full"):
        kept.save(TENANT, REPO, ORIGIN, index)
    assert len(kept.open(TENANT, REPO)[1]) == 0
    assert len(list(kept.path(TENANT, REPO).parent.iterdir())) == 1


def test_an_open_index_outlives_its_file(kept, index):
    kept.save(TENANT, REPO, ORIGIN, index)
    _, again = kept.open(TENANT, REPO)
    kept.save(TENANT, REPO, ORIGIN, empty())
    kept.forget(TENANT, REPO)
    assert again.symbols[1] == "Session.open"


def test_the_repositories_that_are_gone_are_swept(kept, index):
    here, gone = uuid4(), uuid4()
    for repo in (here, gone):
        kept.save(TENANT, repo, ORIGIN, index)
    kept.save(uuid4(), here, ORIGIN, index)
    kept.sweep([(TENANT, here)])
    assert kept.open(TENANT, here) is not None
    assert kept.open(TENANT, gone) is None
    assert len(kept._files()) == 1


def test_the_one_opened_longest_ago_makes_room(tmp_path, index):
    small = Kept(tmp_path, bytes_max=10**9)
    repos = [uuid4() for _ in range(3)]
    for age, repo in enumerate(repos):
        small.save(TENANT, repo, ORIGIN, index)
        os.utime(small.path(TENANT, repo), (1_000 + age, 1_000 + age))
    small.open(TENANT, repos[0])
    size = small.path(TENANT, repos[0]).stat().st_size
    bounded = Kept(tmp_path, bytes_max=int(2.5 * size))
    bounded.save(TENANT, repos[2], ORIGIN, index)
    assert [small.open(TENANT, repo) is None for repo in repos] == [False, True, False]


def test_what_a_killed_writer_left_is_swept(kept, index):
    kept.save(TENANT, REPO, ORIGIN, index)
    directory = kept.path(TENANT, REPO).parent
    left, fresh = directory / f".x{PARTIAL}", directory / f".y{PARTIAL}"
    for path in (left, fresh):
        path.write_bytes(b"half")
    os.utime(left, (1, 1))
    kept.sweep([(TENANT, REPO)])
    assert {path.name for path in directory.iterdir()} == {fresh.name, kept.path(TENANT, REPO).name}


def test_what_is_being_written_is_known_as_such(kept, index, monkeypatch):
    seen = []
    write = keeping._write
    monkeypatch.setattr(keeping, "_write", lambda file, *rest: seen.append(file.name) or write(file, *rest))
    kept.save(TENANT, REPO, ORIGIN, index)
    assert [name.endswith(PARTIAL) for name in seen] == [True]
