"""Keeps one stream to the scheduler: tells it what changed, commits what of its plans holds."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import inf
from typing import Any

import grpc

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.api.scheduler.v1 import scheduler_service_pb2_grpc as scheduler_grpc
from crossfleet.coordinator.convert import plans
from crossfleet.coordinator.core import events as facts
from crossfleet.coordinator.core.answers import PlanAnswer
from crossfleet.coordinator.core.commands import ApplyPlan, WaitingReason
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.usage import Usage, held_parts
from crossfleet.coordinator.scheduling.changes import Changes
from crossfleet.coordinator.scheduling.figures import SchedulerFigures
from crossfleet.coordinator.sessions.session import Commit
from crossfleet.foundation.channel import open_channel
from crossfleet.foundation.clock import Clock
from crossfleet.foundation.errors import CrossfleetError, Unavailable
from crossfleet.foundation.errors.status import error_from_rpc
from crossfleet.foundation.logs import get_logger

_DESCRIBE_SECONDS = 5.0
_COUNTDOWN_SECONDS = 0.5
_REFUSED_SECONDS = 0.1
_SETTLED_SECONDS = 0.01
_COUNT_SECONDS = 1.0
_FIRST_RETRY, _LAST_RETRY = 0.02, 1.0
# A stream that ends earlier is one more failure: a scheduler that always breaks off is not dialled in a loop.
_STEADY_SECONDS = 5.0
_NAME_CHARACTERS = 200
_ABSENT = "the scheduler is not connected"
_NEW_WORK = frozenset((facts.RunSubmitted, facts.CasesCollected))


class SchedulerLink:
    """Dials, again and again. Updates that gather while one is being sent go out as one."""

    def __init__(
        self,
        address: str,
        token_file: str,
        state: Callable[[], State],
        commit: Commit,
        clock: Clock,
        notice_seconds: float,
        usage: Usage | None = None,
        *,
        authority: str = "",
    ) -> None:
        """`state` answers the state as it is; groups are told after `notice_seconds` without a scheduler that they wait for it.

        `usage` counts what projects have; without it schedulers hear nothing of shares. `authority`: file of the one that
        signed the scheduler's certificate; empty: no TLS.
        """
        self.figures = SchedulerFigures(address=address)
        self._address = address
        self._token_file, self._authority = token_file, authority
        self._state = state
        self._commit = commit
        self._clock = clock
        self._notice = notice_seconds
        self._usage = usage
        self._counted_at = -inf
        self._changes = Changes()
        self._outcomes: list[scheduler_pb2.PlanOutcome] = []
        self._wake = asyncio.Event()
        self._snapshot = True
        self._ahead = False
        self._kept_waiting = False
        self._seen: State | None = None
        self._log = get_logger()
        self._told = ""

    def foreseen(self, events: Sequence[facts.Event]) -> None:
        """Called with each batch before it is durable: a plan is only a proposal, and is made while the disk writes.

        New work alone is told so early; of all else the scheduler learns in time, and writing it is not held up.
        """
        self._ahead = any(type(event) in _NEW_WORK for event in events)
        if self._ahead:
            self._note(self._state(), events)

    def committed(self, state: State, events: Sequence[facts.Event]) -> None:
        """Called right after each commit. A state that was loaded again takes back what was foreseen."""
        if self._seen is not None and state is not self._seen:
            self._snapshot = True
            self._wake.set()
        ahead, self._ahead = self._ahead, False
        if not ahead:
            self._note(state, events)

    def _note(self, state: State, events: Sequence[facts.Event]) -> None:
        self._changes.note(state, events)
        if self._changes.matter:
            self._wake.set()

    async def run(self) -> None:
        """Runs until cancelled."""
        retry = _FIRST_RETRY
        away_since = self._clock.monotonic()
        while True:
            if self._address and _there(self._address):
                begun = self._clock.monotonic()
                try:
                    await self._connected()
                except grpc.RpcError as error:
                    self._tell_away(str(error_from_rpc(error)))
                except (CrossfleetError, asyncio.InvalidStateError, grpc.aio.UsageError) as error:
                    # InvalidStateError: gRPC's word for writing to a stream that has just ended.
                    self._tell_away(str(error))
                now = self._clock.monotonic()
                if self.figures.connected and now - begun >= _STEADY_SECONDS:
                    retry, away_since = _FIRST_RETRY, now
                self.figures.connected = False
            if self._clock.monotonic() - away_since >= self._notice:
                await self._tell_that_all_wait()
            await self._clock.sleep(retry)
            retry = min(retry * 2, _LAST_RETRY)

    def _tell_away(self, cause: str) -> None:
        """Log why it is away, once for each cause."""
        if cause != self._told:
            self._told = cause
            self._log.warning("the scheduler is away", address=self._address, error=cause)

    async def _connected(self) -> None:
        """One stream from Describe to its end. Raises what ended it."""
        async with open_channel(self._address, token_file=self._token_file, tls_authority=self._authority) as channel:
            stub = scheduler_grpc.SchedulerServiceStub(channel)
            described = await stub.Describe(scheduler_pb2.DescribeRequest(), timeout=_DESCRIBE_SECONDS)
            call = stub.Schedule()
            figures = self.figures
            figures.name, figures.version = described.name[:_NAME_CHARACTERS], described.version[:_NAME_CHARACTERS]
            figures.connected = True
            self._snapshot = True
            self._outcomes.clear()
            self._told = ""
            self._log.info("scheduler connected", address=self._address, name=figures.name)
            tasks = [
                asyncio.ensure_future(self._tell(call, snapshots_only=described.snapshots_only)),
                asyncio.ensure_future(self._hear(call)),
            ]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                call.cancel()

    async def _tell(self, call: Any, *, snapshots_only: bool) -> None:
        revision = 0
        while True:
            revision += 1
            await call.write(self._update(revision, snapshots_only=snapshots_only))
            await self._something_to_tell()

    async def _something_to_tell(self) -> None:
        """Returns when something presses, else a little after the last update, by how little the news matters."""
        sent = self._clock.monotonic()
        while (patience := self._patience()) is None or sent + patience > self._clock.monotonic():
            left = None if patience is None else sent + patience - self._clock.monotonic()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._wake.wait()
            self._wake.clear()

    def _patience(self) -> float | None:
        """Least seconds between two updates with what there is to tell now; None where there is nothing."""
        changes = self._changes
        if self._snapshot or changes.press or (changes.matter and self._kept_waiting):
            return 0.0
        if changes.matter:
            # Slots that nobody waits for: a short run is told of in one message, not in four.
            return _SETTLED_SECONDS
        if self._outcomes:
            # A scheduler that repeats a refused proposal at every update is so kept from spinning.
            return _REFUSED_SECONDS
        return _COUNTDOWN_SECONDS if changes.minor else None

    def _update(self, revision: int, *, snapshots_only: bool) -> scheduler_pb2.ScheduleRequest:
        state = self._state()
        workers, groups, allocations = self._changes.take()
        # A state that was loaded again may lack what was told before: only a snapshot can take that back.
        whole = self._snapshot or snapshots_only or state is not self._seen
        self._snapshot, self._seen = False, state
        outcomes, self._outcomes = self._outcomes, []
        update = scheduler_pb2.ScheduleRequest(revision=revision, outcomes=outcomes, now_unix_seconds=self._clock.now())
        if whole:
            update.snapshot.CopyFrom(plans.snapshot(state))
            update.snapshot.shares.extend(self._shares(state, whole=True))
        else:
            update.delta.CopyFrom(plans.delta(state, workers, groups, allocations))
            update.delta.shares.extend(self._shares(state, whole=False))
        return update

    def _shares(self, state: State, *, whole: bool) -> list[scheduler_pb2.ProjectShare]:
        """What projects had, for every snapshot and from time to time: counting looks at all allocations."""
        now = self._clock.monotonic()
        if self._usage is None or (not whole and now - self._counted_at < _COUNT_SECONDS):
            return []
        self._counted_at = now
        return [plans.share(one) for one in self._usage.advance(now, held_parts(state))]

    async def _hear(self, call: Any) -> None:
        async for message in call:
            self.figures.plans += 1
            self._kept_waiting = bool(message.waiting)
            if message.request_snapshot:
                self._snapshot = True
                self._wake.set()
            if len(message.allocate) > plans.MOST_ITEMS:
                self._log.warning(
                    "a plan is too long: the rest is left out", proposals=len(message.allocate), taken=plans.MOST_ITEMS
                )
            if message.allocate or message.revoke_allocation_ids or message.waiting:
                await self._apply(plans.plan(message))
        raise Unavailable("the scheduler ended the stream", address=self._address)

    async def _apply(self, plan: ApplyPlan) -> None:
        answer = await self._commit(plan)
        if not isinstance(answer, PlanAnswer):
            return
        self.figures.accepted += len(answer.accepted)
        self.figures.refused += len(answer.refused)
        if answer.refused:
            self.figures.last_refusal = f"{answer.refused[-1].reason}: {answer.refused[-1].text}"
        if plan.allocate:
            self._outcomes.append(
                scheduler_pb2.PlanOutcome(
                    plan_id=answer.plan_id,
                    accepted_allocation_ids=answer.accepted,
                    refused=[
                        scheduler_pb2.Refusal(index=one.index, reason=one.reason, text=one.text)
                        for one in answer.refused
                    ],
                )
            )
            self._wake.set()

    async def _tell_that_all_wait(self) -> None:
        """Without a scheduler nothing is placed; waiting without a reason would be a defect."""
        state = self._state()
        waiting = tuple(
            WaitingReason(group.group_id, False, "scheduler", _ABSENT)
            for group in state.groups.values()
            if plans.open_group(state, group) and not group.allocations and group.waiting_text != _ABSENT
        )
        if waiting:
            try:
                await self._commit(ApplyPlan(plan_id="", waiting=waiting))
            except CrossfleetError as error:
                self._log.warning("groups could not be told why they wait", error=str(error))


def _there(address: str) -> bool:
    """Whether dialling makes sense: gRPC waits longer after a failure than a local scheduler takes to start."""
    return not address.startswith("unix:") or os.path.exists(address.removeprefix("unix:"))
