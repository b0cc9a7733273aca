from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfleet.api.coordinator.v1 import event_service_pb2 as event_pb2
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.cases import CollectedCase
from crossfleet.coordinator.core.commands import TargetSpec
from crossfleet.coordinator.core.model import Group, State
from crossfleet.coordinator.core.outcomes import Outcome
from crossfleet.coordinator.events.announcer import Announcer
from crossfleet.coordinator.events.cursors import parse, text
from crossfleet.coordinator.events.feed import Watcher
from crossfleet.coordinator.events.known import Known
from crossfleet.coordinator.ledger.sql import SqlStore
from crossfleet.coordinator.ledger.store import Batch, StoreFull
from crossfleet.foundation.errors import InvalidArgument, SlowWatcher
from crossfleet.foundation.errors.status import error_from_rpc
from crossfleet.foundation.wait import eventually
from crossfleet.matching.model import Request
from services.coordinator.tests.running import GreedyScheduler, Running, ScriptedWorker, noop, running


async def carried_out(fleet: Running, cases: int = 2) -> tuple[str, str]:
    """A run to its end; answers its id and the cursor before it."""
    worker = ScriptedWorker(fleet.channel)
    await worker.welcomed()
    submitted = await fleet.submit(noop(cases))
    done = 0
    while done < cases:
        assign = (await worker.next("assign")).assign
        done += sum(len(task.case_indices) for task in assign.tasks)
        await worker.execute(assign)
    await fleet.until(submitted.run.run_id, 4)
    return submitted.run.run_id, submitted.event_cursor


def kinds(events: list[event_pb2.Event]) -> list[str]:
    return [str(event.WhichOneof("kind")) for event in events]


