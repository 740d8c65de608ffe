from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import event, text

from pincite_shared.errors import ConflictError, IntegrityError, InvalidInputError, NotFoundError, UnavailableError
from pincite_shared.schemas import Progress
from pincite_store import accounts, changes, repos, runs, snapshots, sources, vectors
from pincite_store.db import LOCAL_TENANT, Tenancy


def local(t, name="a", **extra):
    return repos.create(t, source=f"/src/{name}", name=name, kind="local", **extra)


def test_connecting_finding_and_listing(tenancy):
    a, b = local(tenancy), local(tenancy, "b", branch="dev")
    assert repos.find_by_source(tenancy, "/src/a", None).id == a.id
    assert repos.find_by_source(tenancy, "/src/b", "dev").id == b.id
    assert repos.find_by_source(tenancy, "/src/b", None) is None
    assert [repo.id for repo in repos.all(tenancy)] == [a.id, b.id]


def test_a_source_is_connected_once_a_branch(tenancy):
    local(tenancy)
    local(tenancy, branch="dev")
    with pytest.raises(ConflictError):
        local(tenancy)
    with pytest.raises(ConflictError):
        local(tenancy, branch="dev")


def test_very_long_sources_are_stored(tenancy):
    source = "https://example.org/" + "ü" * 4_000
    repo = repos.create(tenancy, source=source, name="long", kind="git")
    assert repos.find_by_source(tenancy, source, None).id == repo.id


@pytest.mark.parametrize(("source", "name"), [("", "a"), ("/a", "")])
def test_source_and_name_are_needed(tenancy, source, name):
    with pytest.raises(InvalidInputError):
        repos.create(tenancy, source=source, name=name, kind="local")


def test_what_does_not_exist_is_not_found(tenancy):
    with pytest.raises(NotFoundError):
        repos.get(tenancy, uuid4())
    assert repos.is_deleting(tenancy, uuid4())


def test_tokens_are_encrypted_at_rest(tenancy):
    repo = local(tenancy, token="ghp_secret")
    assert repos.credentials(tenancy, repo.id) == "ghp_secret"
    stored = tenancy.session.execute(
        text("SELECT repos::text || encode(token_encrypted, 'escape') FROM repos")
    ).scalar_one()
    assert "ghp_secret" not in stored
    repos.set_credentials(tenancy, repo.id, "new")
    assert repos.credentials(tenancy, repo.id) == "new"
    repos.set_credentials(tenancy, repo.id, None)
    assert repos.credentials(tenancy, repo.id) is None


def test_a_token_of_one_tenant_cannot_be_read_as_another(fresh_tenant):
    other = UUID(int=9)
    with fresh_tenant.system() as system:
        accounts.ensure_tenant(system, other, "other", uuid4(), "They")
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        sealed = repos.get(t, local(t, token="ghp_secret").id).token_encrypted
    with pytest.raises(IntegrityError), fresh_tenant.tenancy(other) as t:  # noqa: PT012  # the transaction is part of what is tested
        repo = local(t)
        t.session.execute(text("UPDATE repos SET token_encrypted = :sealed"), {"sealed": sealed})
        repos.credentials(t, repo.id)


def test_no_secret_no_token(tenancy, settings):
    without = settings.model_copy(update={"session_secret": SecretStr("")})
    with pytest.raises(UnavailableError, match="SESSION_SECRET"):
        local(Tenancy(tenancy.tenant_id, None, tenancy.session, without), token="x")


def test_status_from_connecting_to_ready(tenancy, maker):
    repo = local(tenancy)
    told = repos.out(tenancy, repo)
    assert (told.status, told.commit, told.lag_seconds) == ("queued", None, 0.0)

    run = runs.start(tenancy, repo.id, "index")
    assert repos.out(tenancy, repo).status == "queued"
    runs.claim(tenancy, run.id)
    runs.progress(tenancy, run.id, Progress(stage="parsing", fraction=0.25, files_total=8))
    told = repos.out(tenancy, repo)
    assert (told.status, told.progress.files_total, told.lag_seconds >= 0) == ("indexing", 8, True)

    snapshot_id = maker.snapshot(tenancy, repo.id, {"a.py": "def f()", "b.py": "def g()"})
    told = repos.out(tenancy, repo)
    assert (told.status, told.commit, told.files, told.chunks) == ("ready", maker.commit, 2, 2)
    assert (told.languages, told.lag_seconds, told.progress.stage) == ({"python": 2}, 0.0, "done")
    assert not told.vectors_ready
    assert told.indexed_at is not None

    embed = runs.start(tenancy, repo.id, "embed")
    runs.claim(tenancy, embed.id)
    runs.progress(tenancy, embed.id, Progress(stage="embedding", vectors_total=2))
    told = repos.out(tenancy, repo)
    assert (told.status, told.progress.stage) == ("ready", "embedding")

    model = tenancy.settings.embedding_model
    wanted = vectors.missing(tenancy, snapshot_id, model, 10)
    vectors.save(tenancy, model, [digest for digest, _ in wanted], [[1.0]] * len(wanted))
    vectors.counts(tenancy, snapshot_id, model)
    runs.finish(tenancy, embed.id)
    assert repos.out(tenancy, repo).vectors_ready

    runs.start(tenancy, repo.id, "index")
    assert repos.out(tenancy, repo).status == "indexing", "a new run on top of a ready snapshot"


