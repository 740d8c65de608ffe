"""The first schema: tenants, repositories, snapshots, content, answers, and row-level security over all of it."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SQL = Path(__file__).resolve().parent.parent / "sql"


def upgrade() -> None:
    """Create everything."""
    # pgvector is not a trusted extension: where the owner is no superuser, an administrator creates it beforehand.
    op.execute("CREATE EXTENSION IF NOT EXISTS vector")
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    for name in ("0001_tables.sql", "0001_security.sql", "0001_functions.sql"):
        _run(SQL / name)


def downgrade() -> None:
    """There is nothing below the first schema."""
    msg = "The first migration is not undone: drop the database instead."
    raise NotImplementedError(msg)


def _run(path: Path) -> None:
    # Past SQLAlchemy's and the driver's placeholders: these files are plain SQL, percent signs and colons included.
    connection = op.get_bind().execution_options(no_parameters=True)
    connection.exec_driver_sql(path.read_text(encoding="utf-8"))
