"""Notices that another coordinator has taken the ledger over, also while there is nothing to commit."""

from __future__ import annotations

from crossfleet.coordinator.ledger.store import Deposed, StoreFailed
from crossfleet.coordinator.ledger.writer import LedgerWriter
from crossfleet.foundation.clock import Clock

_SECONDS = 5.0


async def notice_successor(writer: LedgerWriter, clock: Clock) -> None:
    """Deposes the writer when a later term has begun; runs until cancelled.

    An election tells most leaders before. Not one that has none, or whose machine was stopped with its clock.
    """
    committed = writer.cursor
    while not writer.failed:
        await clock.sleep(_SECONDS)
        if writer.cursor == committed:
            try:
                await writer.confirm()
            except Deposed as error:
                writer.depose(f"another coordinator leads now: {error}")
            except StoreFailed:
                pass  # the next commit tells of it
        committed = writer.cursor
