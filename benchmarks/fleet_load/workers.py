"""Many workers in one process: real sessions over gRPC, whose tasks of the runner `noop` end as soon as they arrive.

    python -m benchmarks.fleet_load.workers ADDRESS PART COUNT SLOTS

PART is a label of theirs, `busy` or `free`. Prints `ready` when all are welcome, then a line `RUN_ID SECONDS` when the first task of a run arrives, in unix seconds,
and, of the free ones, a line `echo SECONDS` for each message to which a worker that has no tasks got an empty answer. Ends
with its stdin.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

import grpc

from crossfleet.api.types.v1 import result_pb2
from crossfleet.api.worker.v1 import worker_service_pb2 as wire
from crossfleet.api.worker.v1.worker_service_pb2_grpc import WorkerServiceStub
from crossfleet.foundation.channel import channel_options
from crossfleet.foundation.loop import new_loop

LABEL = "simulated"
BUSY, FREE = "busy", "free"
ECHO = "echo"
_STREAMS = 50
"""Sessions that share a connection."""
_ALONE = ("grpc.use_local_subchannel_pool", 1)
"""Else all channels of a process to one address share a connection."""
_BEAT_SECONDS = 5.0
_ECHO_SECONDS = 0.05


class SimulatedWorker:
    """One session, from its Hello on."""

    def __init__(self, stub: Any, part: str, name: str, slots: int, seen: set[str]) -> None:
        """`seen`: runs of which a task has arrived at any of the workers."""
        self.welcomed = asyncio.Event()
        self._call = stub.Connect()
        self._part, self._name, self._slots, self._seen = part, name, slots, seen
        self._runs: dict[str, str] = {}
        self._sequence = 0
        self._unsaid: list[wire.WorkerMessage] = []
        self._news = asyncio.Event()

    async def work(self) -> None:
        """Serve until cancelled."""
        hello = wire.Hello(protocol_version=1, first_unacknowledged_sequence=1)
        worker = hello.worker
        worker.worker_id, worker.incarnation, worker.host = self._name, "1", self._name
        worker.slots, worker.cpu_cores, worker.labels[LABEL] = self._slots, float(self._slots), self._part
        worker.runners.append("noop")
        hello.runners_by_number.append("noop")
        self._say(wire.WorkerMessage(hello=hello))
        beside = [asyncio.ensure_future(self._beat()), asyncio.ensure_future(self._write())]
        try:
            async for response in self._call:
                answers: list[wire.WorkerMessage] = []
                for message in response.messages:
                    self._take(message, answers)
                self._say(*answers)
        finally:
            for task in beside:
                task.cancel()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            self._say(wire.WorkerMessage(heartbeat=wire.Heartbeat()))

    async def _write(self) -> None:
        """One message at a time, with all that there is to say: gRPC takes no two at once."""
        while True:
            await self._news.wait()
            self._news.clear()
            messages, self._unsaid = self._unsaid, []
            await self._call.write(wire.ConnectRequest(messages=messages))

    def _say(self, *messages: wire.WorkerMessage) -> None:
        if messages:
            self._unsaid += messages
            self._news.set()

    def _take(self, message: wire.CoordinatorMessage, answers: list[wire.WorkerMessage]) -> None:
        kind = message.WhichOneof("kind")
        if kind == "welcome":
            self.welcomed.set()
        elif kind == "open_allocation":
            self._runs[message.open_allocation.allocation_id] = message.open_allocation.run_id
        elif kind == "assign":
            self._execute(message.assign, answers)
        elif kind == "close_allocation":
            allocation = message.close_allocation.allocation_id
            self._runs.pop(allocation, None)
            ended = wire.AllocationEnded(allocation_id=allocation, cause=result_pb2.CAUSE_DONE)
            answers.append(self._kept(wire.WorkerMessage(allocation_ended=ended)))

    def _execute(self, assign: wire.Assign, answers: list[wire.WorkerMessage]) -> None:
        run_id = self._runs[assign.allocation_id]
        if run_id not in self._seen:
            self._seen.add(run_id)
            print(run_id, time.time(), flush=True)
        idle = []
        for task in assign.tasks:
            results = [
                result_pb2.CaseResult(case_index=case, outcome=result_pb2.OUTCOME_PASSED) for case in task.case_indices
            ]
            of_cases = wire.Results(attempt_id=task.attempt_id, results=results)
            answers.append(self._kept(wire.WorkerMessage(results=of_cases)))
            finished = wire.AttemptFinished(attempt_id=task.attempt_id, cause=result_pb2.CAUSE_DONE)
            answers.append(self._kept(wire.WorkerMessage(attempt_finished=finished)))
            if not task.last:
                idle.append(task.slot)
        if idle:
            want = wire.WantTasks(allocation_id=assign.allocation_id, slots=idle)
            answers.append(wire.WorkerMessage(want_tasks=want))

    def _kept(self, message: wire.WorkerMessage) -> wire.WorkerMessage:
        self._sequence += 1
        message.sequence = self._sequence
        return message


async def echo(stub: Any) -> None:
    """A session that says nothing but that it lives: what a message up and an empty one down take. Until cancelled."""
    call = stub.Connect()
    hello = wire.Hello(protocol_version=1, first_unacknowledged_sequence=1)
    worker = hello.worker
    worker.worker_id, worker.incarnation, worker.host, worker.slots = ECHO, "1", ECHO, 1
    await call.write(wire.ConnectRequest(messages=[wire.WorkerMessage(hello=hello)]))
    await call.read()
    while True:
        begun = time.perf_counter()
        await call.write(wire.ConnectRequest(messages=[wire.WorkerMessage(heartbeat=wire.Heartbeat())]))
        await call.read()
        print(ECHO, time.perf_counter() - begun, flush=True)
        await asyncio.sleep(_ECHO_SECONDS)


async def main(address: str, part: str, count: int, slots: int) -> None:
    """Serve until stdin ends."""
    seen: set[str] = set()
    channels: list[grpc.aio.Channel] = []
    workers = []
    for number in range(count):
        if number % _STREAMS == 0:
            channels.append(grpc.aio.insecure_channel(address, options=[*channel_options(), _ALONE]))
        workers.append(SimulatedWorker(WorkerServiceStub(channels[-1]), part, f"{part}{number}", slots, seen))
    tasks = [asyncio.ensure_future(worker.work()) for worker in workers]
    for worker in workers:
        await worker.welcomed.wait()
    print("ready", flush=True)
    if part == FREE:
        tasks.append(asyncio.ensure_future(echo(WorkerServiceStub(channels[0]))))
    ended = asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))
    done, _ = await asyncio.wait([ended, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
