"""What a scheduler has not been told yet, and when it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from math import inf
from typing import Any

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.coordinator.convert import plans
from crossfleet.coordinator.core import events as facts
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.usage import Usage, held_parts
from crossfleet.coordinator.scheduling.changes import Changes
from crossfleet.coordinator.scheduling.conduct import Conduct
from crossfleet.coordinator.scheduling.left_out import LeftOut
from crossfleet.coordinator.scheduling.sight import Sight
from crossfleet.foundation.clock import Clock
from crossfleet.foundation.logs import get_logger
from crossfleet.matching.fits import Fits

_COUNTDOWN_SECONDS = 0.5
_REFUSED_SECONDS = 0.1
_SETTLED_SECONDS = 0.01
_COUNT_SECONDS = 1.0
_NEW_WORK = frozenset((facts.RunSubmitted, facts.CasesCollected))


class Teller:
    """Updates that gather while one is being sent go out as one."""

    def __init__(
        self,
        state: Callable[[], State],
        clock: Clock,
        usage: Usage | None,
        sight: Sight | None,
        conduct: Conduct,
        left_out: LeftOut,
    ) -> None:
        """`usage` counts what projects have; without it schedulers hear nothing of shares. `sight`: for which groups the
        scheduler decides; None: for all. `left_out` names what cannot be told."""
        self.wake = asyncio.Event()
        self.kept_waiting = False
        """The last plan said that groups wait."""
        self._state, self._clock = state, clock
        self._usage, self._sight, self._conduct = usage, sight, conduct
        self._left_out = left_out
        self._unread = ""
        self._counted_at = -inf
        self._changes = Changes()
        self._outcomes: list[scheduler_pb2.PlanOutcome] = []
        self._snapshot = True
        self._ahead = False
        self._held = self._snapshots_only = self._asks = False
        self._seen: State | None = None
        self._fits: Fits | None = None
        self._judging = False

    def begin(self) -> None:
        """A new stream: it is told everything, and nothing of earlier plans."""
        self._snapshot = True
        self._held = self._asks = False
        self._outcomes.clear()

    def hold(self, held: bool) -> None:
        """Whether a plan is committed in part: before the whole is, only new work is worth telling, and that not to a scheduler
        that forgets what it proposed."""
        if self._held and not held:
            self.wake.set()
        self._held = held

    def foreseen(self, events: Sequence[facts.Event]) -> None:
        """Called with each batch before it is durable: a plan is only a proposal, and is made while the disk writes.

        New work alone is told so early; of all else the scheduler learns in time, and writing it is not held up. Without
        any facts: a state that was loaded again takes back what was foreseen, and nothing was committed.
        """
        self._follow(self._state())
        self._ahead = any(type(event) in _NEW_WORK for event in events)
        if self._ahead:
            self._note(self._state(), events)

    def committed(self, state: State, events: Sequence[facts.Event]) -> None:
        """Called right after each commit. A state that was loaded again takes back what was foreseen."""
        self._follow(state)
        ahead, self._ahead = self._ahead, False
        if not ahead:
            self._note(state, events)

    def _follow(self, state: State) -> None:
        if self._seen is not None and state is not self._seen:
            self.everything()

    def _note(self, state: State, events: Sequence[facts.Event]) -> None:
        try:
            self._changes.note(state, events if self._sight is None else self._sight.concerned(state, events))
        except Exception as error:  # noqa: BLE001 - called by the ledger, which would tell nobody any more
            if repr(error) != self._unread:
                self._unread = repr(error)
                get_logger().error(
                    "news are told to a scheduler as a snapshot, for they cannot be read", exc_info=error
                )
            self.everything()
        if self._changes.matter:
            self.wake.set()

    def review(self, group_ids: Iterable[str]) -> None:
        """Who decides for these groups may be another one now."""
        self._changes.groups.update(group_ids)
        self._changes.press = True
        self.wake.set()

    def everything(self) -> None:
        """The next update is a snapshot."""
        self._snapshot = True
        self.wake.set()

    def repeat(self) -> None:
        """The next update goes out soon, though nothing has changed: it is to be answered."""
        self._asks = True
        self.wake.set()

    def answer(self, outcome: scheduler_pb2.PlanOutcome) -> None:
        """What became of a plan goes along with the next update."""
        self._outcomes.append(outcome)
        self.wake.set()

    def untold(self) -> frozenset[str]:
        """The workers and groups of which something has changed since the last update."""
        changes, allocations = self._changes, self._state().allocations
        held = (allocations.get(allocation_id) for allocation_id in changes.allocations)
        holding = (one.worker_id for one in held if one is not None)
        return frozenset((*changes.workers, *changes.groups, *changes.minor, *holding))

    async def tell(self, call: Any, *, snapshots_only: bool, wants_fits: bool = False) -> None:
        """Writes updates until it is cancelled, or writing fails."""
        revision = 0
        self._fits, self._judging = Fits() if wants_fits else None, False
        self._snapshots_only = snapshots_only
        while True:
            revision += 1
            update = self._update(revision, snapshots_only=snapshots_only)
            self._conduct.told(update)
            await call.write(update)
            await self._something()

    async def _something(self) -> None:
        """Returns when something presses, else a little after the last update, by how little the news matters."""
        sent = self._clock.monotonic()
        while (patience := self._patience()) is None or self._due(sent + patience) > self._clock.monotonic():
            left = None if patience is None else self._due(sent + patience) - self._clock.monotonic()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self.wake.wait()
            self.wake.clear()

    def _due(self, at: float) -> float:
        return max(at, self._conduct.busy_until())

    def _patience(self) -> float | None:
        """Least seconds between two updates with what there is to tell now; None where there is nothing."""
        changes = self._changes
        if self._held and (self._snapshots_only or not changes.press):
            return None
        if self._snapshot or self._asks or changes.press or (changes.matter and self.kept_waiting):
            return 0.0
        if changes.matter or self._judging:
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
        self._snapshot, self._asks, self._seen = False, False, state
        outcomes, self._outcomes = self._outcomes, []
        update = scheduler_pb2.ScheduleRequest(revision=revision, outcomes=outcomes, now_unix_seconds=self._clock.now())
        mine, put = None if self._sight is None else self._sight.mine, self._left_out.put
        if whole:
            self._left_out.forget_gone()
            update.snapshot.CopyFrom(plans.snapshot(state, mine, put))
            update.snapshot.shares.extend(put("shares", "", self._shares, state, whole) or ())
            if self._fits is not None:
                self._judging = not self._fits.add_to(update.snapshot, self._unjudged)
        else:
            update.delta.CopyFrom(plans.delta(state, workers, groups, allocations, mine, put))
            update.delta.shares.extend(put("shares", "", self._shares, state, whole) or ())
        if self._sight is not None:
            self._sight.shown(update)
        return update

    def _unjudged(self, group_id: str, error: Exception) -> None:
        self._left_out.note("fit", group_id, error)

    def _shares(self, state: State, whole: bool) -> list[scheduler_pb2.ProjectShare]:
        """What projects had, for every snapshot and from time to time: counting looks at all allocations."""
        now = self._clock.monotonic()
        if self._usage is None or (not whole and now - self._counted_at < _COUNT_SECONDS):
            return []
        self._counted_at = now
        return [plans.share(one) for one in self._usage.advance(now, held_parts(state))]
