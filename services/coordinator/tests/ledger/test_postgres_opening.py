"""What a database must be, and who may open it: everything else is refused with what to do about it."""

import socket

import pytest

from crossfleet.coordinator.ledger import postgres
from crossfleet.coordinator.ledger.postgres import PostgresAddress
from crossfleet.coordinator.ledger.sql import SqlStore
from crossfleet.coordinator.ledger.store import StoreAway, StoreRefused


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nonsense", "not a URL"),
        ("mysql://host/name", "mysql"),
        ("postgresql+psycopg2://host/name", "psycopg2"),
        ("postgresql://host", "no database"),
        ("postgresql://host/name?password=secret", "database_password_file"),
    ],
)
def test_what_is_no_url_of_a_database_is_refused_without_being_shown(url, says):
    with pytest.raises(StoreRefused, match=says) as refused:
        SqlStore.postgres(PostgresAddress(url))
    assert "secret" not in str(refused.value)


def test_a_wrong_password_a_missing_database_and_a_missing_role_are_the_operators(postgres_server, tmp_path):
    postgres_server.execute("DROP ROLE IF EXISTS fleet")
    postgres_server.execute("CREATE ROLE fleet LOGIN PASSWORD 'right'")
    wrong = tmp_path / "password"
    wrong.touch(0o600)
    wrong.write_text("guessed\n")
    open_to_all = tmp_path / "open to all"
    open_to_all.write_text("guessed\n")

    for url, file, says in [
        (postgres_server.url("postgres", "fleet", tcp=True), str(wrong), "password authentication failed"),
        (postgres_server.url("postgres", "fleet", tcp=True), "", "no password supplied"),
        (postgres_server.url("nothing"), "", "does not exist"),
        (postgres_server.url("postgres", "nobody"), "", "does not exist"),
        (postgres_server.url("postgres", "fleet", tcp=True), str(tmp_path / "missing"), "cannot be read"),
        (postgres_server.url("postgres", "fleet", tcp=True), str(open_to_all), "others can read .* chmod 600"),
        (postgres_server.url("postgres", "fleet"), "", "permission denied for schema public"),
    ]:
        with pytest.raises(StoreRefused, match=says) as refused:
            SqlStore.postgres(PostgresAddress(url, file))
        assert "guessed" not in str(refused.value)


def test_a_password_that_is_changed_in_its_file_is_used_for_the_next_connection(postgres_server, tmp_path):
    postgres_server.execute("DROP ROLE IF EXISTS changing")
    postgres_server.execute("CREATE ROLE changing LOGIN PASSWORD 'one'")
    postgres_server.create("changing", "changing")
    file = tmp_path / "password"
    file.touch(0o600)
    file.write_text("one\n")
    store = SqlStore.postgres(PostgresAddress(postgres_server.url("changing", "changing", tcp=True), str(file)))
    postgres_server.execute("ALTER ROLE changing PASSWORD 'two'")
    file.write_text("two")
    store._drop_connection()

    assert store.head().epoch == 0
    store.close()
    postgres_server.execute("DROP DATABASE changing")


def test_a_server_that_is_not_there_is_away():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        with pytest.raises(StoreAway, match="refused"):
            SqlStore.postgres(PostgresAddress(f"postgresql://postgres@127.0.0.1:{port}/x"))


def test_a_server_that_is_too_old_or_another_product_is_refused():
    postgres.check_version(140000, "PostgreSQL 14.0 on x86")
    with pytest.raises(StoreRefused, match=r"PostgreSQL 13\.9; PostgreSQL 14 or later"):
        postgres.check_version(130009, "PostgreSQL 13.9, compiled by")
    with pytest.raises(StoreRefused, match="CockroachDB"):
        postgres.check_version(130000, "CockroachDB CCL v24.1, built")
