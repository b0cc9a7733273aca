"""A coordinator on a real server and real SQLite inside a test, with a scheduler and workers that do as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from crossfleet.api.coordinator.v1 import (
    admin_service_pb2_grpc,
    artifact_service_pb2_grpc,
    event_service_pb2,
    event_service_pb2_grpc,
    fleet_service_pb2,
    fleet_service_pb2_grpc,
    log_service_pb2_grpc,
    run_service_pb2,
    run_service_pb2_grpc,
    schedule_service_pb2_grpc,
)
from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.api.scheduler.v1 import scheduler_service_pb2_grpc as scheduler_grpc
from crossfleet.api.types.v1 import result_pb2, run_pb2, suite_pb2
from crossfleet.api.worker.v1 import worker_service_pb2 as worker_pb2
from crossfleet.api.worker.v1.worker_service_pb2_grpc import WorkerServiceStub
from crossfleet.coordinator.assembly import Coordinator, assemble
from crossfleet.coordinator.config import Settings
from crossfleet.coordinator.election.solo import SoloTerm
from crossfleet.coordinator.ledger.patience import NO_PATIENCE
from crossfleet.coordinator.opening import database_of, open_ledger
from crossfleet.coordinator.servicers.fleet import Identity
from crossfleet.foundation.channel import open_channel
from crossfleet.foundation.clock import Clock, SystemClock
from crossfleet.foundation.draining import Draining
from crossfleet.foundation.serve import ServiceDefinition
from crossfleet.foundation.testing import serving
from crossfleet.foundation.wait import eventually

SECONDS = 10.0


@dataclass
class Running:
    """A coordinator that serves, and a stub for each of its services."""

    coordinator: Coordinator
    draining: Draining
    channel: grpc.aio.Channel
    address: str

    def __post_init__(self) -> None:
        self.runs = run_service_pb2_grpc.RunServiceStub(self.channel)
        self.fleet = fleet_service_pb2_grpc.FleetServiceStub(self.channel)
        self.events = event_service_pb2_grpc.EventServiceStub(self.channel)
        self.artifacts = artifact_service_pb2_grpc.ArtifactServiceStub(self.channel)
        self.logs = log_service_pb2_grpc.LogServiceStub(self.channel)
        self.schedules = schedule_service_pb2_grpc.ScheduleServiceStub(self.channel)
        self.admin = admin_service_pb2_grpc.AdminServiceStub(self.channel)

    async def submit(self, spec: run_pb2.RunSpec, request_id: str = "r1") -> run_service_pb2.SubmitRunResponse:
        """Submit a run."""
        return await self.runs.SubmitRun(run_service_pb2.SubmitRunRequest(request_id=request_id, spec=spec))

    async def run(self, run_id: str) -> run_pb2.Run:
        """One run."""
        return (await self.runs.GetRun(run_service_pb2.GetRunRequest(run_id=run_id))).run

    async def until(self, run_id: str, state: int) -> run_pb2.Run:
        """The run once it is in a state."""

        async def there() -> run_pb2.Run | None:
            run = await self.run(run_id)
            return run if run.state == state else None

        found: run_pb2.Run | None = await eventually(there, deadline=SECONDS, what=f"state {state} of {run_id}")
        assert found is not None
        return found

    async def watch(self, after: str, run_id: str = "", **more: Any) -> list[event_service_pb2.Event]:
        """Events until the stream ends by itself."""
        request = event_service_pb2.WatchEventsRequest(after=after, run_id=run_id, **more)
        async with asyncio.timeout(SECONDS):
            return [event async for response in self.events.WatchEvents(request) for event in response.events]

    async def worker_state(self, worker_id: str) -> int:
        """The state of a worker as FleetService tells it."""
        found = await self.fleet.GetWorker(fleet_service_pb2.GetWorkerRequest(worker_id=worker_id))
        return found.worker.worker.state


@asynccontextmanager
async def running(
    folder: Path,
    *,
    clock: Clock | None = None,
    scheduler: GreedyScheduler | None = None,
    beside: Mapping[str, GreedyScheduler] | None = None,
    **settings: Any,
) -> AsyncIterator[Running]:
    """A coordinator on `folder`, its scheduler if one is given, and others beside that, each by its name and options."""
    folder.mkdir(exist_ok=True)
    async with AsyncExitStack() as stack:
        address = await served_at(stack, scheduler) if scheduler is not None else ""
        others = []
        for text, other in (beside or {}).items():
            name, _, options = text.partition(" ")
            others.append(f"{name}={await served_at(stack, other)} {options}")
        values = {"embedded": True, "schedulers": tuple(others), **settings}
        wanted = Settings(data=str(folder), scheduler=address, **values)
        draining = Draining()
        database = database_of(wanted, folder)
        queries = database.queries()
        stack.callback(queries.close)
        writer = await open_ledger(
            stack, database, SoloTerm(), leader="test", limit=wanted.queue_commands, patience=NO_PATIENCE
        )
        identity = Identity("test", "test", wanted.embedded, lambda: None)
        made = assemble(wanted, folder, writer, queries, draining, clock or SystemClock(), identity)
        await stack.enter_async_context(made.running())

        async def drain() -> None:
            made.end_streams("drained")

        draining.on_drain(drain)
        definition = ServiceDefinition("coordinator", made.servicers())
        served = await stack.enter_async_context(serving(definition, draining=draining))
        yield Running(made, draining, served.channel, served.address)


async def served_at(stack: AsyncExitStack, scheduler: GreedyScheduler) -> str:
    """The address of a scheduler that serves as long as the stack lasts."""
    definition = ServiceDefinition("scheduler", [(scheduler_grpc.add_SchedulerServiceServicer_to_server, scheduler)])
    return (await stack.enter_async_context(serving(definition, draining=scheduler.draining))).address


@dataclass
class GreedyScheduler(scheduler_grpc.SchedulerServiceServicer):
    """Gives every group what is free, worker by worker. Keeps what it was told."""

    snapshots_only: bool = False
    wants_fits: bool = False
    updates: list[scheduler_pb2.ScheduleRequest] = field(default_factory=list)
    draining: Draining = field(default_factory=Draining)
    idle: bool = False

    def __post_init__(self) -> None:
        self._workers: dict[str, Any] = {}
        self._groups: dict[str, scheduler_pb2.TaskGroup] = {}
        self._allocations: dict[str, scheduler_pb2.Allocation] = {}

    async def Describe(self, request: Any, context: Any) -> scheduler_pb2.DescribeResponse:
        """Who it is."""
        return scheduler_pb2.DescribeResponse(
            name="greedy", version="1", snapshots_only=self.snapshots_only, wants_fits=self.wants_fits
        )

    async def Schedule(self, requests: Any, context: Any) -> AsyncIterator[scheduler_pb2.ScheduleResponse]:
        """A plan for each update that leaves something to give."""
        async for update in self.draining.until(requests):
            self.updates.append(update)
            self._learn(update)
            plan = scheduler_pb2.ScheduleResponse(plan_id=f"p{update.revision}", base_revision=update.revision)
            for group in self._groups.values():
                self._place(plan, group)
            if plan.allocate and not self.idle:
                yield plan

    def _learn(self, update: scheduler_pb2.ScheduleRequest) -> None:
        if update.HasField("snapshot"):
            self._workers, self._groups, self._allocations = {}, {}, {}
        part = update.snapshot if update.HasField("snapshot") else update.delta
        self._workers |= {one.worker_id: one for one in part.workers}
        self._groups |= {one.group_id: one for one in part.groups}
        self._allocations |= {one.allocation_id: one for one in part.allocations}
        if update.HasField("delta"):
            for removed in update.delta.removed_worker_ids:
                self._workers.pop(removed, None)
            for removed in update.delta.removed_group_ids:
                self._groups.pop(removed, None)
            for removed in update.delta.removed_allocation_ids:
                self._allocations.pop(removed, None)

    def _place(self, plan: scheduler_pb2.ScheduleResponse, group: scheduler_pb2.TaskGroup) -> None:
        wanted = group.wanted_slots
        for worker in self._workers.values():
            held = sum(one.slots for one in self._allocations.values() if one.worker_id == worker.worker_id)
            slots = min(worker.slots - held, wanted)
            if slots > 0 and worker.state == 1:
                plan.allocate.add(group_id=group.group_id, worker_id=worker.worker_id, slots=slots)
                wanted -= slots


class ScriptedWorker:
    """An agent whose every message a test sends, and which keeps every message that it gets."""

    def __init__(self, channel: grpc.aio.Channel, name: str = "w1", *, slots: int = 2, incarnation: str = "i1") -> None:
        self.name = name
        self.description: dict[str, Any] = {"worker_id": name, "incarnation": incarnation, "slots": slots, "host": "h"}
        self.got: list[worker_pb2.CoordinatorMessage] = []
        self.sequence = 0
        self._call: Any = WorkerServiceStub(channel).Connect()
        self._read = 0

    async def hello(self, *, version: int = 1, held: tuple[worker_pb2.HeldAllocation, ...] = (), **more: Any) -> None:
        """Introduce itself."""
        hello = worker_pb2.Hello(protocol_version=version, allocations=held, first_unacknowledged_sequence=1)
        for key, value in {"runners": ["noop", "pytest"], "cpu_cores": 2.0, **self.description, **more}.items():
            if isinstance(value, list):
                getattr(hello.worker, key).extend(value)
            elif isinstance(value, dict):
                getattr(hello.worker, key).update(value)
            else:
                setattr(hello.worker, key, value)
        await self.send(worker_pb2.WorkerMessage(hello=hello))

    async def welcomed(self, **more: Any) -> worker_pb2.Welcome:
        """Introduce itself and wait for the answer."""
        await self.hello(**more)
        return (await self.next("welcome")).welcome

    async def send(self, *messages: worker_pb2.WorkerMessage) -> None:
        """Send messages together."""
        await self._call.write(worker_pb2.ConnectRequest(messages=messages))

    async def journalled(self, *messages: worker_pb2.WorkerMessage) -> None:
        """Send messages with the next sequences."""
        for message in messages:
            self.sequence += 1
            message.sequence = self.sequence
        await self.send(*messages)

    async def next(self, kind: str) -> worker_pb2.CoordinatorMessage:
        """The next message of a kind; others before it are kept in `got`. Raises grpc.RpcError when the stream ends."""
        async with asyncio.timeout(SECONDS):
            while True:
                while self._read < len(self.got):
                    self._read += 1
                    if self.got[self._read - 1].WhichOneof("kind") == kind:
                        return self.got[self._read - 1]
                response = await self._call.read()
                if response is grpc.aio.EOF:
                    raise EOFError(await self._call.code(), await self._call.details())
                self.got.extend(response.messages)

    async def response(self) -> worker_pb2.ConnectResponse:
        """What comes next, whatever it holds."""
        async with asyncio.timeout(SECONDS):
            found: worker_pb2.ConnectResponse = await self._call.read()
        return found

    async def ended(self) -> grpc.aio.AioRpcError | None:
        """How the stream ended: the error, or None when it ended well."""
        try:
            async with asyncio.timeout(SECONDS):
                while await self._call.read() is not grpc.aio.EOF:
                    pass
        except grpc.aio.AioRpcError as error:
            return error
        return None

    def leave(self) -> None:
        """Break the stream off."""
        self._call.cancel()

    async def leave_in_order(self, reason: str = "SIGTERM") -> None:
        """Say that it leaves, end the stream, and wait for the coordinator to do so too."""
        await self.send(worker_pb2.WorkerMessage(draining=worker_pb2.Draining(reason=reason, leaving=True)))
        await self._call.done_writing()
        assert await self.ended() is None

    async def execute(self, assign: worker_pb2.Assign, outcome: Any = result_pb2.OUTCOME_PASSED) -> None:
        """Report every case of an assignment, and the end of each attempt."""
        messages = []
        for task in assign.tasks:
            results = [result_pb2.CaseResult(case_index=case, outcome=outcome) for case in task.case_indices]
            messages.append(
                worker_pb2.WorkerMessage(results=worker_pb2.Results(attempt_id=task.attempt_id, results=results))
            )
            finished = worker_pb2.AttemptFinished(attempt_id=task.attempt_id, cause=result_pb2.CAUSE_DONE)
            messages.append(worker_pb2.WorkerMessage(attempt_finished=finished))
        await self.journalled(*messages)

    async def give_back(self, allocation_id: str, *, names_lost: bool = True) -> None:
        """Answer a CloseAllocation."""
        ended = worker_pb2.AllocationEnded(
            allocation_id=allocation_id, cause=result_pb2.CAUSE_DONE, names_lost_artifacts=names_lost
        )
        await self.journalled(worker_pb2.WorkerMessage(allocation_ended=ended))


def another(address: str) -> grpc.aio.Channel:
    """A second connection to a coordinator."""
    return open_channel(address)


def noop(cases: int = 3, **more: Any) -> run_pb2.RunSpec:
    """A run of cases that need no files."""
    spec = run_pb2.RunSpec(workspace=suite_pb2.Workspace(none=True), **more)
    spec.suite.runner, spec.suite.name = "noop", "noop"
    spec.suite.cases.extend(f"case-{number}" for number in range(cases))
    return spec
