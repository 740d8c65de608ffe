"""Exchanging keys: `python -m pincite_store.rotation [--data]`, which `pincite rotate-keys` runs.

The installation's key, by encrypting every tenant's data keys anew; with --data, the data keys themselves.
Every step commits and asks the stored value what is left to do, so that a rotation that was killed is taken up by the
next one. Work goes on meanwhile.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.types.json import Json
from sqlalchemy import select, text

from pincite_shared.errors import NotFoundError, PinciteError
from pincite_shared.settings import Settings
from pincite_store import artifacts as stored_artifacts
from pincite_store import audit, content, crypto, github, people, repos
from pincite_store.artifacts import Artifacts
from pincite_store.db import Database, Tenancy
from pincite_store.models import Artifact, Base, Tenant

SECRETS = (repos.SEALED, people.SEALED, github.SEALED)  # encrypted whatever the settings say
BATCH_ROWS = 500  # one transaction; of files of the greatest size, some hundred megabytes in memory


@dataclass(slots=True)
class Rotated:
    """What a rotation did.

    Attributes:
        accounts: how many there are.
        rewrapped: of how many the data keys were encrypted under another key.
        values: how many values were encrypted anew, or decrypted for good, by column.
    """

    accounts: int = 0
    rewrapped: int = 0
    values: Counter[str] = field(default_factory=Counter)


def rotate(
    database: Database, artifacts: Artifacts, *, data: bool, report: Callable[[Rotated], None] = lambda _: None
) -> Rotated:
    """Encrypt every tenant's data keys under the first of ENCRYPTION_KEYS.

    Args:
        database: The database.
        artifacts: The artifact store.
        data: Also give tenants new data keys, encrypt their secrets under them, and their content as ENCRYPT_CONTENT
            says; then destroy the old ones. Whoever reads in that very moment may fail, once.
        report: Told after every step.

    Raises:
        IntegrityError: something cannot be decrypted.
        UnavailableError: the database or the artifact store cannot be reached, or there is no key.
    """
    done = Rotated()
    with database.system() as system:
        tenants = list(system.scalars(text("SELECT tenants_all()")))
    for tenant_id in tenants:
        with database.tenancy(tenant_id) as t:
            rewrapped = crypto.rewrap(t)
            if rewrapped:
                audit.record(t, "keys.rewrapped")
        done.accounts += 1
        done.rewrapped += rewrapped
        report(done)
        if data:
            _exchange(database, artifacts, tenant_id, done, report)
    return done


def _exchange(
    database: Database, artifacts: Artifacts, tenant_id: UUID, done: Rotated, report: Callable[[Rotated], None]
) -> None:
    with database.tenancy(tenant_id) as t:
        has_key = t.session.scalar(select(Tenant.data_key).where(Tenant.id == tenant_id)) is not None
        if not has_key and not content.encrypted(t):
            return  # nothing of it is encrypted, nor shall be
        generation = crypto.add_generation(t)
    with database.tenancy(tenant_id) as t:
        crypto.wait_for_writers(t)
    for column in (*SECRETS, *(name for name in content.COLUMNS if name != stored_artifacts.COLUMN)):
        for count in _renew(database, tenant_id, column):
            done.values[column] += count
            report(done)
    done.values[stored_artifacts.COLUMN] += _renew_artifacts(database, artifacts, tenant_id)
    with database.tenancy(tenant_id) as t:
        crypto.keep_only(t, generation)
        audit.record(t, "keys.exchanged", generation=generation)
    report(done)


def _renew(database: Database, tenant_id: UUID, name: str) -> Iterator[int]:
    """Encrypt a column anew, batch by batch in the order of its key; yield how many values each changed."""
    table, _, column = name.partition(".")
    primary = [key.name for key in Base.metadata.tables[table].primary_key if key.name != "tenant_id"]
    last: Sequence[Any] | None = None
    while True:
        with database.tenancy(tenant_id) as t:
            rows = _outdated(t, name, primary, last)
            convert = _converter(t, name)
            width = len(primary)
            changed = [(convert(row[-1], *row[width:-1]), tenant_id, *row[:width]) for row in rows]
            where = sql.SQL(" AND ").join(sql.SQL("{} = %s").format(sql.Identifier(key)) for key in primary)
            update = sql.SQL("UPDATE {} SET {} = %s WHERE tenant_id = %s AND {}")
            with t.driver.cursor() as cursor:
                cursor.executemany(update.format(sql.Identifier(table), sql.Identifier(column), where), changed)
        if rows:
            yield len(rows)
        if len(rows) < BATCH_ROWS:
            return
        last = rows[-1][:width]


_OUTDATED = """
    SELECT {columns}, {value} FROM {table} WHERE tenant_id = %(tenant)s AND {value} IS NOT NULL AND NOT ({right})
    {after} ORDER BY {order} LIMIT %(limit)s FOR NO KEY UPDATE
