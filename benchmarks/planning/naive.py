"""What the same order costs when every group looks at every worker."""

from __future__ import annotations

from collections import Counter

from crossfleet.matching.fit import fit
from crossfleet.matching.free import Fit, Free
from crossfleet.matching.selectors import Selectors
from crossfleet.scheduler.core.model import Delta


def place_naively(rows: Delta) -> int:
    """Priority, then the project with the fewest slots by its weight, then age; answers the slots placed."""
    selectors = Selectors()
    weights = {share.project: share.weight for share in rows.shares}
    free = {worker.name: Free.whole(worker) for worker in rows.workers}
    held: Counter[str] = Counter()
    waiting = sorted(rows.groups, key=lambda group: (-group.priority, group.submitted_at, group.id))
    while waiting:
        top = waiting[0].priority
        group = min(
            (one for one in waiting if one.priority == top),
            key=lambda one: (held[one.project] / weights.get(one.project, 1.0), one.submitted_at, one.id),
        )
        waiting.remove(group)
        wanted = group.wanted_slots
        for worker in sorted(rows.workers, key=lambda one: (free[one.name].slots, one.name)):
            found = fit(group.request, worker, free[worker.name], selectors, most=wanted) if wanted else None
            if isinstance(found, Fit):
                free[worker.name] = free[worker.name].minus(
                    group.request, found.slots, found.device_ids, worker, found.taken
                )
                held[group.project] += found.slots
                wanted -= found.slots
    return held.total()
