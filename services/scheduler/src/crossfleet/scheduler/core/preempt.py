"""Which allocations are taken back between two tasks, so that others need not wait for their end.

Work of a priority class that preempts takes from lower classes that allow it; by the settings, far more urgent work from
less urgent work, and a project from one that has far more by its weight, and still has once that is done. So whoever was
preempted and waits again can preempt nobody who preempted it, and nothing goes in circles. One request is helped in a
cycle, on one worker, and nobody while something is being given back there that may be enough.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from crossfleet.scheduler.core.fairness import Accounts
from crossfleet.scheduler.core.fleet import Fleet
from crossfleet.scheduler.core.model import Allocation, Group, Policy
from crossfleet.scheduler.core.queue import Entry, Queue
from crossfleet.scheduler.core.snapshot import Snapshot

# Of so many workers the one is chosen on which the least is lost.
_LOOKED_AT = 64

_May = Callable[[Group, Allocation, Sequence[Allocation]], bool]
"""Whether an allocation may be taken from a group, after some others of the same worker."""


@dataclass(frozen=True, slots=True)
class _Loss:
    """What it costs to make room on one worker: smaller is better."""

    priority: int
    slots: int
    worker: str
    victims: tuple[str, ...]

    def order(self) -> tuple[int, int, str]:
        return (self.priority, self.slots, self.worker)


def victims(snapshot: Snapshot, fleet: Fleet, queue: Queue, accounts: Accounts, policy: Policy) -> tuple[str, ...]:
    """The allocations to revoke for the group that finds no room and comes first; none where nothing is worth it."""
    set_up = policy.preemption_gap or policy.preemption_ratio
    if not set_up and not any(lane.preempting for lanes in queue.levels.values() for lane in lanes.values()):
        return ()
    for priority in sorted(queue.levels, reverse=True):
        heads = {
            project: head
            for project, lane in queue.levels[priority].items()
            if (head := lane.leading(lambda shape: shape.shut and shape.hosts == 1 and fleet.satisfiable(shape)))
        }
        classed = [one for one in heads.values() if one.group.preempts]
        if classed and (found := _for_class(snapshot, fleet, classed)):
            return found
        if heads and (set_up or classed):
            return _for_urgent(snapshot, fleet, queue, heads.values(), policy.preemption_gap) or _for_poor(
                snapshot, fleet, _Shares(snapshot, fleet, accounts), heads, policy.preemption_ratio
            )
    return ()


def _for_class(snapshot: Snapshot, fleet: Fleet, heads: Iterable[Entry]) -> tuple[str, ...]:
    entry = min(heads, key=lambda one: one.rank)

    def may(group: Group, one: Allocation, taken: Sequence[Allocation]) -> bool:
        return group.preemptible is True and group.priority < entry.group.priority

    return _for_one(snapshot, fleet, entry, lambda name: may)


def _for_urgent(snapshot: Snapshot, fleet: Fleet, queue: Queue, heads: Iterable[Entry], gap: int) -> tuple[str, ...]:
    entry = min(heads, key=lambda one: one.rank)
    held = [priority for priority, lanes in queue.levels.items() if any(lane.held for lane in lanes.values())]
    if not gap or entry.group.priority - min(held, default=entry.group.priority) < gap:
        return ()
    return _for_one(
        snapshot, fleet, entry, lambda name: lambda group, one, taken: entry.group.priority - group.priority >= gap
    )


def _for_poor(
    snapshot: Snapshot, fleet: Fleet, shares: _Shares, heads: Mapping[str, Entry], ratio: float
) -> tuple[str, ...]:
    poorest = min(heads, key=lambda project: (shares.of(project), project))
    if not ratio or shares.richest() < shares.of(poorest) * ratio:
        return ()
    return _for_one(snapshot, fleet, heads[poorest], lambda name: shares.richer(heads[poorest], name, ratio))


class _Shares:
    """What projects have by their weights, and would have if slots went from some to another."""

    def __init__(self, snapshot: Snapshot, fleet: Fleet, accounts: Accounts) -> None:
        """As the rows and the plan are now."""
        self._snapshot = snapshot
        self._fleet = fleet
        self._accounts = accounts

    def of(self, project: str, more: Counter[str] | None = None) -> float:
        """A project's share, with so much more."""
        standing = self._accounts.standing(project, self._snapshot.shares.get(project))
        return self._accounts.share_with(project, standing, more or Counter())

    def richest(self) -> float:
        """The largest share of any project."""
        return max(map(self.of, self._accounts.projects), default=0.0)

    def richer(self, entry: Entry, name: str, ratio: float) -> _May:
        """From whom a group may take on one worker: of its priority at most, with so many times its share afterwards."""
        gained = Counter(dict(self._fleet.cost(name, entry.shape.demand, entry.shape.least)))
        needed = self.of(entry.group.project, gained) * max(ratio, 1.0)  # Below that it would be taken back and forth.

        def may(group: Group, one: Allocation, taken: Sequence[Allocation]) -> bool:
            if group.project == entry.group.project or group.priority > entry.group.priority:
                return False
            lost: Counter[str] = Counter()
            for each in (*taken, one):
                if self._snapshot.groups[each.group_id].project == group.project:
                    lost.subtract(dict(self._fleet.cost_of(each)))
            return self.of(group.project, lost) >= needed

        return may


def _for_one(snapshot: Snapshot, fleet: Fleet, entry: Entry, rule: Callable[[str], _May]) -> tuple[str, ...]:
    losses = []
    for name in fleet.emptiest(entry.shape.demand, entry.shape.least, _LOOKED_AT):
        on_it = _in_the_way(snapshot, fleet, entry, name)
        if any(one.closing or one.id in snapshot.revoked for one in on_it):
            return ()
        loss = _loss(snapshot, fleet, entry, name, on_it, rule(name))
        if loss is not None:
            losses.append(loss)
    return min(losses, key=_Loss.order).victims if losses else ()


def _in_the_way(snapshot: Snapshot, fleet: Fleet, entry: Entry, name: str) -> list[Allocation]:
    """What is held of a worker, and of its neighbours where that leaves less of this one."""
    return [*snapshot.held_on(name), *fleet.beside(name, entry.shape.demand)]


def _loss(
    snapshot: Snapshot, fleet: Fleet, entry: Entry, name: str, on_it: list[Allocation], may: _May
) -> _Loss | None:
    """The least urgent allocations of a worker, as few as make room for the fewest slots of a group."""

    def suffice(some: Sequence[Allocation]) -> bool:
        gone = {one.id for one in some}
        kept = [one for one in on_it if one.id not in gone]
        return fleet.room_beside(name, entry.shape.demand, kept) >= entry.shape.least

    rows = ((snapshot.groups.get(one.group_id), one) for one in on_it if one.id not in snapshot.proposed)
    able = [
        (group.priority, -group.submitted_at, one.id, group, one)
        for group, one in rows
        if group is not None and group.preemptible is not False
    ]
    taken: list[Allocation] = []
    for priority, _, _, group, one in sorted(able, key=lambda row: row[:3]):
        if not may(group, one, taken):
            continue
        taken.append(one)
        if suffice(taken):
            for spared in taken[-2::-1]:  # the most urgent first, since what it holds may be nothing that is wanted
                rest = [other for other in taken if other is not spared]
                taken = rest if suffice(rest) else taken
            return _Loss(priority, sum(other.slots for other in taken), name, tuple(other.id for other in taken))
    return None
