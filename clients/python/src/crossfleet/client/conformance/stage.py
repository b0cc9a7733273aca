"""Plays a check on a stream: sends each update, listens as long as it takes, and lets the coordinator answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from crossfleet.api.scheduler.v1.scheduler_service_pb2 import ScheduleResponse
from crossfleet.client.conformance.check import Answer, Form, Level, Step
from crossfleet.client.conformance.coordinator import Coordinator, Wrong
from crossfleet.client.conformance.rows import NOON
from crossfleet.client.conformance.stream import Stream, StreamEnded
from crossfleet.foundation.clock import Clock

# The coordinator keeps a scheduler from spinning that repeats what was refused.
_REFUSED_SECONDS = 0.1
# After a plan on the newest revision there is rarely more to come.
_GRACE_SECONDS = 0.03
# So many plans in one step, and no rest before the limit: each answers the answer to the one before.
_ENDLESS = 20


@dataclass(frozen=True)
class Pace:
    """How long an expected plan is waited for, and how much silence means that none comes. In seconds."""

    limit: float = 5.0
    quiet: float = 0.3


class Stage:
    """One check at one scheduler."""

    def __init__(self, stub: Any, coordinator: Coordinator, clock: Clock, pace: Pace) -> None:
        """Nothing is sent yet."""
        self._stub = stub
        self._coordinator = coordinator
        self._clock = clock
        self._pace = pace
        self._began = clock.monotonic()
        self._stream: Stream | None = None

    async def play(self, steps: Sequence[Step]) -> None:
        """Play to the end, or until something is wrong; the coordinator keeps what."""
        wrongs = self._coordinator.wrongs
        try:
            for step in steps:
                await self._play(step)
                if wrongs:
                    break
        except StreamEnded as ended:
            wrongs.append(Wrong(str(ended), Level.MUST))
        finally:
            await self._leave()

    async def _play(self, step: Step) -> None:
        coordinator, seen = self._coordinator, self._coordinator.seen
        if step.reopen:
            await self._leave()
            coordinator.begin_stream()
        coordinator.begin_step(step)
        if step.lost:
            coordinator.lose()
            return
        sent_at = self._clock.monotonic()
        stream = await self._tell(step.form, step)
        if step.close:
            await self._to_the_end(stream)
        else:
            await self._listen(stream, step, sent_at)
        coordinator.wrongs += [Wrong(text) for one in step.expect if (text := one.unmet(seen))]

    async def _listen(self, stream: Stream, step: Step, sent_at: float) -> None:
        """Until all that is expected is so and no more comes, or in vain to the limit."""
        seen, clock = self._coordinator.seen, self._clock
        limit = sent_at + max(self._pace.limit, step.watch)
        refusing = step.answer is Answer.REFUSE or bool(step.refused)
        while True:
            now = clock.monotonic()
            met = not any(one.unmet(seen) for one in step.expect)
            if met and refusing and now >= sent_at + step.watch:
                return  # Who is refused may go on for ever.
            fresh = seen.plans and seen.plans[-1].base_revision >= self._coordinator.revision
            rest = max(_GRACE_SECONDS if fresh else self._pace.quiet, sent_at + step.watch - now)
            wait = rest if met else limit - now
            plan = await stream.next(min(wait, limit - now))
            if plan is None:
                endless = met and limit - now < rest and len(seen.plans) > _ENDLESS
                if endless and step.answer is Answer.COMMIT and not refusing:
                    text = f"plans do not come to an end: {len(seen.plans)} came"
                    self._coordinator.wrongs.append(Wrong(text, Level.MUST))
                return
            if plan.allocate and seen.seconds is None:
                seen.seconds = clock.monotonic() - sent_at
            await self._hear(plan, step)

    async def _hear(self, plan: ScheduleResponse, step: Step) -> None:
        self._coordinator.judge(plan)
        if not self._coordinator.answer(plan, step):
            return
        if step.answer is Answer.REFUSE or step.refused:
            await self._clock.sleep(_REFUSED_SECONDS)
        await self._tell(Form.CHANGES, step)
        if self._coordinator.end_closing(plan):
            await self._tell(Form.CHANGES, step)

    async def _to_the_end(self, stream: Stream) -> None:
        """What still comes after the coordinator has closed its side."""
        await stream.close()
        end = self._clock.monotonic() + self._pace.limit
        try:
            while (plan := await stream.next(end - self._clock.monotonic())) is not None:
                self._coordinator.judge(plan)
        except StreamEnded:
            self._coordinator.seen.ended = True

    async def _tell(self, form: Form, step: Step) -> Stream:
        if self._stream is None:
            self._stream = Stream(self._stub.Schedule())
        now = NOON + self._clock.monotonic() - self._began
        await self._stream.write(self._coordinator.update(form, step, now), self._pace.limit)
        return self._stream

    async def _leave(self) -> None:
        if self._stream is not None:
            await self._stream.end()
            self._stream = None
