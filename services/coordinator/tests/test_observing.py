from __future__ import annotations

from pathlib import Path

from prometheus_client import REGISTRY

from crossfleet.coordinator.observing import NullObserver, observer
from services.coordinator.tests.running import noop, running


async def test_what_is_committed_is_counted_and_timed(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        writer = fleet.coordinator.writer
        watching = observer("127.0.0.1:0", fleet.coordinator.sessions, writer)
        writer.subscribe(watching.committed)
        await fleet.submit(noop(3))

        assert REGISTRY.get_sample_value("crossfleet_ledger_batches_total") == 1.0
        assert REGISTRY.get_sample_value("crossfleet_ledger_commit_seconds_count") == 1.0
        assert (REGISTRY.get_sample_value("crossfleet_ledger_commit_seconds_sum") or 0.0) > 0.0
        assert REGISTRY.get_sample_value("crossfleet_ledger_queue") == 0.0
        assert REGISTRY.get_sample_value("crossfleet_open_runs") == 1.0


async def test_nothing_is_counted_where_nobody_asks(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        assert isinstance(fleet.coordinator.observer, NullObserver)
