"""Which allocations are taken back between two tasks, so that far more urgent work need not wait for their end.

Only downwards: a victim's priority is lower by ``gap`` at least. So whoever was preempted and waits again can preempt
nobody who preempted it, and nothing goes in circles. One request is helped in a cycle, on one worker, and nobody while
something is being given back there that may be enough.
"""

from __future__ import annotations

from dataclasses import dataclass

from crossfleet.scheduler.core.fleet import Fleet
from crossfleet.scheduler.core.model import Allocation
from crossfleet.scheduler.core.queue import Entry, Queue
from crossfleet.scheduler.core.snapshot import Snapshot

# Of so many workers the one is chosen on which the least is lost.
_LOOKED_AT = 64


@dataclass(frozen=True, slots=True)
class _Loss:
    """What it costs to make room on one worker: smaller is better."""

    priority: int
    slots: int
    worker: str
    victims: tuple[str, ...]

    def order(self) -> tuple[int, int, str]:
        return (self.priority, self.slots, self.worker)


def victims(snapshot: Snapshot, fleet: Fleet, queue: Queue, gap: int) -> tuple[str, ...]:
    """The allocations to revoke for the most urgent group that finds no room; none where nothing is worth it."""
    held = [priority for priority, lanes in queue.levels.items() if any(lane.held for lane in lanes.values())]
    for priority in sorted(queue.levels, reverse=True):
        if not held or priority - min(held) < gap:
            return ()
        heads = (lane.oldest(lambda shape: shape.shut and shape.hosts == 1) for lane in queue.levels[priority].values())
        blocked = min((one for one in heads if one is not None), key=lambda one: one.rank, default=None)
        if blocked is not None:
            return _for_one(snapshot, fleet, blocked, gap)
    return ()


def _for_one(snapshot: Snapshot, fleet: Fleet, entry: Entry, gap: int) -> tuple[str, ...]:
    losses = []
    for name in fleet.emptiest(entry.shape.demand, entry.shape.least, _LOOKED_AT):
        on_it = list(snapshot.held_on(name))
        if any(one.closing or one.id in snapshot.revoked for one in on_it):
            return ()
        loss = _loss(snapshot, fleet, entry, name, on_it, gap)
        if loss is not None:
            losses.append(loss)
    return min(losses, key=_Loss.order).victims if losses else ()


def _loss(snapshot: Snapshot, fleet: Fleet, entry: Entry, name: str, on_it: list[Allocation], gap: int) -> _Loss | None:
    """The least urgent allocations of a worker, as few as make room for the fewest slots of a group."""
    rows = ((snapshot.groups.get(one.group_id), one) for one in on_it if one.id not in snapshot.proposed)
    able = [
        (group.priority, -group.submitted_at, one.id, one)
        for group, one in rows
        if group is not None and entry.group.priority - group.priority >= gap
    ]
    taken: list[Allocation] = []
    for priority, _, _, one in sorted(able, key=lambda row: row[:3]):
        taken.append(one)
        kept = [other for other in on_it if other not in taken]
        if fleet.room_beside(name, entry.shape.demand, kept) >= entry.shape.least:
            return _Loss(priority, sum(other.slots for other in taken), name, tuple(other.id for other in taken))
    return None
