import pytest
from sqlalchemy import create_engine, inspect, text

from crossfleet.coordinator.ledger import schema, tables
from crossfleet.coordinator.ledger.engines import sqlite_engine
from crossfleet.coordinator.ledger.sql import SqlStore
from crossfleet.coordinator.ledger.store import SchemaUnsupported


def described(path):
    """Columns, keys, indices and the kind of each table of a file."""
    engine = create_engine(f"sqlite:///{path}")
    look = inspect(engine)
    found = {}
    with engine.connect() as connection:
        for name in look.get_table_names():
            columns = [
                (c["name"], str(c["type"]), c["nullable"], dict(c)["primary_key"]) for c in look.get_columns(name)
            ]
            indices = sorted((i["name"], tuple(i["column_names"]), i["unique"]) for i in look.get_indexes(name))
            unique = sorted(tuple(u["column_names"]) for u in look.get_unique_constraints(name))
            made = connection.execute(text("SELECT sql FROM sqlite_master WHERE name = :name"), {"name": name}).scalar()
            found[name] = (columns, indices, unique, "WITHOUT ROWID" in str(made))
        head = connection.execute(text("SELECT * FROM ledger_head")).all()
        version = connection.execute(text("SELECT * FROM alembic_version")).all()
    engine.dispose()
    return found, head, version


def test_migrations_and_whole_creation_give_the_same_schema(tmp_path):
    migrated = sqlite_engine(str(tmp_path / "migrated.db"))
    schema.upgrade(migrated)
    migrated.dispose()
    SqlStore.sqlite(tmp_path / "whole.db").close()

    assert described(tmp_path / "migrated.db") == described(tmp_path / "whole.db")


def test_a_ledger_is_its_owners_alone_also_in_a_folder_that_others_may_read(tmp_path):
    tmp_path.chmod(0o755)
    store = SqlStore.sqlite(tmp_path / "ledger.sqlite")
    assert {each.name: each.stat().st_mode & 0o077 for each in tmp_path.glob("ledger.sqlite*")} == {
        "ledger.sqlite": 0,
        "ledger.sqlite-wal": 0,
        "ledger.sqlite-shm": 0,
    }
    store.close()


def test_the_last_known_revision_is_the_one_of_the_tables():
    assert schema.REVISIONS[-1] == tables.REVISION


def stamp(path, revision):
    SqlStore.sqlite(path).close()
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
    engine.dispose()


def test_a_database_to_which_a_later_version_only_added_is_used_as_it_is(tmp_path):
    path = tmp_path / "ledger.db"
    stamp(path, "0999")
    store = SqlStore.sqlite(path)

    assert store.take_over("one", "", 1).epoch == 1
    store.close()
    assert described(path)[2] == [("0999",)]


def test_a_database_of_a_later_version_that_changed_more_is_refused_by_name(tmp_path):
    path = tmp_path / "ledger.db"
    stamp(path, "9999")

    with pytest.raises(SchemaUnsupported) as caught:
        SqlStore.sqlite(path)

    assert (caught.value.found, caught.value.supported) == ("9999", tables.REVISION)


def test_a_later_start_finds_the_schema_as_it_is(tmp_path):
    path = tmp_path / "ledger.db"
    first = SqlStore.sqlite(path)
    first.take_over("one", "", 1)
    first.close()
    second = SqlStore.sqlite(path)

    assert second.head().epoch == 1
    second.close()