async def test_a_run_is_told_from_its_first_fact_to_its_last(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        run_id, cursor = await carried_out(fleet)
        events = await fleet.watch(cursor, run_id, until_finished=True)

    told = kinds(events)
    assert told[0] == "run_submitted"
    assert told[-1] == "run_finished"
    for kind in ("allocation_opened", "tasks_assigned", "cases_finished", "attempt_ended", "target_finished"):
        assert kind in told
    ended = next(event.attempt_ended.attempt for event in events if event.HasField("attempt_ended"))
    assert (ended.worker_id, ended.cause) == ("w1", 1)
    assert ended.cases > 0


async def test_while_the_end_of_a_large_run_is_put_into_words_others_have_their_turns() -> None:
    ids = [f"a.py::{number}" for number in range(20_000)]
    state, turns = State(), 0
    state.groups["r/t"] = Group("r/t", "r", TargetSpec("t", "", Request()), 0, collected=True)
    state.groups["r/t"].cases = tuple(map(CollectedCase, ids))
    stopped = tuple(e.FinishedCase(index, Outcome.CANCELLED, 0.0, "", 0, "", 0) for index in range(len(ids)))

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.ensure_future(others())
    announcer = Announcer(Known(None, lambda: state), None)  # type: ignore[arg-type]
    ((_, event),) = await announcer.announce([((1, 0), 1.0, e.CasesFinished("r", "r/t", stopped, (), 1.0))])
    task.cancel()

    assert [case.case_id for case in event.cases_finished.cases] == ids
    assert turns >= 9


async def test_stored_and_live_events_are_the_same(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        start = text(fleet.coordinator.feed.last)
        live: list[event_pb2.Event] = []

        async def follow() -> None:
            async for response in fleet.events.WatchEvents(event_pb2.WatchEventsRequest(after=start)):
                live.extend(response.events)
                if any(event.HasField("run_finished") for event in response.events):
                    return

        following = asyncio.ensure_future(follow())
        run_id, cursor = await carried_out(fleet)
        await asyncio.wait_for(following, 10)
        stored = await fleet.watch(cursor, run_id, until_finished=True)

    about_run = [event for event in live if event.run_id == run_id]
    upto = kinds(about_run).index("run_finished") + 1
    cut = kinds(stored).index("run_finished") + 1
    assert [event.cursor for event in about_run[:upto]] == [event.cursor for event in stored[:cut]]
    assert [e for e in about_run[:upto] if e.HasField("cases_finished")] == [
        e for e in stored[:cut] if e.HasField("cases_finished")
    ]


async def test_a_watcher_that_comes_back_misses_and_repeats_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        run_id, cursor = await carried_out(fleet, 5)
        whole = [event.cursor for event in await fleet.watch(cursor, run_id, until_finished=True)]
        for place in range(len(whole) - 1):
            rest = await fleet.watch(whole[place], run_id, until_finished=True)
            assert [event.cursor for event in rest] == whole[place + 1 :]


async def test_what_is_stored_reads_the_same_after_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        run_id, cursor = await carried_out(fleet, 5)
        before = await fleet.watch(cursor, run_id, until_finished=True)
    async with running(tmp_path) as fleet:
        after = await fleet.watch(cursor, run_id, until_finished=True)
        middle = await fleet.watch(before[3].cursor, run_id, until_finished=True)

    assert [event.cursor for event in after] == [event.cursor for event in before]
    assert [one for one in after if one.HasField("cases_finished")] == [
        one for one in before if one.HasField("cases_finished")
    ]
    assert [event.cursor for event in middle] == [event.cursor for event in before[4:]]


async def test_a_cursor_that_is_none_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        for wrong in ("soon", "999.0", "-1.0"):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await fleet.watch(wrong)
            assert [field.path for field in error_from_rpc(caught.value).fields] == ["after"]


async def test_a_cursor_of_a_later_leader_is_sent_to_it_and_not_called_wrong(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        before = fleet.coordinator.feed.last
        run_id, _ = await carried_out(fleet)
        cursor = text(fleet.coordinator.feed.last)
        fleet.coordinator.feed._last = before  # as one that was frozen while another committed
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await fleet.watch(cursor, run_id)

    assert error_from_rpc(caught.value).reason == "NOT_LEADER"


async def test_waiting_for_the_end_of_no_run_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await fleet.watch("0", until_finished=True)

    assert [field.path for field in error_from_rpc(caught.value).fields] == ["run_id"]


async def test_a_watch_ends_when_the_coordinator_goes_down(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        watching = asyncio.ensure_future(fleet.watch(""))
        while not len(fleet.coordinator.feed):
            await asyncio.sleep(0)
        fleet.draining.begin("test")

        assert await asyncio.wait_for(watching, 5) == []


def test_a_watcher_that_does_not_keep_up_is_let_go_with_the_place_to_go_on() -> None:
    watcher = Watcher("", (0, 0), most=2)
    watcher.offer([((1, index), event_pb2.Event(cursor=f"1.{index}")) for index in range(3)])

    with pytest.raises(SlowWatcher) as caught:
        watcher.taken((0, 7))

    assert caught.value.metadata["cursor"] == "0.7"


@given(st.integers(0, 10**15), st.integers(0, 10**8))
def test_a_cursor_is_read_as_it_was_written(seq: int, index: int) -> None:
    assert parse(text((seq, index)), (1 << 60, 0)) == (seq, index)


@given(st.text(max_size=12).filter(lambda cursor: cursor not in ("", "0") and "." not in cursor))
def test_a_text_without_both_parts_is_no_cursor(cursor: str) -> None:
    with pytest.raises(InvalidArgument):
        parse(cursor, (5, 5))


async def test_whoever_watches_is_told_when_the_disk_stays_full_and_the_run_goes_on_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(store: SqlStore, batch: Batch) -> None:
        raise StoreFull("no space left on device")

    async with running(tmp_path, scheduler=GreedyScheduler(), disk_full_seconds=0.2) as fleet:
        worker = ScriptedWorker(fleet.channel)
        await worker.welcomed()
        submitted = await fleet.submit(noop(1))
        assign = (await worker.next("assign")).assign
        with monkeypatch.context() as patch:
            patch.setattr(SqlStore, "commit", refuse)
            watching = asyncio.ensure_future(fleet.watch(submitted.event_cursor, submitted.run.run_id))

            async def refused() -> bool:
                with pytest.raises(grpc.aio.AioRpcError):
                    await fleet.submit(noop(1), "another")
                return watching.done()

            await eventually(refused, what="the end of the watch")
        with pytest.raises(grpc.aio.AioRpcError) as told:
            await watching
        await worker.execute(assign)
        await fleet.until(submitted.run.run_id, 4)

    error = error_from_rpc(told.value)
    assert (error.reason, error.metadata["path"]) == ("DISK_FULL", str(tmp_path))
