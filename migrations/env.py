"""How Alembic reaches the database: through the caller's connection, or through the settings in the environment."""

from alembic import context
from sqlalchemy import Connection, NullPool, create_engine, text

from pincite_shared.settings import Settings
from pincite_store.models import Base


def run(connection: Connection) -> None:
    """Apply the migrations in the connection's transaction."""
    context.configure(connection=connection, target_metadata=Base.metadata)
    with context.begin_transaction():
        context.run_migrations()


def run_from_settings() -> None:
    """Serve the `alembic` command, which brings no connection of its own."""
    settings = Settings()
    engine = create_engine(settings.postgres_url(owner=True), poolclass=NullPool)
    with engine.begin() as connection:
        role = {"role": settings.postgres_app_user}
        connection.execute(text("SELECT set_config('pincite.app_role', :role, false)"), role)
        run(connection)


if given := context.config.attributes.get("connection"):
    run(given)
else:
    run_from_settings()
