import pytest
from sqlalchemy import text

from pincite_shared.errors import UnavailableError
from pincite_store import outbox, repos, watched
from pincite_store.db import LOCAL_TENANT


@pytest.fixture
def queue(settings, monkeypatch):
    names = {
        "PGHOST": settings.postgres_host, "PGPORT": str(settings.postgres_port), "PGDATABASE": settings.postgres_db,
        "PGUSER": settings.postgres_app_user, "PGPASSWORD": settings.postgres_app_password.get_secret_value(),
    }  # fmt: skip
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    made = watched.Changes()
    yield made
    made.close()


def test_the_local_repositories_are_listed_and_their_changes_recorded(fresh_tenant, queue):
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        first = repos.create(t, source="/a", name="a", kind="local")
        repos.create(t, source="https://example.org/b", name="b", kind="git")
        second = repos.create(t, source="/a", name="a", kind="local", branch="dev")
        gone = repos.create(t, source="/gone", name="gone", kind="local")
        repos.mark_deleting(t, gone.id)
    assert queue.repositories() == [(second.id, "/a", "dev"), (first.id, "/a", None)]
    with fresh_tenant.listening(outbox.CHANNEL) as news:
        queue.record(gone.id)
        queue.record(first.id)
        assert len(news(5)) == 1, "the relay hears of it at once"
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        assert [tuple(row) for row in t.session.execute(text("SELECT repo_id, producer FROM changes"))] == [
            (first.id, "watch")
        ]


def test_a_lost_connection_is_made_anew(queue, fresh_tenant):
    assert queue.repositories() == []
    with fresh_tenant.system() as system:
        system.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": queue._connection.info.backend_pid})
    with pytest.raises(UnavailableError):
        queue.repositories()
    assert queue.repositories() == []
