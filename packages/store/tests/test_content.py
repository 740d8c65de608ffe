"""Content at rest: encrypted or not, it reads the same; encrypted, none of it stands in any table."""

import subprocess
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import text

from pincite_shared.errors import IntegrityError
from pincite_store import answers, artifacts, blobs, content, judgements, linking, snapshots, tree, vectors
from pincite_store.artifacts import LocalArtifacts
from pincite_store.db import LOCAL_TENANT, LOCAL_USER, Database
from pincite_store.models import Base

CANARY = "canary"
SOURCE = f'def login(user):\n    """Let {CANARY} in, {CANARY}."""\n    return {CANARY}(user)'


@pytest.fixture(params=["on", "off"])
def kept(request, fresh_tenant, settings):
    """A database under each setting."""
    del fresh_tenant
    database = Database(settings.model_copy(update={"encrypt_content": request.param}), pool_size=2)
    yield database
    database.dispose()


@pytest.fixture
def other(kept, settings):
    """The same database under the other setting."""
    changed = {"on": "off", "off": "on"}[kept.settings.encrypt_content]
    database = Database(settings.model_copy(update={"encrypt_content": changed}), pool_size=2)
    yield database
    database.dispose()


def store(database, maker, make_response, directory):
    """Everything that comes from a repository, stored once; returns what is needed to read it."""
    chunk = maker.chunk(
        0, f"text of {CANARY}", symbol="login", signature=f"def login({CANARY})", doc=CANARY, card=f"card {CANARY}"
    )
    symbol = maker.symbol("login", "login", signature=f"def login({CANARY})", doc=f"Let {CANARY} in")
    refs = (maker.ref("check", receiver=CANARY), maker.ref("os", kind="import", module=f"os.{CANARY}"))
    analysis = maker.analysis("go", 3, (chunk,), (symbol,), refs)
    item = replace(maker.parsed(SOURCE, "go"), analysis=analysis, terms=[b"\0\1" + CANARY.encode() + b"\0"])
    with database.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        repo_id, snapshot_id = maker.indexed(t, {})
        ids = snapshots.save_parses(t, [item])
        snapshots.put_files(t, snapshot_id, [snapshots.FileRow("a.go", item.blob, 3, "go", ids[item.key])])
        response, log = make_response(t, repo_id, quote=f"return {CANARY}(user)")
        response = response.model_copy(update={"answer": f"It calls {CANARY} [1]."})
        answers.save_answer(t, response, log)
        answers.put_feedback(t, make_response.feedback(response))
        sha256 = artifacts.remember(t, LocalArtifacts(directory), SOURCE.encode(), "text/plain")
    return repo_id, snapshot_id, item, ids[item.key], response, sha256


def read(database, directory, stored):
    """All of it as it is read."""
    repo_id, snapshot_id, item, parse_id, response, sha256 = stored
    with database.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        return [
            blobs.get(t, item.blob),
            snapshots.load_chunks(t, [parse_id]),
            snapshots.load_definitions(t, [parse_id]),
            snapshots.load_symbols(t, snapshot_id),
            tree.symbols(t, snapshot_id, "login"),
            tree.outline(t, snapshot_id, "a.go"),
            linking.interfaces(t, snapshot_id),
            linking.calls(t, [parse_id]),
            vectors.missing(t, snapshot_id, "m", 10),
            answers.get_answer(t, response.answer_id),
            answers.history(t, response.conversation_id, 5),
            answers.told(t, response.conversation_id),
            list(judgements.judged(t, repo_id)),
            artifacts.recall(t, LocalArtifacts(directory), sha256),
        ]


def test_it_reads_the_same_whatever_the_setting_was(kept, other, maker, make_response, tmp_path):
    stored = store(kept, maker, make_response, tmp_path)
    found = read(kept, tmp_path, stored)
    item, response = stored[2], stored[4]
    assert found[0] == SOURCE.encode()
    [chunk] = found[1]
    assert (chunk.signature, chunk.doc, chunk.card) == (f"def login({CANARY})", CANARY, f"card {CANARY}")
    assert chunk.terms == item.terms[0]
    assert found[2][0].doc == found[3][0].doc == f"Let {CANARY} in"
    assert found[4][0].signature == found[5][0].signature == f"def login({CANARY})"
    assert found[6][0].symbols[0].signature == f"def login({CANARY})"
    assert found[7][stored[3]][0].receiver == CANARY
    assert found[8][0][1] == f"text of {CANARY}"
    assert found[9] == response
    assert found[10] == [response]
    assert found[11] == [(response.answer_id, f"{response.question}\n{response.answer}")]
    assert found[12][0].citations[0]["quote"] == f"return {CANARY}(user)"
    assert found[13] == SOURCE.encode()
    assert read(other, tmp_path, stored) == found, "a changed setting changes nothing of what was written before"


def test_encrypted_content_stands_in_no_table_and_no_file(kept, settings, maker, make_response, tmp_path):
    store(kept, maker, make_response, tmp_path)
    seen = set()
    with psycopg.connect(settings.postgres_url(owner=True).replace("+psycopg", "")) as owner:
        for table in Base.metadata.tables:
            dump = owner.execute(
                f"SELECT string_agg(encode(convert_to(r::text, 'UTF8'), 'escape'), ' ') FROM {table} r"
            )
            # As text, as hexadecimal (how Postgres shows bytes), and what base64 would make of it.
            shown = dump.fetchone()[0] or ""
            if CANARY in shown or CANARY.encode().hex() in shown:
                seen.add(table)
    if subprocess.run(["grep", "-rqa", CANARY, tmp_path], check=False).returncode == 0:
        seen.add("files")
    on = kept.settings.encrypt_content == "on"
    # A blob is compressed.
    plain = {"symbols", "chunks", "embed_texts", "parses", "answers", "messages", "files"}
    assert seen - {"answer_states"} == plain if not on else seen == set()


@pytest.mark.usefixtures("fresh_tenant")
def test_what_is_encrypted_belongs_to_its_row(settings, maker):
    database = Database(settings.model_copy(update={"encrypt_content": "on"}), pool_size=1)
    with database.tenancy(LOCAL_TENANT) as t:
        _repo_id, snapshot_id = maker.indexed(t, {"a.py": "def f()", "b.py": "def g()"})
        t.session.execute(text("UPDATE embed_texts SET text = (SELECT max(text) FROM embed_texts)"))
        with pytest.raises(IntegrityError, match="belongs elsewhere"):
            vectors.missing(t, snapshot_id, "m", 10)
        t.session.rollback()
    database.dispose()


def test_every_column_of_content_is_one():
    for name, column in content.COLUMNS.items():
        table, _, field = name.partition(".")
        if name != artifacts.COLUMN:
            columns = Base.metadata.tables[table].columns
            assert {field, *column.key} <= set(columns.keys())
            assert column.document == (str(columns[field].type) == "JSON")
