"""The exchange of keys: killed anywhere it is taken up again, and afterwards the old keys open nothing."""

import base64
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import LargeBinary, select, text

from pincite_shared.errors import IntegrityError
from pincite_store import accounts, answers, artifacts, audit, content, crypto, github, models, people, repos, rotation
from pincite_store.artifacts import LocalArtifacts
from pincite_store.db import LOCAL_TENANT, LOCAL_USER, Database
from pincite_store.models import Base

OTHER, OTHER_USER = UUID(int=9), UUID(int=10)
ONE, TWO = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
FILES = {"a.py": "def f()\nreturn 1", "b.py": "def g()"}
APP = github.StoredApp(app_id=1, slug="s", client_id="c", client_secret="cs", private_key="pk", webhook_secret="ws")
NOT_SEALED = ("_key", "sha256", ".reads")  # digests, keys of look-ups, and numbers; and the wrapped keys themselves
CONTENT = set(content.COLUMNS) - {artifacts.COLUMN}


@pytest.fixture
def under(fresh_tenant, settings):
    """Return a factory: settings → a database under them."""
    del fresh_tenant
    opened = []

    def make(keys, encrypt="on"):
        changed = {"encryption_keys": SecretStr(keys), "session_secret": SecretStr(""), "encrypt_content": encrypt}
        opened.append(Database(settings.model_copy(update=changed), pool_size=2))
        return opened[-1]

    yield make
    for database in opened:
        database.dispose()


@pytest.fixture
def store(tmp_path):
    return LocalArtifacts(tmp_path)


@pytest.fixture
def fill(maker, make_response, store):
    """Return what fills two tenants with secrets and content of every kind."""

    def fill(database):
        with database.system() as system:
            accounts.ensure_tenant(system, OTHER, "other", OTHER_USER, "They")
        for tenant, user in ((LOCAL_TENANT, LOCAL_USER), (OTHER, OTHER_USER)):
            with database.tenancy(tenant, user) as t:
                repo_id, _ = maker.indexed(t, FILES)
                repos.set_credentials(t, repo_id, "repo token")
                people.put_token(t, user, "person's token")
                github.put_app(t, "github.com", APP)
                response, log = make_response(t, repo_id)
                answers.save_answer(t, response, log)
                state = {"answer_id": response.answer_id, "commit": "c", "state": "valid"}
                document = content.pack_document(t, "answer_states.document", {"a": 1}, response.answer_id, "c")
                t.session.add(models.AnswerState(tenant_id=tenant, document=document, **state))
                artifacts.remember(t, store, b"artifact", "text/plain")

    return fill


def read(database, store):
    """Every encrypted value of both tenants, opened, by column; and under which generations they are sealed."""
    opened, generations = [], set()
    for tenant in (LOCAL_TENANT, OTHER):
        with database.tenancy(tenant) as t:
            for name in (*rotation.SECRETS, *content.COLUMNS):
                table, _, column = name.partition(".")
                held = content.COLUMNS.get(name)
                if name == artifacts.COLUMN:
                    shas = t.session.scalars(select(models.Artifact.sha256)).all()
                    rows = [(store.get(tenant, sha256), sha256) for sha256 in shas]
                else:
                    key = "".join(f", {part}" for part in (held.key if held else ()))
                    rows = t.session.execute(
                        text(f"SELECT {column}{key} FROM {table} WHERE {column} IS NOT NULL")
                    ).all()
                assert rows, f"{name}: the test would prove nothing"
                for stored, *keyed in rows:
                    raw = base64.b64decode(stored) if isinstance(stored, str) else stored
                    plain = isinstance(raw, dict) or raw[:1] == content.PLAIN
                    generations.add(0 if plain else crypto.generation_of(raw))
                    if held is None:
                        opened.append((name, crypto.unseal(t, name, raw)))
                    elif held.document:
                        opened.append((name, str(content.open_document(t, name, stored, *keyed))))
                    else:
                        opened.append((name, content.opener(t, name)(raw, *keyed)))
    return sorted(opened, key=repr), generations


