"""The Scheduler service over a real gRPC connection."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

import grpc
import pytest

import crossfleet.scheduler
from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.api.scheduler.v1.scheduler_service_pb2_grpc import (
    SchedulerServiceStub,
    add_SchedulerServiceServicer_to_server,
)
from crossfleet.api.types.v1 import device_pb2
from crossfleet.foundation.clock import SystemClock
from crossfleet.foundation.draining import Draining
from crossfleet.foundation.serve import ServiceDefinition
from crossfleet.foundation.testing import serving
from crossfleet.scheduler.core.model import Plan, Policy
from crossfleet.scheduler.recorder import NullRecorder, PrometheusRecorder
from crossfleet.scheduler.servicer import SchedulerServicer
from crossfleet.scheduler.stream import Stream

LIMIT = 10.0


@asynccontextmanager
async def dialled(policy: Policy | None = None, draining: Draining | None = None) -> AsyncIterator[Any]:
    servicer = SchedulerServicer(
        policy=policy or Policy(),
        version=crossfleet.scheduler.__version__,
        clock=SystemClock(),
        draining=draining or Draining(),
        recorder=NullRecorder(),
    )
    definition = ServiceDefinition("scheduler", [(add_SchedulerServiceServicer_to_server, servicer)])
    async with serving(definition) as running:
        yield SchedulerServiceStub(running.channel)


def worker(name: str, slots: int = 2, **more) -> device_pb2.Worker:
    state = device_pb2.WORKER_STATE_READY
    return device_pb2.Worker(worker_id=name, slots=slots, cpu_cores=slots, state=state, runners=["pytest"], **more)


def group(name: str, wanted: int = 2, **more) -> scheduler_pb2.TaskGroup:
    return scheduler_pb2.TaskGroup(group_id=name, run_id="r", runner="pytest", wanted_slots=wanted, **more)


def snapshot(revision: int = 1, workers=(), groups=()) -> scheduler_pb2.ScheduleRequest:
    rows = scheduler_pb2.Snapshot(workers=workers, groups=groups)
    return scheduler_pb2.ScheduleRequest(revision=revision, snapshot=rows, now_unix_seconds=1000.0)


def delta(revision: int, outcomes=(), **rows) -> scheduler_pb2.ScheduleRequest:
    return scheduler_pb2.ScheduleRequest(
        revision=revision, delta=scheduler_pb2.Delta(**rows), outcomes=outcomes, now_unix_seconds=1000.0
    )


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@asynccontextmanager
async def task_of(work: Coroutine[Any, Any, Any]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_it_describes_itself():
    async with dialled() as stub:
        answer = await stub.Describe(scheduler_pb2.DescribeRequest(), timeout=LIMIT)
    assert (answer.name, answer.snapshots_only) == ("crossfleet-default", False)
    assert answer.version == version("crossfleet-scheduler")


async def test_a_snapshot_is_answered_with_a_plan_on_its_revision():
    async with dialled() as stub:
        call = stub.Schedule(timeout=LIMIT)
        unfit = group("h", selector='worker.labels.zone == "eu"')
        await call.write(snapshot(7, [worker("w1")], [group("g", 3), unfit]))
        plan = await call.read()
    assert plan.base_revision == 7
    assert [(one.group_id, one.worker_id, one.slots) for one in plan.allocate] == [("g", "w1", 2)]
    kinds = {one.group_id: one.kind for one in plan.waiting}
    assert kinds == {"g": scheduler_pb2.WAITING_KIND_LATER, "h": scheduler_pb2.WAITING_KIND_NEVER}


async def test_typed_attributes_and_requests_arrive_as_they_were_sent():
    gpu = device_pb2.Device(device_id="gpu-0", device_class="gpu", capacities={"memory": 2**35})
    gpu.attributes["driver"].version_value = "550.54"
    gpu.attributes["features"].list_value.values.append("fp8")
    gpu.attributes["odd"].version_value = "not one"
    wanting = group(
        "g", selector='device.driver >= version("550") && "fp8" in device.features && device.odd == "not one"'
    )
    demand = wanting.request.devices.add(device_class="gpu", selector='device.memory >= quantity("32Gi")')
    assert demand.count == 0
    async with dialled() as stub:
        call = stub.Schedule(timeout=LIMIT)
        await call.write(snapshot(1, [worker("w1", devices=[gpu])], [wanting]))
        plan = await call.read()
    assert [(one.slots, list(one.device_ids)) for one in plan.allocate] == [(1, ["gpu-0"])]


async def test_deltas_are_planned_on_the_newest_revision():
    async with dialled() as stub:
        call = stub.Schedule(timeout=LIMIT)
        await call.write(snapshot(1, [worker("w1")]))
        assert (await call.read()).base_revision == 1
        await call.write(delta(2, groups=[group("g")]))
        plan = await call.read()
    assert (plan.base_revision, plan.allocate[0].slots) == (2, 2)


async def test_a_gap_asks_once_for_a_snapshot_and_goes_on_from_it():
    async with dialled() as stub:
        call = stub.Schedule(timeout=LIMIT)
        await call.write(snapshot(1))
        await call.read()
        await call.write(delta(3, groups=[group("g")]))
        asked = await call.read()
        assert asked.request_snapshot
        await call.write(delta(4))
        await call.write(snapshot(5, [worker("w1")], [group("g")]))
        plan = await call.read()
    assert (plan.request_snapshot, plan.base_revision, len(plan.allocate)) == (False, 5, 1)


class CountingClock(SystemClock):
    reads = 0

    def monotonic(self) -> float:
        self.reads += 1
        return super().monotonic()


async def test_who_waits_for_a_snapshot_rests_though_a_proposal_was_never_answered():
    updates = asyncio.Queue[scheduler_pb2.ScheduleRequest]()

    async def told() -> AsyncIterator[scheduler_pb2.ScheduleRequest]:
        while True:
            yield await updates.get()

    clock = CountingClock()
    plans = Stream(Policy(pending_seconds=0.0), clock, NullRecorder()).answers(told())
    updates.put_nowait(snapshot(1, [worker("w1")], [group("g")]))
    assert (await anext(plans)).allocate
    updates.put_nowait(delta(3))
    while not (await anext(plans)).request_snapshot:
        pass

    async def waits() -> None:
        await anext(plans)

    async with task_of(waits()):
        await turns(3)
        before = clock.reads
        await turns(100)
    assert clock.reads == before


async def test_a_stream_that_begins_with_a_delta_asks_for_a_snapshot():
    async with dialled() as stub:
        call = stub.Schedule(timeout=LIMIT)
        await call.write(delta(1))
        assert (await call.read()).request_snapshot


async def test_an_answer_to_a_plan_that_changes_nothing_is_not_answered_again():
    async with dialled() as stub:
        call = stub.Schedule(timeout=LIMIT)
        await call.write(snapshot(1, [worker("w1")], [group("g")]))
        plan = await call.read()
        done = scheduler_pb2.PlanOutcome(plan_id=plan.plan_id, accepted_allocation_ids=["a"])
        held = scheduler_pb2.Allocation(allocation_id="a", group_id="g", worker_id="w1", slots=2)
        await call.write(delta(2, [done], allocations=[held], groups=[group("g", 0)]))
        assert (await call.read()).base_revision == 2
        await call.write(scheduler_pb2.ScheduleRequest(revision=3, now_unix_seconds=1000.0))
        await call.write(delta(4, removed_allocation_ids=["a"], groups=[group("g", 1)]))
        plan = await call.read()
    assert (plan.base_revision, plan.allocate[0].slots) == (4, 1)


async def test_a_refused_proposal_is_made_again_by_itself():
    async with dialled(Policy(refusal_seconds=0.05)) as stub:
        call = stub.Schedule(timeout=LIMIT)
        await call.write(snapshot(1, [worker("w1")], [group("g")]))
        plan = await call.read()
        refused = scheduler_pb2.PlanOutcome(plan_id=plan.plan_id)
        refused.refused.add(index=0, reason="RESOURCES_UNAVAILABLE", text="taken")
        await call.write(delta(2, [refused]))
        waiting = await call.read()
        assert [one.code for one in waiting.waiting] == ["refused"]
        again = await call.read()
    assert again.allocate[0].worker_id == "w1"


async def test_the_last_update_of_a_stream_is_still_planned():
    async with dialled() as stub:
        call = stub.Schedule(timeout=LIMIT)
        await call.write(snapshot(1, [worker("w1")], [group("g")]))
        await call.done_writing()
        plans = [plan async for plan in call]
    assert sum(len(plan.allocate) for plan in plans) == 1


async def test_each_stream_has_a_memory_of_its_own():
    async with dialled() as stub:
        for _ in range(2):
            call = stub.Schedule(timeout=LIMIT)
            await call.write(snapshot(1, [worker("w1")], [group("g")]))
            assert (await call.read()).allocate[0].slots == 2


async def test_a_number_that_is_none_ends_the_stream_and_names_the_field():
    broken = worker("w1")
    broken.cpu_cores = float("nan")
    async with dialled() as stub:
        call = stub.Schedule(timeout=LIMIT)
        await call.write(snapshot(1, [broken]))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            assert await call.read() is grpc.aio.EOF
            await call
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "workers[w1].cpu_cores" in (caught.value.details() or "")


async def test_draining_ends_an_open_stream():
    draining = Draining()
    async with dialled(draining=draining) as stub:
        call = stub.Schedule(timeout=LIMIT)
        await call.write(snapshot(1))
        await call.read()
        draining.begin("test")
        assert await call.read() is grpc.aio.EOF


def test_plans_are_counted_for_prometheus():
    import prometheus_client

    recorder = PrometheusRecorder()
    recorder.planned(Plan(1), 0.001)
    recorder.gap()
    text = prometheus_client.generate_latest().decode()
    assert "crossfleet_scheduler_plan_seconds_count 1.0" in text
    assert "crossfleet_scheduler_gaps_total 1.0" in text
