"""The fleet as it is: who holds what, which tasks run, and what changed since a scheduler was told last."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from crossfleet.simulation.core.accounts import Accounts
from crossfleet.simulation.core.breaches import examine_gang, examine_worker
from crossfleet.simulation.core.judging import Grant
from crossfleet.simulation.core.measures import Measures
from crossfleet.simulation.core.model import Allocation, Group, Slot, Worker


@dataclass(slots=True)
class Changes:
    """Ids of rows that are new, changed or gone, in order. `pressing`: there is something to place, or room, that was not."""

    workers: dict[str, None] = field(default_factory=dict)
    groups: dict[str, None] = field(default_factory=dict)
    allocations: dict[str, None] = field(default_factory=dict)
    pressing: bool = False


class Fleet:
    """Workers, groups that are not over, allocations; and what ends when, on a heap."""

    def __init__(self, accounts: Accounts) -> None:
        """Empty."""
        self.now = 0.0
        self.workers: dict[str, Worker] = {}
        self.groups: dict[str, Group] = {}
        self.allocations: dict[str, Allocation] = {}
        self.wanting = 0
        self.changes = Changes()
        self.measures = Measures()
        self.accounts = accounts
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._numbers = count(1)

    def due(self) -> float | None:
        """When the next of what has begun ends."""
        return self._heap[0][0] if self._heap else None

    def end_next(self) -> None:
        """Let that happen; it is the time for it."""
        heapq.heappop(self._heap)[2]()

    def open(self, grants: Sequence[Grant]) -> list[str]:
        """Allocations come to be, and then their tasks begin; answers their ids. Raises Broken."""
        opened = [self._open(grant) for grant in grants]
        for one in opened:
            examine_worker(one.worker)
            examine_gang(one.group)
        for one in opened:
            setup = one.group.setup / one.worker.speed
            if setup > 0:
                self._at(setup, partial(self._get_ready, one))
            else:
                self._get_ready(one)
        return [one.id for one in opened]

    def give_back(self, allocation: Allocation) -> None:
        """Nothing new begins in an allocation; it ends with its last task."""
        if allocation.closing is not None:
            return
        allocation.closing = self.now
        self._shrink(allocation)
        self.changes.allocations[allocation.id] = None
        self.rewish(allocation.group)
        if not allocation.busy:
            self._close(allocation)

    def later(self, seconds: float, allocation: Allocation, act: Callable[[Allocation], None]) -> None:
        """Do something in so many seconds, if the allocation is still there."""
        self._at(seconds, lambda: act(allocation) if allocation.id in self.allocations else None)

    def interrupt(self, allocation: Allocation) -> None:
        """An allocation ends at once: cases that were not finished wait again, what was executed of one is lost."""
        group, worker = allocation.group, allocation.worker
        for slot in allocation.slots:
            if not slot.task:
                continue
            spent = (self.now - slot.began) * worker.speed
            done = 0
            while done < len(slot.task) and slot.task[done] <= spent:
                spent -= slot.task[done]
                done += 1
            left = slot.task[done:]
            if left and spent > 0:
                self.measures.lost_work(group, spent / worker.speed)
            self._end_task(slot, done)
            group.cases.put(left)
        self._close(allocation)
        self.settle(group)

    def settle(self, group: Group) -> None:
        """End a group that has nothing left, and give back what it does not need any more."""
        if group.id not in self.groups:
            return
        if not len(group.cases):
            for one in [*group.allocations.values()]:
                if not one.busy:
                    self._close(one)
            if not group.running:
                self.measures.over(group, self.now)
                self.forget(group)
                return
        self.rewish(group)

    def forget(self, group: Group) -> None:
        """A group that holds nothing is no more."""
        del self.groups[group.id]
        self.changes.groups[group.id] = None
        self.measures.queue.change(-1, self.now)
        if group.wanting:
            self._want(group, wanting=False)

    def rewish(self, group: Group) -> None:
        """What a group wants may have changed."""
        wanting = group.wanted() > 0 and not group.never
        self.changes.groups[group.id] = None
        if wanting != group.wanting:
            self._want(group, wanting=wanting)

    def give_up(self, group: Group) -> None:
        """A group waits for a change of the fleet alone."""
        group.never = True
        self.rewish(group)

    def change(self, worker_id: str) -> None:
        """A worker came or went: what could never be placed may be now."""
        self.changes.workers[worker_id] = None
        self.changes.pressing = True
        for group in self.groups.values():
            if group.never:
                group.never = False
                self.rewish(group)

    def _want(self, group: Group, *, wanting: bool) -> None:
        group.wanting = wanting
        more = 1 if wanting else -1
        self.wanting += more
        self.accounts.wants(group.project, more, self.now)
        self.changes.pressing |= wanting

    def _open(self, grant: Grant) -> Allocation:
        group, worker = grant.group, grant.worker
        group.never = False
        one = Allocation(f"a{next(self._numbers)}", group, worker, grant.device_ids, portions=grant.portions)
        one.slots = tuple(Slot(one) for _ in range(grant.slots))
        if group.first is None:
            group.first = self.now
            self.measures.begun(group, self.now)
        if not group.allocations:
            self.measures.queue.change(-1, self.now)
        self.allocations[one.id] = group.allocations[one.id] = worker.allocations[one.id] = one
        group.slots += grant.slots
        group.speed += grant.slots * worker.speed
        self.measures.held.change(grant.slots, self.now)
        self.accounts.opened(one, self.now)
        self.changes.allocations[one.id] = None
        self.rewish(group)
        return one

    def _get_ready(self, allocation: Allocation) -> None:
        if allocation.id not in self.allocations or allocation.closing is not None:
            return
        allocation.ready = True
        for slot in allocation.slots:
            self._begin(slot)
        self.settle(allocation.group)

    def _begin(self, slot: Slot) -> None:
        """A slot gets its next task, if there is any."""
        group, speed = slot.allocation.group, slot.allocation.worker.speed
        slot.task = group.cases.cut(speed, max(group.speed, speed))
        if slot.task:
            slot.began = self.now
            group.running += 1
            self.measures.busy.change(1, self.now)
            self._at(sum(slot.task) / speed, partial(self._finish, slot))

    def _finish(self, slot: Slot) -> None:
        if not slot.task:
            return  # It was interrupted meanwhile.
        allocation = slot.allocation
        self._end_task(slot, len(slot.task))
        if allocation.closing is None:
            self._begin(slot)
        elif not allocation.busy:
            self._close(allocation)
        self.settle(allocation.group)

    def _end_task(self, slot: Slot, done: int) -> None:
        slot.task = ()
        group = slot.allocation.group
        group.done += done
        group.running -= 1
        self.measures.busy.change(-1, self.now)

    def _close(self, allocation: Allocation) -> None:
        """An allocation is no more; its slots are free."""
        group, size = allocation.group, len(allocation.slots)
        if allocation.closing is None:
            self._shrink(allocation)
        else:
            self.measures.closing += self.now - allocation.closing
        del self.allocations[allocation.id], group.allocations[allocation.id]
        del allocation.worker.allocations[allocation.id]
        self.measures.held.change(-size, self.now)
        self.accounts.closed(allocation, self.now)
        if not group.allocations:
            self.measures.queue.change(1, self.now)
        self.changes.allocations[allocation.id] = None
        self.changes.pressing = True
        self.rewish(group)

    def _shrink(self, allocation: Allocation) -> None:
        size, group = len(allocation.slots), allocation.group
        group.slots -= size
        # Sums of floats drift; no slots are exactly no speed.
        group.speed = group.speed - size * allocation.worker.speed if group.slots else 0.0

    def _at(self, seconds: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (self.now + seconds, next(self._order), act))
