"""Watches over the conduct of a scheduler: whether it answers, makes sense, proposes what can hold, and forgets nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from heapq import nsmallest
from itertools import islice
from math import inf

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.coordinator.core.answers import Refusal
from crossfleet.coordinator.core.breaker import Breaker, Stage
from crossfleet.coordinator.core.commands import WaitingReason
from crossfleet.coordinator.scheduling.conduct import Indices, Untold
from crossfleet.coordinator.scheduling.figures import SchedulerFigures
from crossfleet.coordinator.scheduling.neglect import Neglect, Placeable
from crossfleet.coordinator.scheduling.news import News
from crossfleet.foundation.clock import Clock
from crossfleet.foundation.errors import PlanInvalid, Unavailable

Satisfiable = Callable[[str], bool]
"""Whether a group surely could be placed in an idle fleet."""

_LEAST_PAUSE = 0.02
_PAUSE_ANSWERS = 2.0
_AVERAGED = 0.2
_MOST_LOOKED_AT, _MOST_NEVERS = 32, 8
# A row takes the coordinator 25 us: of a scheduler that is told everything each time it asks again for a twentieth of its time.
_ROW_SECONDS = 0.0005


class Guard:
    """Tells the breaker of one scheduler what it said, and what it did not.

    An update is to be answered while groups wait that the scheduler decides for: by a plan that rests on it, empty or not.
    Silence counts only where one of them could be placed, and so does an answer that has no word about it for long. While
    such a one waits, whatever was said of it, and nothing is to be told, it is asked again and again: it may have frozen.
    """

    def __init__(
        self,
        breaker: Breaker,
        clock: Clock,
        figures: SchedulerFigures,
        placeable: Placeable,
        satisfiable: Satisfiable,
        answered: Callable[[], None],
        ask_again: Callable[[], None],
        changed: Callable[[], None],
        give_up: Callable[[str, str], None],
    ) -> None:
        """`answered` is called when an update was, `ask_again` when one is to go out though nothing has changed, `changed`
        when the breaker has changed its stage, `give_up` with a group for which the scheduler is to decide no more, and why."""
        self.breaker = breaker
        self._clock, self._figures, self._placeable = clock, figures, placeable
        self._satisfiable = satisfiable
        self._answered, self._ask_again = answered, ask_again
        self._changed, self._give_up = changed, give_up
        self._neglect = Neglect(breaker.deadline, placeable)
        self._stage = breaker.stage
        self._stir = asyncio.Event()
        self._watches_until = inf
        self._begin()

    def _begin(self) -> None:
        self._revision = self._asked = 0
        self._told_at = -inf
        self._quiet_since, self._quiet_seconds = inf, self.breaker.deadline
        self._news = News()
        self._waiting: set[str] = set()
        self._won_at = -inf
        self._neglect.begin()

    def connected(self) -> None:
        """A new stream begins."""
        self._begin()
        self.breaker.connected(self._clock.monotonic())
        self._look()

    def lost(self, cause: str) -> None:
        """The stream has ended, or none could be opened."""
        self.breaker.lost(self._clock.monotonic(), cause)
        self._look()

    def rest_left(self) -> float:
        """Seconds until it may be dialled."""
        return self.breaker.rest_left(self._clock.monotonic())

    def told(self, update: scheduler_pb2.ScheduleRequest) -> None:
        """An update goes out. What it has to say of groups that wait is to be answered."""
        self._revision = update.revision
        self._news.told(update)
        if update.HasField("snapshot"):
            self._waiting.clear()
        told = update.snapshot if update.HasField("snapshot") else update.delta
        rows = len(told.groups) + len(told.workers) + len(told.allocations)
        self._quiet_seconds = max(self.breaker.deadline, rows * _ROW_SECONDS)
        for row in told.groups:
            (self._waiting.add if row.wanted_slots > 0 else self._waiting.discard)(row.group_id)
        self._waiting.difference_update(update.delta.removed_group_ids)
        now = self._clock.monotonic()
        self._neglect.told(update, now)
        self._note_neglect()
        if self._waiting:
            self._told_at = now
            self._ask()

    def _ask(self) -> None:
        if not self._asked:
            self._asked, self._quiet_since = self._revision, inf
            self.breaker.asked(self._clock.monotonic())
            self._stir.set()

    def busy_until(self) -> float:
        """Twice its usual time, and no longer than its deadline: whoever plans for long is not flooded meanwhile."""
        pause = max(self._figures.answer_seconds * _PAUSE_ANSWERS, _LEAST_PAUSE)
        return self._told_at + min(pause, self.breaker.deadline)

    def heard(self, message: scheduler_pb2.ScheduleResponse) -> None:
        """A plan came in. Raises PlanInvalid where it rests on a revision that was never sent, or would fail a run for nothing."""
        base = message.base_revision
        self._neglect.heard(message)
        if self.breaker.stage is Stage.HALF_OPEN:
            self._neglect.look(self._clock.monotonic())
        self._note_neglect()
        if message.request_snapshot:
            return
        if not 1 <= base <= self._revision:
            raise PlanInvalid(f"its plan rests on revision {base}; it was sent 1 to {self._revision}")
        nevers = (one.group_id for one in message.waiting if one.kind == scheduler_pb2.WAITING_KIND_NEVER)
        for group_id in islice(nevers, _MOST_NEVERS):
            if self._satisfiable(group_id):
                raise PlanInvalid(f"it says that group {group_id} can never be placed, which it can")
        if self._asked and base >= self._asked:
            self._settle(self.breaker.answered(self._clock.monotonic()), anew=base < self._revision)
            self._look()

    def _settle(self, seconds: float | None, *, anew: bool) -> None:
        """It has answered. `anew`: it was told of more since."""
        usual = self._figures.answer_seconds
        if seconds is not None:
            self._figures.answer_seconds = usual + _AVERAGED * (seconds - usual) if usual else seconds
        self._asked, self._told_at, self._quiet_since = 0, -inf, self._clock.monotonic()
        if anew and self._waiting:
            self._ask()
        self._answered()

    def late(self, message: scheduler_pb2.ScheduleResponse, untold: Untold) -> Indices:
        """Which of a plan's proposals rest on what has changed since, told or not."""
        if not message.allocate:
            return frozenset()
        newer, pending = self._news.newer_than(message.base_revision), untold()
        return frozenset(
            index
            for index, one in enumerate(message.allocate)
            if any(name in pending or newer(name) for name in (one.worker_id, one.group_id))
        )

    def judged(
        self, message: scheduler_pb2.ScheduleResponse, accepted: int, refused: Sequence[Refusal], late: Indices
    ) -> Indices:
        """What became of a plan. Only what could not hold by what the scheduler knew is a fault of its own."""
        if accepted:
            self._won_at = self._clock.monotonic()
        self._neglect.judged(message, [one.index for one in refused])
        self._note_neglect()
        # Of several groups that were told of the same rest of a quota one gets it.
        beaten = frozenset(one.index for one in refused if one.reason == "QUOTA_EXCEEDED")
        excused = late | beaten | _of_their_gangs(message, late | beaten)
        faults = [one for one in refused if one.index not in excused and not one.excused]
        self._figures.late += len(refused) - len(faults)
        text = f"{faults[-1].reason}: {faults[-1].text}" if faults else ""
        self.breaker.judged(self._clock.monotonic(), accepted + len(refused) - len(faults), len(faults), text)
        self._look()
        return frozenset(one.index for one in faults)

    def reasons(self, given: tuple[WaitingReason, ...]) -> tuple[WaitingReason, ...]:
        """All."""
        return given

    def wasted(self, group_ids: Collection[str], why: str) -> None:
        """It takes back whatever it gives. Raises PlanInvalid: such a one is out."""
        for group_id in sorted(group_ids):
            self._give_up(group_id, "took back, for nobody, what it had given it")
        raise PlanInvalid(why)

    async def watch(self) -> None:
        """Looks whenever an answer is overdue; raises Unavailable when the breaker has opened."""
        while self.breaker.stage is not Stage.OPEN:
            dues = (self.breaker.due(), self._neglect.due(), self._quiet_until())
            self._watches_until = min((due for due in dues if due is not None), default=inf)
            left = max(self._watches_until - self._clock.monotonic(), 0.0)
            with suppress(TimeoutError):
                async with asyncio.timeout(left if left < inf else None):
                    await self._stir.wait()
            self._stir.clear()
            if self.breaker.overdue(self._clock.monotonic()):
                self._question()
            if self._quiet_until() <= self._clock.monotonic():
                self._break_silence()
            self._look_for_neglected()
            self.breaker.advance(self._clock.monotonic())
            self._look()
        raise Unavailable(self.breaker.cause, address=self._figures.address)

    def _quiet_until(self) -> float:
        """When it is to be asked again, if nothing is told until then."""
        return self._quiet_since + self._quiet_seconds if self._waiting else inf

    def _break_silence(self) -> None:
        self._quiet_since = self._clock.monotonic()
        if self._stranded():
            self._ask_again()

    def _stranded(self) -> str:
        """A group that waits, though it could be placed."""
        return next(self._placeable(nsmallest(_MOST_LOOKED_AT, self._waiting)), "")

    def _question(self) -> None:
        """It has not answered in time: whether it should have."""
        group_id = self._stranded()
        if group_id:
            silent = f"it has not answered an update for {self.breaker.deadline:g} s"
            self.breaker.lost(self._clock.monotonic(), f"{silent}, though group {group_id} could be placed")
            return
        self._settle(None, anew=False)
        self.breaker.excused(self._clock.monotonic())

    def _look_for_neglected(self) -> None:
        """A group of which it says nothing for too long goes to another; and so do all where it has placed nothing meanwhile."""
        now, due, seconds = self._clock.monotonic(), self._neglect.due(), self._neglect.seconds
        if due is not None and due <= now:
            self._neglect.look(now)
        neglected = self._neglect.overdue(now)
        for group_id in neglected:
            self._give_up(group_id, f"has said nothing of it for {seconds:g} s, though it could be placed")
        if neglected and self._won_at < now - seconds:
            told = f"it has placed nothing for {seconds:g} s, nor said why, though group {neglected[0]} could be placed"
            self.breaker.lost(now, told)
        self._note_neglect()

    def _note_neglect(self) -> None:
        """What was told or said may have to be looked into sooner than was known."""
        due, found = self._neglect.due(), self._neglect.found
        if self.breaker.neglects is not found or (due is not None and due < self._watches_until):
            self.breaker.neglects = found
            self._stir.set()

    def _look(self) -> None:
        if self.breaker.stage is not self._stage:
            self._stage = self.breaker.stage
            self._stir.set()
            self._changed()


def _of_their_gangs(message: scheduler_pb2.ScheduleResponse, late: Indices) -> Indices:
    """The proposals that share a gang with one that came too late."""
    gangs = {message.allocate[index].gang_id for index in late} - {""}
    return (
        frozenset(index for index, one in enumerate(message.allocate) if one.gang_id in gangs) if gangs else frozenset()
    )