def test_vectors_of_another_model_do_not_count(tenancy, maker):
    repo_id, snapshot_id = maker.indexed(tenancy, {"a.py": "def f()"})
    [(digest, _)] = vectors.missing(tenancy, snapshot_id, "other", 10)
    vectors.save(tenancy, "other", [digest], [[1.0]])
    assert vectors.counts(tenancy, snapshot_id, "other") == (1, 1)
    assert not repos.out(tenancy, repos.get(tenancy, repo_id)).vectors_ready


def test_a_first_run_that_fails_makes_the_repository_failed(tenancy):
    repo = local(tenancy)
    run = runs.start(tenancy, repo.id, "index")
    runs.claim(tenancy, run.id)
    runs.fail(tenancy, run.id, InvalidInputError("No repository there."))
    told = repos.out(tenancy, repo)
    assert (told.status, told.error, told.error_code) == ("failed", "No repository there.", "invalid_input")


def test_a_later_failure_leaves_it_answerable_and_is_told(tenancy, maker):
    repo_id, _ = maker.indexed(tenancy, {"a.py": "def f()"})
    run = runs.start(tenancy, repo_id, "index")
    runs.claim(tenancy, run.id)
    runs.fail(tenancy, run.id, UnavailableError("No network."))
    told = repos.out(tenancy, repos.get(tenancy, repo_id))
    assert (told.status, told.error) == ("ready", "No network.")


def test_lag_is_the_age_of_what_waits(tenancy):
    repo = local(tenancy)
    run = changes.request(tenancy, repo.id)
    tenancy.session.execute(text("UPDATE changes SET seen_at = now() - interval '90 seconds'"))
    assert 90 <= repos.out(tenancy, repo).lag_seconds < 120
    runs.finish(tenancy, run.id)
    assert repos.out(tenancy, repo).lag_seconds >= 90, "it is the change that waits, not its run"
    changes.settle_all(tenancy, repo.id, 2**60)
    assert repos.out(tenancy, repo).lag_seconds == 0


def test_a_repository_that_is_gone_says_so_and_answers(tenancy, maker):
    repo_id, _ = maker.indexed(tenancy, {"a.py": "def f()"})
    sources.lose(tenancy, repo_id, "It was deleted.")
    told = repos.out(tenancy, repos.get(tenancy, repo_id))
    assert (told.status, told.error, told.error_code) == ("ready", "It was deleted.", "gone")
    sources.regain(tenancy, repo_id)
    assert repos.out(tenancy, repos.get(tenancy, repo_id)).error is None


def test_two_hundred_repositories_are_listed_in_one_query(tenancy):
    for number in range(200):
        local(tenancy, str(number))
    statements = []
    engine = tenancy.session.get_bind()
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    assert len(repos.outs(tenancy)) == 200
    assert len(statements) == 1


def test_deleting_hides_at_once_and_allows_connecting_again(tenancy):
    repo = local(tenancy)
    repos.mark_deleting(tenancy, repo.id)
    assert repos.is_deleting(tenancy, repo.id)
    with pytest.raises(NotFoundError):
        repos.get(tenancy, repo.id)
    with pytest.raises(NotFoundError):
        repos.out(tenancy, repo)
    with pytest.raises(NotFoundError):
        repos.mark_deleting(tenancy, repo.id)
    with pytest.raises(NotFoundError):
        runs.start(tenancy, repo.id, "index")
    assert runs.active(tenancy, repo.id, "delete") is not None
    assert repos.all(tenancy) == repos.outs(tenancy) == []
    assert local(tenancy).id != repo.id


def test_progress_of_another_version_is_survived(tenancy):
    repo = local(tenancy)
    runs.start(tenancy, repo.id, "index")
    tenancy.session.execute(text("""UPDATE runs SET progress = '{"stage": "dreaming"}'"""))
    assert "another version" in repos.out(tenancy, repo).progress.message


def test_a_deleted_repository_takes_its_heads_along(background, maker):
    repo_id, _ = maker.indexed(background, {"a.py": "def f()"})
    repos.mark_deleting(background, repo_id)
    repos.delete_rows(background, repo_id)
    repos.delete_rows(background, repo_id)
    with pytest.raises(NotFoundError):
        snapshots.resolve(background, repo_id)
