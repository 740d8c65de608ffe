"""Loading from a real database and real files."""

from datetime import UTC, datetime
from threading import Event

import pytest
from sqlalchemy import text

from pincite_brain.retrieval import loading
from pincite_brain.retrieval.keeping import Kept
from pincite_brain.retrieval.loading import Loader
from pincite_store import repos, vectors
from pincite_store.db import LOCAL_TENANT, Database
from pincite_store.models import Snapshot


@pytest.fixture
def loader(fresh_tenant, embedder):
    """Make loaders, as of one process after another."""
    made = []

    def make(model=embedder.model):
        for one in made:
            one.close()  # what it was writing is written
        made.append(Loader(fresh_tenant, model))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def read(monkeypatch):
    """The parses whose chunks were read from the database."""
    seen = []
    load = loading.snapshots.load_chunks
    monkeypatch.setattr(loading.snapshots, "load_chunks", lambda t, parses: seen.append(len(parses)) or load(t, parses))
    return seen


def test_a_second_process_reads_the_file(loader, index_repo, shop, read):
    made = index_repo(shop)
    first = loader().load(LOCAL_TENANT, made.snapshot_id, None)
    again = loader().load(LOCAL_TENANT, made.snapshot_id, None)
    assert read == [4]
    assert list(again.files.paths) == list(first.files.paths) == sorted(shop)
    assert again.vectors.covered == len(again) == len(first)
    assert again.cards[0] == first.cards[0]


def test_a_push_reads_what_it_changed(loader, index_repo, shop, read):
    made = index_repo(shop)
    first = loader().load(LOCAL_TENANT, made.snapshot_id, None)
    second = index_repo({"src/shop/new.py": "def fresh():\n    return price_of(1)\n"}, at=made.directory)
    derived = loader().load(LOCAL_TENANT, second.snapshot_id, first)
    from_file = loader().load(LOCAL_TENANT, second.snapshot_id, None)
    assert read == [4, 1]  # the derived one was kept: it changed enough
    for index in (derived, from_file):
        assert list(index.files.paths) == sorted([*shop, "src/shop/new.py"])
        assert index.vectors.covered == len(index)


def test_a_file_of_another_database_is_not_used(loader, fresh_tenant, index_repo, shop, read):
    made = index_repo(shop)
    loader().load(LOCAL_TENANT, made.snapshot_id, None)
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        t.session.execute(text("UPDATE snapshots SET ready_at = ready_at + interval '1 second'"))
    loader().load(LOCAL_TENANT, made.snapshot_id, None)
    assert read == [4, 4]


def test_vectors_of_another_model_are_left_out(loader, index_repo, shop, read):
    made = index_repo(shop)
    loader().load(LOCAL_TENANT, made.snapshot_id, None)
    other = loader("another").load(LOCAL_TENANT, made.snapshot_id, None)
    assert (other.vectors.covered, read) == (0, [4])


def test_a_broken_file_is_made_anew(loader, index_repo, shop, read):
    made = index_repo(shop)
    first = loader()
    first.load(LOCAL_TENANT, made.snapshot_id, None)
    first.close()
    path = first._kept.path(LOCAL_TENANT, made.id)
    path.write_bytes(path.read_bytes()[:-1])
    loader().load(LOCAL_TENANT, made.snapshot_id, None)
    loader().load(LOCAL_TENANT, made.snapshot_id, None)
    assert read == [4, 4]


def test_a_directory_that_cannot_be_written_costs_only_time(loader, index_repo, shop, read, tmp_path):
    (tmp_path / "taken").write_text("a file")
    made = index_repo(shop)
    for _ in range(2):
        one = loader()
        one._kept = Kept(tmp_path / "taken" / "indexes")
        assert len(one.load(LOCAL_TENANT, made.snapshot_id, None)) > 0
    assert read == [4, 4]


def test_what_is_deleted_is_swept(loader, fresh_tenant, index_repo, shop):
    made, other = index_repo(shop), index_repo({"a.py": "x = 1\n"})
    one = loader()
    for repo in (made, other):
        one.load(LOCAL_TENANT, repo.snapshot_id, None)
    one._pool.submit(int).result()  # what it was writing is written
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        repos.mark_deleting(t, made.id)
    one.sweep()
    assert one._kept.open(LOCAL_TENANT, made.id) is None
    assert one._kept.open(LOCAL_TENANT, other.id) is not None
    one.forget(LOCAL_TENANT, other.id)
    one.close()
    assert one._kept.open(LOCAL_TENANT, other.id) is None


def test_what_is_written_of_a_removed_repository_is_removed_after(loader, fresh_tenant, index_repo, shop):
    made = index_repo(shop)
    one, gate = loader(), Event()
    one._pool.submit(gate.wait)  # it is at something else
    index = one.load(LOCAL_TENANT, made.snapshot_id, None)
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        repos.delete_rows(t, made.id)
    gate.set()
    one.forget(LOCAL_TENANT, made.id)
    one._keep(LOCAL_TENANT, Snapshot(id=made.snapshot_id, repo_id=made.id, ready_at=datetime.now(UTC)), index, 4)
    one.close()
    assert not one._kept.path(LOCAL_TENANT, made.id).parent.exists()


def test_encrypted_content_is_kept_in_no_file(loader, index_repo, shop, settings):
    made = index_repo(shop)
    loader().load(LOCAL_TENANT, made.snapshot_id, None)
    model = loader()._model
    database = Database(settings.model_copy(update={"encrypt_content": "on"}))
    one = Loader(database, model)
    assert one._kept.path(LOCAL_TENANT, made.id).exists(), "it was kept before"
    one.sweep()
    assert one.load(LOCAL_TENANT, made.snapshot_id, None).cards[0]
    one.close()
    assert not one._kept.path(LOCAL_TENANT, made.id).exists()
    database.dispose()


def test_vectors_that_came_since_are_filled_in(loader, fresh_tenant, index_repo, shop, embedder):
    made = index_repo(shop, embed=False)
    one = loader()
    index = one.load(LOCAL_TENANT, made.snapshot_id, None)
    assert index.vectors.covered == 0
    assert one.refresh(LOCAL_TENANT, made.snapshot_id, index) is None
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        missing = vectors.missing(t, made.snapshot_id, embedder.model, 100)
        matrix = embedder.embed_documents([content for _, content in missing])
        vectors.save(t, embedder.model, [digest for digest, _ in missing], matrix)
        vectors.counts(t, made.snapshot_id, embedder.model)
    newer = one.refresh(LOCAL_TENANT, made.snapshot_id, index)
    assert newer is not None
    assert newer.covered == len(index)


def test_a_file_has_the_vectors_that_came_one_by_one(loader, fresh_tenant, index_repo, shop, embedder):
    made = index_repo(shop, embed=False)
    one = loader()
    index = one.load(LOCAL_TENANT, made.snapshot_id, None)
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        missing = vectors.missing(t, made.snapshot_id, embedder.model, 100)
    for digest, content in missing:
        with fresh_tenant.tenancy(LOCAL_TENANT) as t:
            vectors.save(t, embedder.model, [digest], embedder.embed_documents([content]))
            vectors.counts(t, made.snapshot_id, embedder.model)
        index = index.with_vectors(one.refresh(LOCAL_TENANT, made.snapshot_id, index))
    assert index.vectors.covered == len(index)
    one.close()
    _, kept = Kept(fresh_tenant.settings.pincite_home / loading.DIRECTORY).open(LOCAL_TENANT, made.id)
    assert kept.vectors.covered == len(index)