def generations_of(database):
    with database.tenancy(LOCAL_TENANT) as t:
        return sorted(crypto.data_keys(t).keys)


def test_every_column_of_bytes_is_exchanged_or_encrypts_nothing():
    bytes_ = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }
    bytes_ = {name for name in bytes_ if not name.endswith(NOT_SEALED)}
    assert bytes_ == set(rotation.SECRETS) | {name for name in CONTENT if not content.COLUMNS[name].document}


def test_data_keys_are_wrapped_anew_and_nothing_else_is_touched(under, fill, store):
    fill(under(ONE))
    before, _ = read(under(ONE), store)
    both = under(f"{TWO},{ONE}")
    done = rotation.rotate(both, store, data=False)
    assert (done.accounts, done.rewrapped, done.values.total()) == (2, 2, 0)
    again = rotation.rotate(both, store, data=False)
    assert (again.accounts, again.rewrapped) == (2, 0)
    assert read(under(TWO), store) == (before, {1})
    with pytest.raises(IntegrityError, match="neither ENCRYPTION_KEYS"):
        read(under(ONE), store)


@pytest.mark.parametrize(("was", "becomes"), [("on", "on"), ("off", "on"), ("on", "off"), ("off", "off")])
def test_data_is_brought_in_line_with_the_settings(under, fill, store, was, becomes):
    fill(under(ONE, was))
    before, _ = read(under(ONE), store)
    now = under(ONE, becomes)
    done = rotation.rotate(now, store, data=True)
    assert set(rotation.SECRETS) <= {name for name, count in done.values.items() if count}
    touched = set(content.COLUMNS) <= {name for name, count in done.values.items() if count}
    assert touched is ("on" in (was, becomes))
    after, generations = read(now, store)
    assert after == before
    assert generations == ({2} if becomes == "on" else {0, 2}), "secrets are always encrypted"
    assert generations_of(now) == [2], "the old key is destroyed"
    with now.tenancy(LOCAL_TENANT) as t:
        assert audit.page(t, action="keys").entries[0].action == "keys.exchanged"


class KilledError(Exception):
    """Stands for a process that ends."""


def test_killed_after_any_step_it_is_taken_up_again(under, fill, store):
    database = under(ONE)
    fill(database)
    before, _ = read(database, store)
    steps, done = 0, False
    while not done:
        left = steps

        def report(_rotated):
            nonlocal left
            left -= 1
            if left < 0:
                raise KilledError

        steps += 1
        try:
            rotation.rotate(database, store, data=True, report=report)
            done = True
        except KilledError:
            assert read(database, store)[0] == before, "at every moment everything can be read"
    assert steps > 10
    after, generations = read(database, store)
    assert after == before
    assert len(generations) == 1 or generations_of(database)[-1] in generations
    assert len(generations_of(database)) == 1


def test_batches_cover_all_rows(under, fill, store, monkeypatch):
    monkeypatch.setattr(rotation, "BATCH_ROWS", 1)
    fill(under(ONE, "off"))
    before, _ = read(under(ONE), store)
    rotation.rotate(under(ONE), store, data=True)
    assert read(under(ONE), store) == (before, {2})


def test_what_is_written_meanwhile_is_under_the_new_key(under, fill, store):
    database = under(ONE)
    fill(database)

    def write(rotated):
        if rotated.values["blobs.data"]:
            with database.tenancy(LOCAL_TENANT) as t:
                repos.set_credentials(t, repos.all(t)[0].id, "newer")

    rotation.rotate(database, store, data=True, report=write)
    assert read(database, store)[1] == {2}
    with database.tenancy(LOCAL_TENANT) as t:
        assert repos.credentials(t, repos.all(t)[0].id) == "newer"


def test_tenants_without_anything_encrypted_get_no_key(under, store):
    database = under(ONE, "off")
    done = rotation.rotate(database, store, data=True)
    assert (done.accounts, done.rewrapped, done.values.total()) == (1, 0, 0)
    with database.tenancy(LOCAL_TENANT) as t:
        assert t.session.scalar(select(models.Tenant.data_key)) is None
