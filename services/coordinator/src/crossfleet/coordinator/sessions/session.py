"""One worker's session: what came in one message becomes one command, and is acknowledged when it is committed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import grpc

from crossfleet.api.worker.v1 import worker_service_pb2 as worker_pb2
from crossfleet.coordinator.convert import orders, reports
from crossfleet.coordinator.core import commands
from crossfleet.coordinator.core.answers import ReportAnswer
from crossfleet.coordinator.core.commands import HeldAllocation
from crossfleet.coordinator.executing.inquiries import Inquiries
from crossfleet.coordinator.executing.lasting import Lasting
from crossfleet.coordinator.sessions.outbox import Outbox
from crossfleet.coordinator.sessions.pieces import Pieces
from crossfleet.foundation.errors import CrossfleetError, InternalError
from crossfleet.foundation.logs import get_logger
from crossfleet.matching.messages import worker_from

_UNCOMMITTED_MESSAGES = 256
# Kinds that need no more than the one report command of their message.
_PLAIN_KINDS = frozenset({"results", "attempt_finished", "allocation_ended", "want_tasks"})
_SIGNS_OF_LIFE = frozenset({"heartbeat", "progress"})

Commit = Callable[[commands.Command], Awaitable[Any]]
Record = Callable[[commands.RecordCollection], Awaitable[Any]]


class Session:
    """From a Hello to the end of its stream. Orders wait in the outbox, reports for their commit, both bounded."""

    def __init__(
        self,
        session_id: str,
        hello: worker_pb2.Hello,
        commit: Commit,
        record: Record,
        lasting: Lasting,
        inquiries: Inquiries,
        fleet_room: asyncio.Semaphore,
    ) -> None:
        """`fleet_room` bounds what waits for its commit over all sessions. `commit` takes commands; `record` a collection, whose estimates are looked up first; the others are told what
        is not committed."""
        self.session_id = session_id
        self.worker = hello.worker
        self.worker_id = hello.worker.worker_id
        self.incarnation = hello.worker.incarnation
        self.outbox = Outbox()
        self.welcomed = False
        self.broke = False
        """Whether something that it reported could not be carried out: it would be reported again."""
        self.held: tuple[HeldAllocation, ...] = reports.hello(hello, session_id).held
        self.unsure: frozenset[int] = frozenset()
        self._commit = commit
        self._record = record
        self._lasting = lasting
        self._inquiries = inquiries
        self._pieces = Pieces(self.worker_id)
        self._room = asyncio.Semaphore(_UNCOMMITTED_MESSAGES)
        self._fleet_room = fleet_room
        self._tasks: set[asyncio.Task[None]] = set()

    async def read(
        self,
        join: Awaitable[Any],
        first: Iterable[worker_pb2.WorkerMessage],
        requests: AsyncIterator[worker_pb2.ConnectRequest],
        heard: Callable[[], None],
    ) -> None:
        """Joins, then takes messages until the stream ends; then, or on an error, the outbox is closed."""
        error: CrossfleetError | None = None
        try:
            await join
            await self.take(first)
            async for request in requests:
                heard()
                await self.take(request.messages)
            await self._submit(self._commit(commands.WorkerLeft(self.worker_id, self.session_id)))
        except CrossfleetError as wrong:
            error = wrong
        except (grpc.RpcError, grpc.aio.UsageError):
            pass  # the stream broke: the worker comes back
        except Exception as unexpected:  # noqa: BLE001 - whatever a message held, it ends this session and no other
            get_logger().error("a session failed", worker=self.worker_id, exc_info=unexpected)
            error = InternalError("the session failed: see the log of the coordinator")
        finally:
            self.outbox.close(error)

    async def take(self, messages: Iterable[worker_pb2.WorkerMessage]) -> None:
        """Submits what one message says, and returns as soon as there is room for the next."""
        items, highest = reports.journalled(messages)
        if items:
            report = commands.WorkerReport(self.worker_id, self.incarnation, items)
            await self._submit(self._commit(report), highest)
        for message in messages:
            kind = message.WhichOneof("kind")
            if kind not in _PLAIN_KINDS:
                await self._take_one(kind, message)
        for want in reports.wants(self.worker_id, messages):
            await self._submit(self._commit(want))

    async def _take_one(self, kind: str | None, message: worker_pb2.WorkerMessage) -> None:
        if kind in _SIGNS_OF_LIFE:
            self.outbox.beat()
        if kind == "heartbeat":
            await self._missing()
        elif kind == "collected":
            collection = self._pieces.add(message.collected)
            if collection is not None:
                await self._submit(self._record(collection))
        elif kind == "slots_closed":
            await self._submit(self._commit(reports.slots_closed(self.worker_id, message.slots_closed)))
        elif kind == "devices_changed":
            del self.worker.devices[:], self.worker.taints[:]
            self.worker.devices.extend(message.devices_changed.devices)
            self.worker.taints.extend(message.devices_changed.taints)
            self.worker.detector_errors.clear()
            self.worker.detector_errors.update(message.devices_changed.detector_errors)
            view, description = worker_from(self.worker), self.worker.SerializeToString()
            await self._submit(self._commit(commands.WorkerChanged(self.worker_id, self.session_id, view, description)))
        elif kind == "progress":
            self._lasting.said(self.worker_id, message.progress)
        elif kind == "inspected":
            self._inquiries.answered(self.worker_id, message.inspected)
        elif kind == "health_checked":
            await self._submit(self._commit(reports.health_checked(self.worker_id, message.health_checked)))
        elif kind == "draining":
            await self._submit(self._commit(self._draining(message.draining)))

    def _draining(self, message: worker_pb2.Draining) -> commands.Command:
        if message.leaving:
            return commands.WorkerLeaving(self.worker_id, self.session_id, message.reason)
        return commands.DrainWorker(self.worker_id, True, message.reason)

    async def _missing(self) -> None:
        """The first heartbeat follows the journal: attempts of which nothing was said until then never arrived."""
        if self.welcomed and self.unsure:
            attempts, self.unsure = tuple(sorted(self.unsure)), frozenset()
            await self._submit(self._commit(commands.AttemptsMissing(self.worker_id, self.session_id, attempts)))

    async def _submit(self, commit: Awaitable[Any], sequence: int = 0) -> None:
        await self._room.acquire()
        task = asyncio.ensure_future(self._settle(commit, sequence))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _settle(self, commit: Awaitable[Any], sequence: int) -> None:
        """Acknowledges after the commit. A refused report is acknowledged too: sending it again would change nothing."""
        answer = None
        try:
            # In the order of their arrival. Reading goes on meanwhile: signs of life wait for no disk.
            async with self._fleet_room:
                answer = await commit
        except CrossfleetError as error:
            if error.reason not in _REFUSED:
                self.broke = self.broke or error.reason == InternalError.reason
                self.outbox.close(error)
                return
            log = get_logger()
            log.warning(
                "a worker's message was refused", worker=self.worker_id, reason=error.reason, cause=error.message
            )
        except Exception as unexpected:  # noqa: BLE001 - SQL may fail under a collection: the worker must send it again
            get_logger().error("a report could not be committed", worker=self.worker_id, exc_info=unexpected)
            self.outbox.close(InternalError("the session failed: see the log of the coordinator"))
            return
        finally:
            self._room.release()
        self.outbox.acknowledge(sequence)
        if type(answer) is ReportAnswer and answer.stale:
            self.outbox.put([orders.cancel(answer.stale)])


_REFUSED = frozenset(
    {
        "STALE_ATTEMPT",
        "ALLOCATION_NOT_FOUND",
        "ATTEMPT_NOT_FOUND",
        "WORKER_NOT_FOUND",
        "RUN_NOT_FOUND",
        "STATE_CONFLICT",
        "COLLECTION_MISMATCH",
    }
)
"""Reasons for which the machine refuses a report for good."""
