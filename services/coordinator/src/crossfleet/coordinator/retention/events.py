"""How long the event log is kept: what is older, and belongs to no open run, is dropped little by little."""

from __future__ import annotations

from crossfleet.coordinator.ledger.store import Deposed, StoreFailed, StoreFull
from crossfleet.coordinator.ledger.writer import LedgerWriter
from crossfleet.foundation.clock import Clock
from crossfleet.foundation.logs import get_logger

_SECONDS = 60.0
# A commit waits while so many rows go, some ten milliseconds; then others have the ledger for longer.
_ROWS = 500
_REST = 3.0


async def drop_old_events(writer: LedgerWriter, commits: int, clock: Clock) -> None:
    """Keeps the events of the last `commits` commits and of open runs; runs until cancelled.

    Runs, cases, results and artifacts have rows of their own and stay. A watcher that comes back too late is told
    CURSOR_EXPIRED.
    """
    dropped = 0
    while True:
        await clock.sleep(_SECONDS)
        first = writer.cursor[0] - commits + 1
        if first <= dropped or writer.failed:
            continue
        try:
            await _drop(writer, first, clock)
        except (Deposed, StoreFailed, StoreFull) as error:
            # A lost ledger shows at the next commit; a full disk may have room again.
            get_logger().warning("old events were not dropped", error=str(error))
        else:
            dropped = first


async def _drop(writer: LedgerWriter, first: int, clock: Clock) -> None:
    while True:
        began = clock.monotonic()
        if await writer.prune(first, _ROWS) < _ROWS:
            return
        await clock.sleep(max((clock.monotonic() - began) * _REST, 0.001))
