"""What the coordinator of a check knows: the rows as they are, and what was committed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from crossfleet.api.scheduler.v1.scheduler_service_pb2 import PREEMPTION_NEVER, TaskGroup
from crossfleet.api.types.v1.device_pb2 import Worker
from crossfleet.client.conformance.rows import Holding, Wish


@dataclass
class Truth:
    """The fleet at one revision. `wishes` keeps groups that are gone, since what they held is still counted by them."""

    workers: dict[str, Worker] = field(default_factory=dict)
    groups: dict[str, Wish] = field(default_factory=dict)
    holdings: dict[str, Holding] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    wishes: dict[str, Wish] = field(default_factory=dict)

    def copy(self) -> Truth:
        """One that changes on its own; rows are never changed, only replaced."""
        return Truth(dict(self.workers), dict(self.groups), dict(self.holdings), dict(self.shares), dict(self.wishes))

    def clear(self) -> None:
        """Nothing is there any more."""
        self.workers.clear()
        self.groups.clear()
        self.holdings.clear()

    def forget(self, name: str) -> None:
        """A worker, group or allocation is gone; with a worker what was held of it, with a group what it held."""
        self.workers.pop(name, None)
        self.groups.pop(name, None)
        self.holdings.pop(name, None)
        for one in [*self.holdings.values()]:
            if name in (one.worker_id, one.group_id):
                del self.holdings[one.holding_id]

    def tell(self, wish: Wish) -> None:
        """A group is new or changed."""
        self.groups[wish.group_id] = self.wishes[wish.group_id] = wish

    def commit(self, holding: Holding) -> None:
        """A proposal became an allocation: its group wants so many fewer slots; none, where it is a gang."""
        self.holdings[holding.holding_id] = holding
        self._want(holding.group_id, -holding.slots)

    def end(self, holding: Holding) -> None:
        """An allocation ended with work left: its group wants so many slots again."""
        del self.holdings[holding.holding_id]
        self._want(holding.group_id, holding.slots)

    def held(self, group_id: str) -> list[Holding]:
        """What a group holds."""
        return [one for one in self.holdings.values() if one.group_id == group_id]

    def protects(self, holding_id: str) -> bool:
        """Whether nothing may be taken back from the group of an allocation."""
        held = self.holdings.get(holding_id)
        wish = self.wishes.get(held.group_id) if held is not None else None
        return wish is not None and wish.row.preemption == PREEMPTION_NEVER

    def _want(self, group_id: str, more: int) -> None:
        wish = self.groups.get(group_id)
        if wish is not None:
            row = TaskGroup()
            row.CopyFrom(wish.row)
            row.wanted_slots = max(row.wanted_slots + more, 0)
            self.tell(replace(wish, row=row))
