"""The conduct of a scheduler for which nobody stands in: nothing is held against it, and whoever waits is told how it fares."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.coordinator.convert import plans
from crossfleet.coordinator.convert.plans import Mine
from crossfleet.coordinator.core.answers import Refusal
from crossfleet.coordinator.core.breaker import FAULTY_SHARE, MOST_FAULTS
from crossfleet.coordinator.core.commands import ApplyPlan, WaitingReason
from crossfleet.coordinator.core.model import Group, State
from crossfleet.coordinator.scheduling.conduct import Indices, Trusted
from crossfleet.coordinator.scheduling.figures import SchedulerFigures
from crossfleet.coordinator.scheduling.unsaid import Unsaid
from crossfleet.coordinator.sessions.session import Commit
from crossfleet.foundation.clock import Clock
from crossfleet.foundation.errors import CrossfleetError
from crossfleet.foundation.errors.status import shorten
from crossfleet.foundation.logs import get_logger

CODE = "scheduler"
"""Of reasons that the coordinator gives for a scheduler which gives none."""
_LAST = 20
_LOOK_SECONDS = 1.0
_TEXT_SECONDS = 30.0
_WHY_CHARACTERS = 300
_MOST_TOLD = 500
# Where two want the same, or another one decides meanwhile, a plan made sense.
_USUAL = frozenset({"QUOTA_EXCEEDED", "SCHEDULER_SUPERSEDED"})


class Alone(Trusted):
    """Keeps what became of its last proposals. While most are refused, groups that have nothing are told so: those that have no
    reason, and those for which it has proposed in vain, in place of what it says of them. So are those of which it says nothing."""

    def __init__(
        self,
        figures: SchedulerFigures,
        state: Callable[[], State],
        commit: Commit,
        clock: Clock,
        mine: Mine | None,
    ) -> None:
        """`mine`: for which groups it decides; None: for all."""
        self._figures, self._state, self._commit, self._clock = figures, state, commit, clock
        self._mine = mine
        self._last: deque[Refusal | None] = deque(maxlen=_LAST)
        self._struck: set[str] = set()
        self._unsaid = Unsaid()
        self._withheld: dict[str, WaitingReason] = {}
        self._stir = asyncio.Event()
        self._reason, self._text, self._since = "", "", 0.0
        self._told = False
        """Whether groups may have a reason that holds no longer."""

    def connected(self) -> None:
        """A new stream begins. Groups that were told that there is none may be told better."""
        self._last.clear()
        self._struck.clear()
        self._withheld.clear()
        self._unsaid.begin()
        self._told = True
        self._stir.set()

    def told(self, update: scheduler_pb2.ScheduleRequest) -> None:
        """An update goes out."""
        self._unsaid.told(update, self._clock.monotonic())
        if self._unsaid:
            self._stir.set()

    def heard(self, message: scheduler_pb2.ScheduleResponse) -> None:
        """A plan came in."""
        self._unsaid.heard(message, self._clock.monotonic())

    def judged(
        self, message: scheduler_pb2.ScheduleResponse, accepted: int, refused: Sequence[Refusal], late: Indices
    ) -> Indices:
        """What became of a plan; none of it is held against it."""
        self._last.extend([None] * accepted)
        self._last.extend(one for one in refused if one.reason not in _USUAL and not one.excused)
        lost = {message.allocate[one.index].group_id for one in refused}
        for group_id in {one.group_id for one in message.allocate} - lost:
            self._struck.discard(group_id)
            self._withheld.pop(group_id, None)
        self._struck.update(lost)
        if self._fails or self._told:
            self._stir.set()
        return frozenset()

    def reasons(self, given: tuple[WaitingReason, ...]) -> tuple[WaitingReason, ...]:
        """All but those of which the coordinator knows better: these are told when its plans hold again."""
        if not self._fails:
            return given
        better = {one.group_id for one in given if not one.never and one.group_id in self._struck}
        self._withheld.update((one.group_id, one) for one in given if one.group_id in better)
        return tuple(one for one in given if one.group_id not in better)

    async def watch(self) -> None:
        """Tells groups why they wait, until cancelled: what is short is not told, since it passes."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS if self._fails or self._unsaid else None):
                    await self._stir.wait()
            await self._clock.sleep(_LOOK_SECONDS)
            self._stir.clear()
            await self._tell()

    @property
    def _refused(self) -> list[Refusal]:
        return [one for one in self._last if one is not None]

    @property
    def _fails(self) -> bool:
        """Whether most of its last proposals were refused."""
        count = len(self._refused)
        return count >= MOST_FAULTS and count >= FAULTY_SHARE * len(self._last)

    async def _tell(self) -> None:
        state, why, every = self._state(), self._why(), self._fails or self._told
        self._told = self._fails
        silent = {} if self._fails else self._silences()
        self._struck = {one for one in self._struck if one in state.groups}
        self._withheld = {one: reason for one, reason in self._withheld.items() if one in state.groups}
        groups = state.groups.values() if every else [state.groups[one] for one in silent if one in state.groups]
        told = [
            self._reason_of(group, silent.get(group.group_id, why))
            for group in groups
            if plans.open_group(state, group) and not group.allocations and self._is_news(group, why, silent)
        ]
        for first in range(0, len(told), _MOST_TOLD):
            try:
                await self._commit(ApplyPlan(plan_id="", waiting=tuple(told[first : first + _MOST_TOLD])))
            except CrossfleetError as error:
                get_logger().warning("groups could not be told why they wait", error=str(error))
                return

    def _is_news(self, group: Group, why: str, silent: Mapping[str, str]) -> bool:
        """Whether a group is to be told this in place of its reason, or that it is one of the `silent`."""
        text = silent.get(group.group_id, why)
        if group.waiting_text == text or (self._mine is not None and not self._mine(group)):
            return False
        if group.waiting_code == CODE:
            return True
        if not self._fails:
            return text != why and not group.waiting_text
        return not group.never and (not group.waiting_text or group.group_id in self._struck)

    def _reason_of(self, group: Group, text: str) -> WaitingReason:
        """This, or what its scheduler has said where that is to be believed again."""
        reason = WaitingReason(group.group_id, False, CODE, text)
        if not self._fails:
            return self._withheld.pop(group.group_id, reason)
        if group.waiting_text and group.waiting_code != CODE:
            own = WaitingReason(group.group_id, False, group.waiting_code, group.waiting_text)
            self._withheld.setdefault(group.group_id, own)
        return reason

    def _why(self) -> str:
        """What is said of it now. Of the same reason the same for a while, though the figures change with each plan."""
        name, refused = self._name, self._refused
        if not self._fails:
            self._reason = ""
            return f"scheduler {name} has given no other reason yet"
        newest, now = refused[-1], self._clock.monotonic()
        if newest.reason != self._reason or now - self._since >= _TEXT_SECONDS:
            self._reason, self._since = newest.reason, now
            why = shorten(f"{newest.reason}: {newest.text}", _WHY_CHARACTERS)
            count = f"{len(refused)} of the last {len(self._last)}"
            self._text = f"scheduler {name} answers, but its plans are refused: {why} ({count})"
        return self._text

    def _silences(self) -> dict[str, str]:
        """By group, that nothing is said of it."""
        texts = {
            True: f"scheduler {self._name} answers, but proposes nothing and says no reason",
            False: f"scheduler {self._name} has not answered since it was told of it",
        }
        overdue = self._unsaid.overdue(self._clock.monotonic())
        return {group_id: texts[answered] for group_id, answered in overdue.items()}

    @property
    def _name(self) -> str:
        return self._figures.name or self._figures.address