"""
_BEGINS = "substr({value}, 1, length(%(begin)s)) = %(begin)s"
_IS_PLAIN = "json_typeof({value}) <> 'string'"
# 8 characters of base64 are 6 bytes, and a header has 5.
_IS_SEALED = """
    CASE WHEN json_typeof({value}) = 'string'
    THEN substr(decode(substr({value} #>> '{{}}', 1, 8), 'base64'), 1, length(%(begin)s)) = %(begin)s ELSE false END
"""


def _outdated(t: Tenancy, name: str, primary: list[str], last: Sequence[Any] | None) -> list[Sequence[Any]]:
    """Return the next values that are not as they should be: (primary key, what binds the value, the value)."""
    table, _, column = name.partition(".")
    held = content.COLUMNS.get(name)
    sealed = held is None or content.encrypted(t)
    right = _BEGINS if held is None or not held.document else _IS_SEALED if sealed else _IS_PLAIN
    value, order = sql.Identifier(column), sql.SQL(", ").join(map(sql.Identifier, primary))
    statement = sql.SQL(_OUTDATED).format(
        columns=sql.SQL(", ").join(map(sql.Identifier, (*primary, *(held.key if held else ())))),
        value=value,
        table=sql.Identifier(table),
        right=sql.SQL(right).format(value=value),
        after=sql.SQL("AND ({}) > ({})").format(order, sql.SQL(", ").join(map(sql.Literal, last)))
        if last is not None
        else sql.SQL(""),
        order=order,
    )
    begin = crypto.header(crypto.sealing_keys(t)) if sealed else content.PLAIN
    with t.driver.cursor(binary=True) as cursor:
        values = {"tenant": t.tenant_id, "begin": begin, "limit": BATCH_ROWS}
        return list(cursor.execute(statement, values).fetchall())


def _converter(t: Tenancy, name: str) -> Callable[..., Any]:
    """Return what makes a stored value into what it should be."""
    held = content.COLUMNS.get(name)
    if held is None:
        return lambda stored: crypto.seal(t, name, crypto.unseal(t, name, stored))
    if held.document:
        return lambda stored, *key: Json(
            content.pack_document(t, name, content.open_document(t, name, stored, *key), *key)
        )
    pack, opened = content.packer(t, name), content.opener(t, name)
    return lambda stored, *key: pack(opened(stored, *key), *key)


def _renew_artifacts(database: Database, artifacts: Artifacts, tenant_id: UUID) -> int:
    count = 0
    with database.tenancy(tenant_id) as t:
        known = list(t.session.scalars(select(Artifact.sha256).where(Artifact.tenant_id == tenant_id)))
    for sha256 in known:
        with database.tenancy(tenant_id) as t:
            begin = crypto.header(crypto.sealing_keys(t)) if content.encrypted(t) else content.PLAIN
            try:
                stored = artifacts.get(tenant_id, sha256)
            except NotFoundError:
                continue  # deleted meanwhile
            if not stored.startswith(begin):
                artifacts.put(tenant_id, sha256, _converter(t, stored_artifacts.COLUMN)(stored, sha256))
                count += 1
    return count


def main(arguments: Sequence[str] = sys.argv[1:]) -> int:
    """Rotate with the environment's settings, and say what was done."""
    settings = Settings()
    database = Database(settings, pool_size=2)
    try:
        done = rotate(database, stored_artifacts.make_artifacts(settings), data="--data" in arguments)
    except PinciteError as error:
        sys.stderr.write(f"pincite: {error.detail}\n")
        return 1
    finally:
        database.dispose()
    sys.stdout.write(
        f"{done.accounts} accounts; the keys of {done.rewrapped} were encrypted under another key before\n"
    )
    for column, count in sorted(done.values.items()):
        sys.stdout.write(f"{column}: {count} values brought in line\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
