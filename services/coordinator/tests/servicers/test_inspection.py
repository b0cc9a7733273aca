"""What runs now: told to watchers without being committed, and asked of the workers that run it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from crossfleet.api.coordinator.v1 import event_service_pb2 as event_pb2
from crossfleet.api.coordinator.v1 import inspection_service_pb2 as inspection_pb2
from crossfleet.api.coordinator.v1.inspection_service_pb2_grpc import InspectionServiceStub
from crossfleet.api.worker.v1 import worker_service_pb2 as worker_pb2
from crossfleet.coordinator.events.feed import Watcher
from crossfleet.foundation.errors import SlowWatcher
from crossfleet.foundation.errors.status import error_from_rpc
from services.coordinator.tests.running import SECONDS, GreedyScheduler, Running, ScriptedWorker, noop, running


class Executing:
    """A run of four cases whose first task a worker executes."""

    def __init__(self, fleet: Running) -> None:
        self.fleet = fleet
        self.worker = ScriptedWorker(fleet.channel)
        self.inspection: Any = InspectionServiceStub(fleet.channel)
        self.run_id = ""
        self.cursor = ""

    async def begin(self) -> worker_pb2.AssignedTask:
        await self.worker.welcomed()
        submitted = await self.fleet.submit(noop(4))
        self.run_id, self.cursor = submitted.run.run_id, submitted.event_cursor
        self.assign = (await self.worker.next("assign")).assign
        return self.assign.tasks[0]

    async def say(self, *lasting: tuple[int, int, float]) -> None:
        slots = [worker_pb2.SlotProgress(attempt_id=a, case_index=c, seconds=s) for a, c, s in lasting]
        await self.worker.send(worker_pb2.WorkerMessage(progress=worker_pb2.Progress(slots=slots)))

    async def lasting(self, **more: Any) -> event_pb2.Event:
        request = event_pb2.WatchEventsRequest(after=self.cursor, run_id=self.run_id, executing=True, **more)
        async with asyncio.timeout(SECONDS):
            async for response in self.fleet.events.WatchEvents(request):
                for event in response.events:
                    if event.HasField("cases_executing"):
                        return event
        raise AssertionError("the stream ended")

    def inspect(self, **more: Any) -> Any:
        return self.inspection.InspectCases(inspection_pb2.InspectCasesRequest(run_id=self.run_id, **more))

    async def answer(self, *cases: tuple[int, int, float], **more: Any) -> worker_pb2.Inspect:
        order = (await self.worker.next("inspect")).inspect
        for attempt, case, seconds in cases:
            found = worker_pb2.Inspected(request_id=order.request_id, attempt_id=attempt)
            if case >= 0:
                found.executing, found.case_index, found.seconds = True, case, seconds
                for name, value in more.items():
                    setattr(found, name, value)
                for place in order.output_places:
                    found.output.add(place=place + 3, content=b"abc")
            await self.worker.send(worker_pb2.WorkerMessage(inspected=found))
        return order


async def test_a_case_that_lasts_is_told_to_whoever_asked_for_it_at_once_and_later(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        run = Executing(fleet)
        task = await run.begin()
        before = asyncio.ensure_future(run.lasting())
        while len(fleet.coordinator.feed) < 1:
            await asyncio.sleep(0)
        await run.say((task.attempt_id, task.case_indices[0], 7.0), (12345, 0, 9.0))
        event = await before
        late = await run.lasting()

    assert (event.cursor, event.run_id) == ("", run.run_id)
    (case,) = event.cases_executing.cases
    assert event.cases_executing.worker_id == "w1"
    assert (case.target, case.case_id, case.attempt_id) == ("default", "case-0", task.attempt_id)
    assert 7.0 <= case.seconds < 8.0
    assert late.cases_executing.cases[0].case_id == "case-0"


async def test_what_is_not_committed_moves_no_cursor_and_is_told_to_nobody_else(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        run = Executing(fleet)
        task = await run.begin()
        watching = asyncio.ensure_future(fleet.watch(run.cursor, run.run_id, until_finished=True))
        await run.say((task.attempt_id, task.case_indices[0], 7.0))
        await run.lasting()
        done = 0
        assign = run.assign
        while True:
            done += sum(len(task.case_indices) for task in assign.tasks)
            await run.worker.execute(assign)
            if done == 4:
                break
            assign = (await run.worker.next("assign")).assign
        plain = await watching
        again = await fleet.watch(run.cursor, run.run_id, until_finished=True, executing=True)

    assert all(event.cursor for event in plain)
    assert [event.cursor for event in again] == [event.cursor for event in plain]


def test_a_slow_watcher_keeps_only_the_newest_word_of_each_worker() -> None:
    watcher = Watcher("", (0, 0), most=2, executing=True)
    event = event_pb2.Event()
    for seconds in range(1000):
        event = event_pb2.Event(run_id="r")
        event.cases_executing.worker_id = f"w{seconds % 2}"
        event.cases_executing.cases.add(seconds=seconds)
        watcher.show(event)
    watcher.offer([((1, 0), event_pb2.Event(cursor="1.0"))])
    told = watcher.taken((0, 7))
    assert [event.cases_executing.cases[0].seconds for event in told[:2]] == [998, 999]
    assert [event.cursor for event in told] == ["", "", "1.0"]
    watcher.let_go()
    watcher.show(event)
    with pytest.raises(SlowWatcher):
        watcher.taken((0, 7))


async def test_a_run_can_be_looked_into_on_its_workers(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        run = Executing(fleet)
        tasks = [await run.begin(), *run.assign.tasks[1:]]
        now = [(task.attempt_id, task.case_indices[0], float(task.slot)) for task in tasks]
        asking = asyncio.ensure_future(
            run.inspect(stacks=True, output=inspection_pb2.OutputPlaces(stdout=4), max_cases=1)
        )
        first = await run.answer(*now)
        second = await run.answer(max(now, key=lambda one: one[2]), stacks=b"in test_x")
        answer = await asking

    assert (first.stacks, list(first.output_places), len(first.attempt_ids)) == (False, [], len(tasks))
    assert (second.stacks, list(second.output_places), len(second.attempt_ids)) == (True, [4, 0], 1)
    (case,) = answer.cases
    assert (case.worker_id, case.stacks, case.stdout, case.places.stdout) == ("w1", b"in test_x", b"abc", 7)
    assert (answer.left_out, list(answer.silent_worker_ids)) == (len(tasks) - 1, [])


async def test_of_more_than_one_message_can_carry_the_rest_is_counted(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        run = Executing(fleet)
        tasks = [await run.begin(), *run.assign.tasks[1:]]
        now = [(task.attempt_id, task.case_indices[0], float(task.slot)) for task in tasks]
        asking = asyncio.ensure_future(run.inspect(stacks=True))
        await run.answer(*now)
        await run.answer(*now, stacks=b"x" * (9 << 20))
        answer = await asking

    assert (len(tasks) > 1, len(answer.cases), answer.left_out) == (True, 1, len(tasks) - 1)


async def test_a_worker_without_a_session_is_named_at_once(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        run = Executing(fleet)
        await run.begin()
        run.worker.leave()
        while len(fleet.coordinator.sessions):
            await asyncio.sleep(0)
        answer = await run.inspect(stacks=True)
    assert (list(answer.cases), list(answer.silent_worker_ids)) == ([], ["w1"])


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"max_cases": 101}, "max_cases"), ({"output": inspection_pb2.OutputPlaces(stderr=-1)}, "output")],
)
async def test_a_question_that_makes_no_sense_names_its_field(tmp_path: Path, wrong: Any, field: str) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        run = Executing(fleet)
        await run.begin()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await run.inspect(**wrong)
    assert [each.path for each in error_from_rpc(caught.value).fields] == [field]
