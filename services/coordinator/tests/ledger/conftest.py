import itertools

import pytest

from crossfleet.coordinator.ledger.memory import MemoryStore
from crossfleet.coordinator.ledger.postgres import PostgresAddress
from crossfleet.coordinator.ledger.sql import SqlStore
from tests.real.postgres import PostgresServer

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server():
    """A PostgreSQL server of its own; what is committed need not survive a power cut here."""
    with PostgresServer({"fsync": "off"}) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server):
    """An empty database."""
    return postgres_server.create(f"ledger_{next(_numbers)}")


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def database(request, tmp_path):
    """Opens stores on one and the same database, as several coordinators would."""
    if request.param == "memory":
        shared = MemoryStore()
        yield lambda: shared
        return
    stores = []
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""

    def open_store():
        stores.append(SqlStore.postgres(PostgresAddress(url)) if url else SqlStore.sqlite(tmp_path / "ledger.db"))
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()
