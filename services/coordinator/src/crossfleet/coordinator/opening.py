"""Opens the ledger: takes it over under a new epoch, loads what is not finished. Failures become errors with their mend."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

from crossfleet.coordinator.config import Settings
from crossfleet.coordinator.election.port import Term
from crossfleet.coordinator.ledger.database import Database, database
from crossfleet.coordinator.ledger.ledger import Ledger
from crossfleet.coordinator.ledger.patience import Patience
from crossfleet.coordinator.ledger.store import (
    SchemaUnsupported,
    Store,
    StoreAway,
    StoreFailed,
    StoreFull,
    StoreRefused,
    TakeOverRefused,
)
from crossfleet.coordinator.ledger.writer import LedgerWriter
from crossfleet.foundation.errors import (
    ConfigurationInvalid,
    DiskFull,
    ElectionResetNeeded,
    FieldViolation,
    NotLeader,
    SchemaVersionUnsupported,
    StorageCorrupt,
    Unavailable,
)
from crossfleet.foundation.logs import get_logger
from crossfleet.foundation.retry import delays

_RETRY_SECONDS = 1.0
_FIRST_PAUSE, _LAST_PAUSE = 0.2, 2.0
_CUT_SECONDS = 2.0
# Of the leader's lease: so long a leader that has fallen silent in a transaction keeps the ledger's head.
_HOLD_SHARE = 0.8


def database_of(settings: Settings, folder: Path) -> Database:
    """Where the ledger of these settings lives. Raises ConfigurationInvalid for a wrong URL."""
    try:
        hold = _HOLD_SHARE * settings.leader_lease_seconds
        return database(folder, settings.database, settings.database_password_file, hold)
    except StoreRefused as refused:
        raise ConfigurationInvalid("wrong database", fields=[FieldViolation("database", str(refused))]) from None


@contextmanager
def explained(opened: Database) -> Iterator[None]:
    """Failures of a store as errors for people.

    Raises ConfigurationInvalid, DiskFull, ElectionResetNeeded, SchemaVersionUnsupported, StorageCorrupt, Unavailable.
    """
    try:
        yield
    except SchemaUnsupported as error:
        raise SchemaVersionUnsupported(str(error), found=error.found, supported=error.supported) from None
    except TakeOverRefused as error:
        raise ElectionResetNeeded(str(error)) from None
    except StoreFull as error:
        raise DiskFull(f"no room for the ledger: {error}", path=opened) from error
    except StoreRefused as error:
        violation = FieldViolation("database", f"{error}{_mend(str(error))}")
        raise ConfigurationInvalid(f"the database {opened} refuses", fields=[violation]) from error
    except StoreAway as error:
        raise Unavailable(f"the database {opened} is away: {error}", retry_after=_RETRY_SECONDS) from error
    except StoreFailed as error:
        raise StorageCorrupt(f"the ledger cannot be read: {error.__cause__ or error}", path=opened) from error


def _mend(refusal: str) -> str:
    """What helps, where PostgreSQL's own words do not say it."""
    for words, mend in _MENDS.items():
        if words in refusal:
            return f" ({mend})"
    return ""


_MENDS = {
    "no password supplied": "name a file: --database-password-file FILE",
    "password authentication failed": "see --database-password-file FILE",
    "permission denied for schema": "the tables are made in it: GRANT CREATE, USAGE ON SCHEMA ... TO this role",
    "permission denied for table": "the role that made the tables, or one with all rights on them, must be given",
    '" does not exist': "CREATE ROLE and CREATE DATABASE ... OWNER are yours to do, once",
    "pg_hba.conf": "the server's administrator allows hosts, users and databases there",
    "invalid response": "is this the port of a PostgreSQL?",
}


async def prepare(opened: Database, patience: float = 0.0) -> None:
    """Makes or upgrades the schema. A database that is away is waited for, `patience` seconds: it may be starting too.

    Raises what `explained` raises.
    """
    began, told = time.monotonic(), False
    for pause in delays(first=_FIRST_PAUSE, longest=_LAST_PAUSE):
        try:
            with explained(opened):
                store = await asyncio.to_thread(opened.store)
        except Unavailable as error:
            if time.monotonic() - began >= patience:
                raise
            if not told:
                get_logger().warning("waits for the database", cause=error.message, at_most_seconds=patience)
            told = True
            await asyncio.sleep(pause)
        else:
            await asyncio.to_thread(store.close)
            return


async def open_ledger(
    stack: AsyncExitStack, opened: Database, term: Term, *, leader: str, limit: int, patience: Patience
) -> LedgerWriter:
    """The started writer of a term; `stack` stops it. `limit`: most commands that wait.

    Raises what `explained` raises, and NotLeader where the term was over first.
    """
    with explained(opened):
        ledger = Ledger(await asyncio.to_thread(opened.store))
        opening = asyncio.to_thread(ledger.open, leader=leader, cluster=term.cluster, revision=term.revision)
        try:
            await _unless_cancelled(opening, ledger.store)
        except BaseException as error:
            ledger.store.close()
            if isinstance(error, TakeOverRefused) and not error.reset_needed and term.remaining() <= 0:
                raise NotLeader("the term was over before the ledger was taken over") from error
            raise
    writer = LedgerWriter(
        ledger,
        time.time,
        limit=limit,
        remaining=term.remaining,
        patience=patience,
        stopwatch=time.perf_counter,
    )
    await writer.start()
    stack.push_async_callback(writer.stop)
    return writer


async def _unless_cancelled(work: Coroutine[Any, Any, None], store: Store) -> None:
    """Waits for a thread's work at the store. Cancelled, it breaks that off: who is at the store must leave before it is closed."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        store.cut()
        await asyncio.wait([task], timeout=_CUT_SECONDS)
        if task.done() and (failure := task.exception()) is not None:
            get_logger().info("the take-over was broken off", cause=str(failure))
        raise
