"""One scheduling stream: takes updates in as they come, plans on the newest, answers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from enum import Enum

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.foundation.clock import Clock
from crossfleet.matching.selectors import Selectors
from crossfleet.scheduler import convert
from crossfleet.scheduler.core.model import Policy
from crossfleet.scheduler.core.session import Gap, Session
from crossfleet.scheduler.recorder import Recorder

_SHORT = 0.001
_MOST_PAUSE = 0.2


class _Gap(Enum):
    """Whether a delta is missing, and whether a snapshot was asked for."""

    NONE = 0
    FOUND = 1
    ASKED = 2


class Stream:
    """Couples one stream to one session. Updates that came while a plan was made are planned together.

    Nothing is queued here: an update is applied when it is read, and gRPC's flow control holds back the rest.
    """

    def __init__(self, policy: Policy, clock: Clock, recorder: Recorder) -> None:
        """Start with an empty session."""
        self._session = Session(policy, Selectors())
        self._clock = clock
        self._recorder = recorder
        self._news = asyncio.Event()
        self._changed = False
        self._gap = _Gap.NONE
        self._ended = False
        self._now = (0.0, 0.0)

    async def answers(
        self, updates: AsyncIterator[scheduler_pb2.ScheduleRequest]
    ) -> AsyncIterator[scheduler_pb2.ScheduleResponse]:
        """Yield plans until the updates end. Raises what reading or converting them raised."""
        reader = asyncio.create_task(self._read(updates))
        try:
            while self._news.is_set() or not self._ended:
                await self._wait()
                started = self._clock.monotonic()
                response = self._answer()
                spent = self._clock.monotonic() - started
                if response is not None:
                    yield response
                if spent > _SHORT:
                    # A large fleet: let as much time go by for updates to gather.
                    await asyncio.sleep(min(spent, _MOST_PAUSE))
            await reader
        finally:
            reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reader

    async def _read(self, updates: AsyncIterator[scheduler_pb2.ScheduleRequest]) -> None:
        try:
            async for update in updates:
                self._take(update)
                self._news.set()
        finally:
            self._ended = True
            self._news.set()

    def _take(self, update: scheduler_pb2.ScheduleRequest) -> None:
        self._now = (update.now_unix_seconds, self._clock.monotonic())
        session, kind = self._session, update.WhichOneof("update")
        if kind == "snapshot":
            session.replace(convert.rows_from_snapshot(update.snapshot), update.revision)
            self._gap = _Gap.NONE
        elif self._gap is _Gap.NONE and update.revision > session.revision:
            try:
                session.update(convert.delta_from(update.delta), update.revision)
            except Gap:
                self._gap = _Gap.FOUND
        self._changed |= kind is not None
        for outcome in convert.outcomes_from(update.outcomes):
            session.answer(outcome, update.now_unix_seconds)

    async def _wait(self) -> None:
        """Until there is news, or a proposal or refusal is due to be forgotten."""
        now = self._time()
        due = self._session.due(now) if self._may_plan else None
        timeout = None if due is None else max(due - now, 0.0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._news.wait()
        self._news.clear()

    def _answer(self) -> scheduler_pb2.ScheduleResponse | None:
        if self._gap is _Gap.FOUND:
            self._gap = _Gap.ASKED
            self._recorder.gap()
            return scheduler_pb2.ScheduleResponse(base_revision=self._session.revision, request_snapshot=True)
        return self._plan() if self._may_plan else None

    @property
    def _may_plan(self) -> bool:
        """Whether all is known up to some revision."""
        return self._gap is _Gap.NONE and self._session.revision >= 0

    def _time(self) -> float:
        """The leader's clock, carried on from its last update by our own."""
        leader, then = self._now
        return leader + self._clock.monotonic() - then

    def _plan(self) -> scheduler_pb2.ScheduleResponse | None:
        """Plan, and say it unless it says nothing that was not said: an answer to an answer would never end."""
        started = self._clock.monotonic()
        plan_id, plan = self._session.plan(self._time())
        self._recorder.planned(plan, self._clock.monotonic() - started)
        if not (plan.allocate or self._changed or plan.waiting or plan.revoke):
            return None
        self._changed = False
        return convert.plan_message(plan_id, plan)
