"""A coordinator that plays by a test's script: a real gRPC server, with the worker's side of the protocol checked."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc

from crossfleet.api.types.v1 import result_pb2
from crossfleet.api.worker.v1 import worker_service_pb2 as wire
from crossfleet.api.worker.v1.worker_service_pb2_grpc import WorkerServiceServicer, add_WorkerServiceServicer_to_server
from crossfleet.foundation.errors import CrossfleetError
from crossfleet.foundation.wait import eventually

PATIENCE = 45.0
"""Seconds that a test waits for anything before it fails."""


class Sitting:
    """One session, as the coordinator sees it."""

    def __init__(self, hello: wire.Hello) -> None:
        self.hello = hello
        self.down: asyncio.Queue[wire.ConnectResponse | None] = asyncio.Queue()
        self.sequences: list[int] = []
        self.heartbeats = 0
        self.before_heartbeat = 0
        self.ended = False


class ScriptedCoordinator(WorkerServiceServicer):
    """Commits what comes, once for each attempt and case, and acknowledges it unless told to wait."""

    def __init__(self) -> None:
        self.sittings: list[Sitting] = []
        self.acknowledging = True
        self.refusal: CrossfleetError | None = None
        self.refused = 0
        self.lease_seconds = 15.0
        self.promising_answers = False
        self.committed_sequence: dict[str, int] = {}
        self.results: dict[tuple[int, int], result_pb2.CaseResult] = {}
        self.added: list[result_pb2.CaseResult] = []
        self.seen: Counter[tuple[int, int]] = Counter()
        self.finished: dict[int, wire.AttemptFinished] = {}
        self.ended: dict[str, wire.AllocationEnded] = {}
        self.collected: dict[str, list[wire.Collected]] = {}
        self.wants: list[tuple[str, int]] = []
        self.progress: list[wire.Progress] = []
        self.draining: list[str] = []
        self.leaving = False
        self.checked: list[wire.HealthChecked] = []
        self.devices: list[wire.DevicesChanged] = []
        self.keep: Callable[[wire.Hello], tuple[list[str], list[int]]] = _keep_all
        self.messages = 0
        self.slots_closed: list[tuple[str, int]] = []
        self.on_want: Callable[[str, int], None] = lambda allocation, slot: None

    @property
    def sitting(self) -> Sitting:
        """The latest session."""
        return self.sittings[-1]

    def say(self, **kind: Any) -> None:
        """Send one message down the latest session."""
        self.sitting.down.put_nowait(wire.ConnectResponse(messages=[wire.CoordinatorMessage(**kind)]))

    def drop(self) -> None:
        """End the latest session from this side."""
        self.sitting.down.put_nowait(None)

    async def joined(self, sessions: int = 1) -> Sitting:
        """Wait for that many sessions."""
        await eventually(lambda: len(self.sittings) >= sessions, deadline=PATIENCE, what=f"{sessions} sessions")
        return self.sitting

    def acknowledge(self) -> None:
        """Acknowledge all that has come in the latest session."""
        if self.sitting.sequences:
            last = max(self.sitting.sequences)
            self.committed_sequence[self.sitting.hello.worker.incarnation] = last
            self.say(acknowledge=wire.Acknowledge(sequence=last))

    async def Connect(
        self, request_iterator: AsyncIterator[wire.ConnectRequest], context: Any
    ) -> AsyncIterator[wire.ConnectResponse]:
        """Serve one session."""
        if self.refusal is not None:
            self.refused += 1
            raise self.refusal
        first = await anext(request_iterator)
        sitting = Sitting(first.messages[0].hello)
        keep, cancel = self.keep(sitting.hello)
        committed = self.committed_sequence.get(sitting.hello.worker.incarnation, 0)
        welcome = wire.Welcome(
            epoch=1,
            lease_seconds=self.lease_seconds,
            keep_allocation_ids=keep,
            cancel_attempt_ids=cancel,
            acknowledged_sequence=committed,
            answers_heartbeats=self.promising_answers,
        )
        self.sittings.append(sitting)
        yield wire.ConnectResponse(messages=[wire.CoordinatorMessage(welcome=welcome)])
        reading = asyncio.ensure_future(self._read(request_iterator, sitting))
        try:
            while (response := await sitting.down.get()) is not None:
                yield response
        finally:
            reading.cancel()
            sitting.ended = True

    async def _read(self, requests: AsyncIterator[wire.ConnectRequest], sitting: Sitting) -> None:
        try:
            async for request in requests:
                for message in request.messages:
                    self._take(message, sitting)
                if self.acknowledging and sitting is self.sitting and any(m.sequence for m in request.messages):
                    self.acknowledge()
        except grpc.RpcError:
            pass
        sitting.ended = True
        sitting.down.put_nowait(None)

    def _take(self, message: wire.WorkerMessage, sitting: Sitting) -> None:
        self.messages += 1
        kind = message.WhichOneof("kind")
        if message.sequence:
            sitting.sequences.append(message.sequence)
        if kind == "results":
            for result in message.results.results:
                self.seen[message.results.attempt_id, result.case_index] += 1
                self.results.setdefault((message.results.attempt_id, result.case_index), result)
                if result.added_case_id:
                    self.added.append(result)
        elif kind == "attempt_finished":
            self.finished.setdefault(message.attempt_finished.attempt_id, message.attempt_finished)
        elif kind == "allocation_ended":
            self.ended.setdefault(message.allocation_ended.allocation_id, message.allocation_ended)
        elif kind == "collected":
            self.collected.setdefault(message.collected.allocation_id, []).append(message.collected)
        elif kind == "want_tasks":
            for slot in message.want_tasks.slots:
                self.wants.append((message.want_tasks.allocation_id, slot))
                self.on_want(message.want_tasks.allocation_id, slot)
        elif kind == "slots_closed":
            closed = message.slots_closed
            self.slots_closed += [(closed.allocation_id, slot) for slot in closed.slots]
        elif kind == "progress":
            self.progress.append(message.progress)
        elif kind == "draining":
            self.draining.append(message.draining.reason)
            self.leaving |= message.draining.leaving
        elif kind == "health_checked":
            self.checked.append(message.health_checked)
        elif kind == "devices_changed":
            self.devices.append(message.devices_changed)
        elif kind == "heartbeat":
            sitting.heartbeats += 1
            sitting.before_heartbeat = sitting.before_heartbeat or len(sitting.sequences)


def _keep_all(hello: wire.Hello) -> tuple[list[str], list[int]]:
    return [held.allocation_id for held in hello.allocations], []


def servicers(coordinator: ScriptedCoordinator) -> list[tuple[Any, Any]]:
    """As a service definition takes them."""
    return [(add_WorkerServiceServicer_to_server, coordinator)]
