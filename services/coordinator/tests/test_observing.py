from __future__ import annotations

from pathlib import Path

from prometheus_client import REGISTRY

from crossfleet.api.types.v1 import run_pb2
from crossfleet.coordinator.observing import NullObserver, observer
from crossfleet.foundation.wait import eventually
from services.coordinator.tests.running import GreedyScheduler, ScriptedWorker, noop, running


async def test_what_is_committed_is_counted_and_timed(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        writer = fleet.coordinator.writer
        watching = observer("127.0.0.1:0", fleet.coordinator.sessions, writer, fleet.coordinator.schedulers)
        writer.subscribe(watching.committed)
        await fleet.submit(noop(3))

        assert REGISTRY.get_sample_value("crossfleet_ledger_batches_total") == 1.0
        assert REGISTRY.get_sample_value("crossfleet_ledger_commit_seconds_count") == 1.0
        assert (REGISTRY.get_sample_value("crossfleet_ledger_commit_seconds_sum") or 0.0) > 0.0
        assert REGISTRY.get_sample_value("crossfleet_ledger_queue") == 0.0
        assert REGISTRY.get_sample_value("crossfleet_open_runs") == 1.0
        watching.ended()


async def test_each_scheduler_is_told_of_by_its_name(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler(), beside={"new": GreedyScheduler()}) as fleet:
        (new,) = fleet.coordinator.schedulers.members
        await eventually(lambda: new.figures.connected, what="the scheduler")
        watching = observer(
            "127.0.0.1:0", fleet.coordinator.sessions, fleet.coordinator.writer, fleet.coordinator.schedulers
        )
        submitted = await fleet.submit(noop(1))
        worker = ScriptedWorker(fleet.channel)
        await worker.welcomed()
        await worker.execute((await worker.next("assign")).assign)
        await fleet.until(submitted.run.run_id, run_pb2.RUN_STATE_FINISHED)

        def value(figure: str, **labels: str) -> float | None:
            return REGISTRY.get_sample_value(f"crossfleet_scheduler_{figure}", labels)

        assert value("proposals_total", scheduler="new", outcome="accepted") == 1.0
        assert value("proposals_total", scheduler="default", outcome="accepted") == 0.0
        assert (value("out", scheduler="new"), value("out", scheduler="default")) == (0.0, None)
        assert value("connected", scheduler="default") == 1.0
        watching.ended()
        assert value("connected", scheduler="default") is None


async def test_nothing_is_counted_where_nobody_asks(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        assert isinstance(fleet.coordinator.observer, NullObserver)
