"""Opens the ledger of a data folder: takes it over under a new epoch, loads what is not finished."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

from crossfleet.coordinator.ledger.ledger import Ledger
from crossfleet.coordinator.ledger.queries import Queries
from crossfleet.coordinator.ledger.sql import SqlStore
from crossfleet.coordinator.ledger.store import SchemaUnsupported, StoreFailed, StoreFull
from crossfleet.coordinator.ledger.writer import LedgerWriter
from crossfleet.foundation.errors import DiskFull, SchemaVersionUnsupported, StorageCorrupt

_FILE = "ledger.sqlite"


async def open_ledger(
    stack: AsyncExitStack, folder: Path, *, leader: str, limit: int
) -> tuple[LedgerWriter, Queries, int]:
    """The started writer, the reader and the epoch; `stack` closes them. `limit`: most commands that wait.

    Raises SchemaVersionUnsupported, DiskFull, StorageCorrupt.
    """
    path = folder / _FILE
    try:
        ledger = Ledger(SqlStore.sqlite(path))
        # The election by lock has no revisions: each take-over counts as a later one.
        await asyncio.to_thread(ledger.open, leader=leader, cluster="", revision=time.time_ns())
    except SchemaUnsupported as error:
        raise SchemaVersionUnsupported(str(error), found=error.found, supported=error.supported) from None
    except StoreFull as error:
        raise DiskFull(f"no room for the ledger: {error}", path=path) from error
    except StoreFailed as error:
        raise StorageCorrupt(f"the ledger cannot be read: {error.__cause__ or error}", path=path) from error
    writer = LedgerWriter(ledger, time.time, limit=limit)
    await writer.start()
    stack.callback(ledger.store.close)
    stack.push_async_callback(writer.stop)
    queries = Queries.sqlite(path)
    stack.callback(queries.close)
    return writer, queries, ledger.epoch
