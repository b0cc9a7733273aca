"""What a scheduler that decides for some groups sees of the others: that they hold slots, and want none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.coordinator.convert.plans import Mine
from crossfleet.coordinator.core import events as facts
from crossfleet.coordinator.core.commands import ApplyPlan
from crossfleet.coordinator.core.last_cases import SlotsGivenBack
from crossfleet.coordinator.core.model import State


class Sight:
    """Leaves out what does not concern the scheduler, and remembers which groups it was shown."""

    def __init__(self, mine: Mine) -> None:
        """Nothing was shown."""
        self.mine = mine
        self._shown: set[str] = set()

    def concerned(self, state: State, events: Sequence[facts.Event]) -> list[facts.Event]:
        """Of some facts, those that change what the scheduler sees."""
        return [event for event in events if self._concerns(state, event)]

    def _concerns(self, state: State, event: facts.Event) -> bool:
        match event:
            case facts.RunSubmitted() | facts.RunStopping():
                run = state.runs.get(event.run_id)
                return run is not None and any(self._seen(state, one) for one in run.groups)
            case facts.AllocationOpened() | facts.AllocationClosed() | SlotsGivenBack():
                return True
            case facts.GroupFinished():
                return event.group_id in self._shown
            case _:
                group = state.groups.get(getattr(event, "group_id", ""))
                return group is None or self.mine(group)

    def _seen(self, state: State, group_id: str) -> bool:
        group = state.groups.get(group_id)
        return group_id in self._shown or (group is not None and self.mine(group))

    def shown(self, update: scheduler_pb2.ScheduleRequest) -> None:
        """An update goes out: nothing is said of groups that were never shown."""
        if update.HasField("snapshot"):
            self._shown = {one.group_id for one in update.snapshot.groups}
            return
        delta = update.delta
        self._shown.update(one.group_id for one in delta.groups)
        gone = [one for one in delta.removed_group_ids if one in self._shown]
        delta.ClearField("removed_group_ids")
        delta.removed_group_ids.extend(gone)
        self._shown.difference_update(gone)


def own_part(plan: ApplyPlan, state: State, mine: Mine) -> tuple[ApplyPlan, tuple[int, ...]]:
    """What of a plan its scheduler may decide, and the indices of those proposals in the whole."""

    def owns(group_id: str) -> bool:
        group = state.groups.get(group_id)
        return group is None or mine(group)

    def revocable(allocation_ids: Iterable[str]) -> tuple[str, ...]:
        held = ((one, state.allocations.get(one)) for one in allocation_ids)
        return tuple(one for one, allocation in held if allocation is None or owns(allocation.group_id))

    indices = tuple(index for index, one in enumerate(plan.allocate) if owns(one.group_id))
    own = replace(
        plan,
        allocate=tuple(plan.allocate[index] for index in indices),
        revoke=revocable(plan.revoke),
        waiting=tuple(one for one in plan.waiting if owns(one.group_id)),
        feed=tuple(filter(owns, plan.feed)),
    )
    return own, indices
