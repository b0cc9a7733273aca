"""One worker's session: what came while the ledger was busy becomes one command, and is acknowledged when it is committed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import grpc

from crossfleet.api.worker.v1 import worker_service_pb2 as worker_pb2
from crossfleet.coordinator.convert import orders, reports
from crossfleet.coordinator.convert.devices import change_devices
from crossfleet.coordinator.convert.reports import Item
from crossfleet.coordinator.core import commands
from crossfleet.coordinator.core.answers import ReportAnswer
from crossfleet.coordinator.core.commands import HeldAllocation
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.executing.inquiries import Inquiries
from crossfleet.coordinator.executing.lasting import Lasting
from crossfleet.coordinator.sessions.outbox import Outbox
from crossfleet.coordinator.sessions.pieces import Pieces
from crossfleet.coordinator.sessions.turns import Turn, Turns, concerned
from crossfleet.coordinator.sessions.unsettled import Other, Reported, Unsettled
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
        turns: Turns,
        state: Callable[[], State],
    ) -> None:
        """`commit` takes commands; `record` a collection, whose estimates are looked up first; `lasting` and `inquiries` are told
        what is not committed. `turns` bounds the reports of all sessions that wait for their commit; `state` says which runs
        they concern."""
        self.session_id = session_id
        self.worker = hello.worker
        self.worker_id = hello.worker.worker_id
        self.incarnation = hello.worker.incarnation
        self.by_number = frozenset(hello.runners_by_number)
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
        self._unsettled = Unsettled(_UNCOMMITTED_MESSAGES)
        self._settling: asyncio.Task[None] | None = None
        self._over = False
        self._turns = turns
        self._turn: Turn | None = None
        self._state = state

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
            self._submit(commands.WorkerLeft(self.worker_id, self.session_id))
            self._settle_soon()
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
            self._report(items, (), highest)
        for message in messages:
            kind = message.WhichOneof("kind")
            if kind not in _PLAIN_KINDS:
                self._take_one(kind, message)
            if kind == "collected" and message.collected.more:
                await asyncio.sleep(0)  # a request may hold thousands of cases
        wants = reports.wants(self.worker_id, messages)
        if wants:
            self._report((), wants, 0)
        self._settle_soon()
        await self._unsettled.room()

    def _report(self, items: Sequence[Item], wants: Sequence[commands.WantTasks], sequence: int) -> None:
        """Where an earlier report waits for its turn, this one may join it, and bring it a sooner one."""
        runs = concerned(self._state(), items, wants)
        self._unsettled.report(items, wants, sequence, runs)
        if self._turn is not None:
            self._turn.concern(runs)

    def _take_one(self, kind: str | None, message: worker_pb2.WorkerMessage) -> None:
        if kind in _SIGNS_OF_LIFE:
            self.outbox.beat()
        if kind == "heartbeat":
            self._missing()
        elif kind == "collected":
            collection = self._pieces.add(message.collected)
            if collection is not None:
                self._unsettled.other(partial(self._record, collection))
        elif kind == "slots_closed":
            self._submit(reports.slots_closed(self.worker_id, message.slots_closed))
        elif kind == "devices_changed":
            change_devices(self.worker, message.devices_changed)
            view, description = worker_from(self.worker), self.worker.SerializeToString()
            self._submit(commands.WorkerChanged(self.worker_id, self.session_id, view, description))
        elif kind == "progress":
            self._lasting.said(self.worker_id, message.progress)
        elif kind == "inspected":
            self._inquiries.answered(self.worker_id, message.inspected)
        elif kind == "health_checked":
            self._submit(reports.health_checked(self.worker_id, message.health_checked))
        elif kind == "draining":
            self._submit(self._draining(message.draining))

    def _draining(self, message: worker_pb2.Draining) -> commands.Command:
        if message.leaving:
            return commands.WorkerLeaving(self.worker_id, self.session_id, message.reason)
        return commands.DrainWorker(self.worker_id, True, message.reason)

    def _missing(self) -> None:
        """The first heartbeat follows the journal: attempts of which nothing was said until then never arrived."""
        if self.welcomed and self.unsure:
            attempts, self.unsure = tuple(sorted(self.unsure)), frozenset()
            self._submit(commands.AttemptsMissing(self.worker_id, self.session_id, attempts))

    def _submit(self, command: commands.Command) -> None:
        self._unsettled.other(partial(self._commit, command))

    def _settle_soon(self) -> None:
        if self._over:
            self._unsettled.clear()  # nothing may be committed before what was not: all of it is said again
        elif self._unsettled and self._settling is None:
            self._settling = asyncio.ensure_future(self._settle_all())

    async def _settle_all(self) -> None:
        """One commit after the other, each with all that has gathered meanwhile. Reading goes on: signs of life wait for no disk."""
        try:
            while self._unsettled:
                async with self._next_turn() or nullcontext():
                    self._turn = None
                    if self._unsettled and not await self._settle(self._unsettled.next()):
                        self._over = True
                        self._unsettled.clear()
        finally:
            self._settling = self._turn = None

    def _next_turn(self) -> Turn | None:
        """That of the report which is next, if one is."""
        report = self._unsettled.first_report
        if report is not None:
            self._turn = Turn(self._turns)
            self._turn.concern(report.runs)
        return self._turn

    async def _settle(self, said: Reported | Other) -> bool:
        """Acknowledges after the commit. A refused report is acknowledged too: sending it again would change nothing.

        False: the session is over, and what follows is said again in the next one.
        """
        answer, sequence = None, 0
        try:
            if isinstance(said, Reported):
                sequence = said.sequence
                report = commands.WorkerReport(
                    self.worker_id, self.incarnation, tuple(said.items), said.wants(self.worker_id)
                )
                answer = await self._commit(report)
            else:
                await said()
        except CrossfleetError as error:
            if error.reason not in _REFUSED:
                self.broke = self.broke or error.reason == InternalError.reason
                self.outbox.close(error)
                return False
            log = get_logger()
            log.warning(
                "a worker's message was refused", worker=self.worker_id, reason=error.reason, cause=error.message
            )
        except Exception as unexpected:  # noqa: BLE001 - SQL may fail under a collection: the worker must send it again
            get_logger().error("a report could not be committed", worker=self.worker_id, exc_info=unexpected)
            self.outbox.close(InternalError("the session failed: see the log of the coordinator"))
            return False
        self.outbox.acknowledge(sequence)
        if type(answer) is ReportAnswer and answer.stale:
            self.outbox.put([orders.cancel(answer.stale)])
        return True


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
