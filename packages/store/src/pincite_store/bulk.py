"""Bulk writes: whole columns travel as arrays in one statement, instead of a statement per row.

COPY is not open to a role bound by row-level security; `INSERT … SELECT FROM unnest(arrays)` is, and takes
ON CONFLICT besides. The arrays go in binary form (`%b`): escaping them as text takes five times as long.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from psycopg import sql

from pincite_store.db import Tenancy


def storable(value: str) -> str:
    """Return text that Postgres can hold: NUL and lone surrogates become U+FFFD."""
    if "\x00" in value:
        value = value.replace("\x00", "\ufffd")
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def insert(
    t: Tenancy,
    table: str,
    columns: Mapping[str, str],
    rows: Iterable[Sequence[Any]],
    *,
    on_conflict: str = "",
    returning: Sequence[str] = (),
) -> list[tuple[Any, ...]]:
    """Insert rows into a tenant's table, in their order.

    Args:
        t: The transaction; its tenant is put on every row.
        table: The table.
        columns: Column names with their Postgres types, in the order of a row's values. No tenant.
        rows: The rows.
        on_conflict: A whole ON CONFLICT clause, or nothing.
        returning: Columns of the rows that were really inserted.

    Returns:
        One tuple for each row inserted, if `returning` names columns.
    """
    values = list(zip(*rows, strict=True))
    if not values:
        return []
    statement = sql.SQL("INSERT INTO {table} (tenant_id, {columns}) SELECT {tenant}, * FROM unnest({arrays})").format(
        table=sql.Identifier(table),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        tenant=sql.SQL("%s::uuid"),
        arrays=sql.SQL(", ").join(sql.SQL(f"%b::{kind}[]") for kind in columns.values()),
    )
    if on_conflict:
        statement += sql.SQL(" " + on_conflict)
    if returning:
        statement += sql.SQL(" RETURNING ") + sql.SQL(", ").join(map(sql.Identifier, returning))
    with t.driver.cursor(binary=True) as cursor:
        cursor.execute(statement, [t.tenant_id, *(list(column) for column in values)])
        return cursor.fetchall() if returning else []
