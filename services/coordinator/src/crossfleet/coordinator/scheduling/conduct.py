"""What is held against a scheduler: nothing against the fallback, for which nobody stands in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.coordinator.core.answers import Refusal
from crossfleet.coordinator.core.commands import WaitingReason

Indices = frozenset[int]
"""Of proposals of a plan."""
Untold = Callable[[], frozenset[str]]
"""The workers and groups of which something is not told yet."""


class Conduct(Protocol):
    """Hears all that a scheduler is told and says."""

    def connected(self) -> None:
        """A new stream begins."""

    def lost(self, cause: str) -> None:
        """The stream has ended, or none could be opened."""

    def rest_left(self) -> float:
        """Seconds until it may be dialled."""

    def told(self, update: scheduler_pb2.ScheduleRequest) -> None:
        """An update goes out."""

    def busy_until(self) -> float:
        """Until when, on the monotonic clock, the next update is held back since the last one is not answered."""

    def heard(self, message: scheduler_pb2.ScheduleResponse) -> None:
        """A plan came in. Raises PlanInvalid."""

    def late(self, message: scheduler_pb2.ScheduleResponse, untold: Untold) -> Indices:
        """Which of a plan's proposals rest on the past."""

    def judged(
        self, message: scheduler_pb2.ScheduleResponse, accepted: int, refused: Sequence[Refusal], late: Indices
    ) -> Indices:
        """What became of a plan; answers which of its proposals could not hold by what the scheduler knew."""

    def reasons(self, given: tuple[WaitingReason, ...]) -> tuple[WaitingReason, ...]:
        """Which of the reasons that it gives are told."""

    def wasted(self, group_ids: Collection[str], why: str) -> None:
        """It would take back for nothing what these groups were given, once too often. May raise PlanInvalid."""

    async def watch(self) -> None:
        """Goes on until it is cancelled; raises Unavailable when the scheduler is not let decide any more."""


class Trusted:
    """Measures nothing and waits for nothing."""

    def connected(self) -> None:
        """Does nothing."""

    def lost(self, cause: str) -> None:
        """Does nothing."""

    def rest_left(self) -> float:
        """None."""
        return 0.0

    def told(self, update: scheduler_pb2.ScheduleRequest) -> None:
        """Does nothing."""

    def busy_until(self) -> float:
        """At no time."""
        return 0.0

    def heard(self, message: scheduler_pb2.ScheduleResponse) -> None:
        """Does nothing."""

    def late(self, message: scheduler_pb2.ScheduleResponse, untold: Untold) -> Indices:
        """None."""
        return frozenset()

    def judged(
        self, message: scheduler_pb2.ScheduleResponse, accepted: int, refused: Sequence[Refusal], late: Indices
    ) -> Indices:
        """None."""
        return frozenset()

    def reasons(self, given: tuple[WaitingReason, ...]) -> tuple[WaitingReason, ...]:
        """All."""
        return given

    def wasted(self, group_ids: Collection[str], why: str) -> None:
        """Does nothing."""

    async def watch(self) -> None:
        """Waits to be cancelled."""
        await asyncio.Event().wait()
