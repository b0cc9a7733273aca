"""Runs migrations on the connection that the schema module hands over, or on `sqlalchemy.url`."""

from alembic import context
from sqlalchemy import Connection, create_engine

from crossfleet.coordinator.ledger import tables


def migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=tables.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    with create_engine(context.config.get_main_option("sqlalchemy.url") or "").connect() as connection:
        migrate(connection)
