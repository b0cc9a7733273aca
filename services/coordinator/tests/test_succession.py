from __future__ import annotations

import asyncio
from pathlib import Path

from crossfleet.coordinator.ledger import tables
from crossfleet.coordinator.ledger.engines import sqlite_engine
from crossfleet.coordinator.succession import notice_successor
from crossfleet.foundation.clock import ManualClock
from crossfleet.foundation.wait import eventually
from services.coordinator.tests.running import running


async def test_a_leader_that_has_nothing_to_commit_notices_that_another_one_has_followed_it(tmp_path: Path) -> None:
    clock = ManualClock(1_000_000.0)
    async with running(tmp_path) as fleet:
        writer = fleet.coordinator.writer
        noticing = asyncio.ensure_future(notice_successor(writer, clock))
        await asyncio.sleep(0)
        clock.advance(6.0)
        await writer.confirm()
        assert not writer.failed, "nobody has followed it yet"
        engine = sqlite_engine(str(tmp_path / "ledger.sqlite"))
        with engine.begin() as connection:
            connection.execute(tables.ledger_head.update().values(epoch=tables.ledger_head.c.epoch + 1))
        engine.dispose()

        def noticed() -> bool:
            clock.advance(1.0)
            return bool(writer.failed)

        await eventually(noticed, deadline=30, what="it leads no more")
        await noticing
        assert "epoch 2 has begun" in writer.failed
        assert "epoch 2 has begun" in await fleet.coordinator.wait_failed()
