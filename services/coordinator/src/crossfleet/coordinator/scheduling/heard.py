"""The plans of one scheduler that are on their way into the ledger, each part by part."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from itertools import takewhile

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.coordinator.convert import plans
from crossfleet.coordinator.core.answers import Refusal
from crossfleet.coordinator.core.plan_parts import Part, parts

# One part is judged in one turn of the loop, while everybody else waits.
_PART = 32
_MOST = 8

Urgency = Callable[[str], int]
"""The priority of a group's run, by the group's id."""


@dataclass(slots=True)
class HeardPlan:
    """A plan, what of it is to be committed yet, and what became of the rest. `touched` are the workers and groups of that.

    `served` are groups to which a later plan, that went before it, has given something: they wait no more as it says.
    """

    message: scheduler_pb2.ScheduleResponse
    left: deque[Part]
    late: set[int] = field(default_factory=set)
    accepted: list[str] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    served: set[str] = field(default_factory=set)

    @property
    def may_pass(self) -> bool:
        """Whether it may go before plans that came earlier: it only gives."""
        return not (self.message.waiting or self.message.revoke_allocation_ids)

    @property
    def part(self) -> Part:
        """What is to be committed next."""
        part = self.left[0]
        waiting = tuple(one for one in part.plan.waiting if one.group_id not in self.served)
        return part if waiting == part.plan.waiting else replace(part, plan=replace(part.plan, waiting=waiting))


class HeardPlans:
    """Bounded. Parts for more urgent groups go first: a short run does not wait until a large one has been given all its slots."""

    def __init__(self, urgency: Urgency) -> None:
        """Nothing was heard."""
        self._urgency = urgency
        self._plans: list[HeardPlan] = []
        self._changed = asyncio.Event()

    def __bool__(self) -> bool:
        """Whether any is on its way."""
        return bool(self._plans)

    @property
    def halfway(self) -> bool:
        """Whether a part of some plan is committed and another is not."""
        return any(one.touched and one.left for one in self._plans)

    def clear(self) -> None:
        """The stream has ended: what was not committed never will be."""
        self._plans.clear()

    async def put(self, message: scheduler_pb2.ScheduleResponse) -> None:
        """Take a plan in, as soon as there is room."""
        await self._until(lambda: len(self._plans) < _MOST)
        self._plans.append(HeardPlan(message, deque(parts(plans.plan(message), _PART))))
        self._changed.set()

    async def next(self) -> HeardPlan:
        """The plan of which a part is to be committed next."""
        await self._until(lambda: bool(self._plans))
        first = self._plans[0]
        return max((one for one in self._plans if one is first or one.may_pass), key=self._rank)

    def given(self, plan: HeardPlan, group_ids: Collection[str]) -> None:
        """A part of a plan gave groups something; plans that came earlier may still be to be committed."""
        for earlier in takewhile(lambda one: one is not plan, self._plans):
            earlier.served.update(group_ids)

    def over(self, plan: HeardPlan) -> None:
        """All of a plan is judged."""
        if plan in self._plans:
            self._plans.remove(plan)
            self._changed.set()

    async def settled(self) -> None:
        """Returns when all is judged."""
        await self._until(lambda: not self._plans)

    def _rank(self, plan: HeardPlan) -> int:
        part = plan.left[0].plan
        concerned = [one.group_id for one in part.allocate[:1]] or part.feed
        return self._urgency(concerned[0]) if concerned else 0

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            self._changed.clear()
            await self._changed.wait()
