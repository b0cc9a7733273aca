"""The schema of a database: made whole where there is none, brought up to date by alembic where it is older."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, func, insert, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError

from crossfleet.coordinator.ledger import tables
from crossfleet.coordinator.ledger.failures import failure_of
from crossfleet.coordinator.ledger.store import SchemaUnsupported

REVISIONS = (
    "0001",
    "0002",
    "0003",
    "0004",
    "0006",
    "0007",
    "0008",
    "0011",
    "0012",
    "0013",
    "0014",
    "0015",
    "0017",
    "0018",
    "0020",
    "0021",
    "0022",
    "0023",
)
"""Every revision that this version knows, the oldest first. Those of one first digit only add to each other."""

# Any number that nothing else uses in this database.
_SCHEMA_KEY = 0x63726F7374
# How long to wait for another coordinator that makes the schema, and for its leader to let go of a table.
_OTHERS_SECONDS, _TABLE_SECONDS = 120, 5


def prepare(engine: Engine) -> None:
    """Create or upgrade; of several coordinators that start at once, one does and the others wait.

    Raises SchemaUnsupported for a database of a later version that does more than add, StoreFull, StoreFailed (StoreRefused where a right is missing).
    """
    try:
        with engine.begin() as connection:
            _one_at_a_time(connection)
            found = revision(connection)
            if found is None:
                create(connection)
                return
        if found == tables.REVISION or _only_adds(found):
            return
        if found not in REVISIONS:
            raise SchemaUnsupported(found, tables.REVISION)
        upgrade(engine)
    except SQLAlchemyError as error:
        raise failure_of(error) from error


def _only_adds(found: str) -> bool:
    """Whether a revision is a later one with which this version works: that of a neighbour in an upgrade."""
    return found.isdigit() and found > tables.REVISION and found[0] == tables.REVISION[0]


def _one_at_a_time(connection: Connection) -> None:
    """SQLite's transactions are that by themselves."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text(f"SET LOCAL lock_timeout = '{_OTHERS_SECONDS}s'"))
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_SCHEMA_KEY})"))
        connection.execute(text(f"SET LOCAL lock_timeout = '{_TABLE_SECONDS}s'"))


def revision(connection: Connection) -> str | None:
    """The revision that a database is stamped with; None where it is empty."""
    if not inspect(connection).has_table(tables.alembic_version.name):
        return None
    return str(connection.execute(select(tables.alembic_version.c.version_num)).scalar_one())


def create(connection: Connection) -> None:
    """Make all tables, the head row, and the stamp. Alembic is not imported: a cold start pays for each import."""
    tables.metadata.create_all(connection)
    if connection.dialect.name == "postgresql":
        # Room beside the row that every commit updates. As an option of the table it would import the dialect for SQLite too.
        connection.execute(text("ALTER TABLE ledger_head SET (fillfactor = 10)"))
    tables.alembic_version.create(connection, checkfirst=True)
    connection.execute(insert(tables.alembic_version).values(version_num=tables.REVISION))
    insert_head(connection)


def insert_head(connection: Connection) -> None:
    """The one row of the head, where it is not there."""
    head = tables.ledger_head
    if connection.execute(select(func.count()).select_from(head)).scalar_one():
        return
    connection.execute(
        insert(head).values(
            id=1,
            epoch=0,
            seq=0,
            leader="",
            election_cluster="",
            election_revision=0,
            backend_pid=0,
            next_attempt=1,
            next_task=1,
            next_allocation=1,
            first_seq=1,
        )
    )


def upgrade(engine: Engine) -> None:
    """Run the migrations that are missing."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "crossfleet.coordinator.ledger:migrations")
    with engine.begin() as connection:
        _one_at_a_time(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, tables.REVISION)
