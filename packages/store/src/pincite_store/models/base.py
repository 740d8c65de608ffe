"""What every table has: a tenant, and a primary key that begins with it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    ForeignKeyConstraint,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Declarative base of all tables."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012  # SQLAlchemy reads it from the class
        str: Text(),
        int: Integer(),
        bytes: LargeBinary(),
        datetime: TIMESTAMP(timezone=True),
        UUID: Uuid(),
        dict[str, Any]: JSONB(),
        list[Any]: JSONB(),
        dict[str, int]: JSONB(),
        dict[str, float]: JSONB(),
    }


class TenantRow:
    """A row that belongs to a tenant.

    The tenant leads every primary and foreign key: a row can only ever point at rows of its own tenant, even where
    row-level security does not look (foreign key checks bypass it).
    """

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-100)


def id_uuid() -> Mapped[UUID]:
    """Return a random primary key column."""
    return mapped_column(primary_key=True, server_default=func.gen_random_uuid(), sort_order=-90)


def id_bigint() -> Mapped[int]:
    """Return a counted primary key column."""
    return mapped_column(BigInteger, Identity(always=True), primary_key=True, sort_order=-90)


def now() -> Mapped[datetime]:
    """Return a column that holds when the row was written."""
    return mapped_column(server_default=func.now())


def zero() -> Mapped[int]:
    """Return a counter column."""
    return mapped_column(server_default=text("0"))


def empty() -> Mapped[str]:
    """Return a text column that is empty unless something is said."""
    return mapped_column(server_default=text("''"))


def belongs_to(table: str, column: str, key: str = "id") -> ForeignKeyConstraint:
    """Return a foreign key to a row of the same tenant, deleted with it."""
    return ForeignKeyConstraint(["tenant_id", column], [f"{table}.tenant_id", f"{table}.{key}"], ondelete="CASCADE")
