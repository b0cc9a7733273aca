"""One load and the planner that plans it, timed by CPU seconds."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from random import Random

from benchmarks.planning.load import Sizes, rows
from crossfleet.matching.selectors import Selectors
from crossfleet.scheduler.core.model import Allocation, Delta, Plan, Policy
from crossfleet.scheduler.core.planner import Planner
from crossfleet.scheduler.core.snapshot import Snapshot

_NOW = 2000.0


def timed(work: Callable[[], object]) -> float:
    """CPU seconds of some work."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


class Run:
    """A snapshot, its planner, and a coordinator that accepts whatever is proposed."""

    def __init__(self, sizes: Sizes) -> None:
        """Nothing planned yet."""
        self._rows = rows(sizes)
        self._selectors = Selectors()
        self._snapshot = Snapshot.of(self._rows, 1)
        self._planner = Planner(Policy(), self._selectors)
        self._random = Random(1)
        self._numbers = 0
        self._plan = self._cycle = Plan(0)

    @property
    def allocations(self) -> int:
        """How many the last whole plan proposed."""
        return len(self._plan.allocate)

    @property
    def placed(self) -> int:
        """How many the last cycle proposed."""
        return len(self._cycle.allocate)

    @property
    def waiting(self) -> int:
        """How many groups got less than they want."""
        return self._plan.short

    def plan(self) -> None:
        """Plan what is to be planned."""
        self._plan = self._planner.plan(self._snapshot, _NOW)

    def plan_afresh(self) -> None:
        """The same by a planner that has seen nothing but the selectors."""
        Planner(Policy(), self._selectors).plan(Snapshot.of(self._rows, 1), _NOW)

    def place_anew(self) -> None:
        """The same by the planner that knows the fleet: every proposal was refused, every group is in the queue again."""
        self._snapshot.apply(Delta(groups=self._rows.groups), 1)
        self.plan()

    def accept(self) -> None:
        """Make allocations of what was proposed, and see it."""
        self._accept(self._plan)
        self._planner.plan(self._snapshot, _NOW)

    def cycle(self, completions: int) -> float:
        """CPU seconds from so many ended allocations to the plan that uses what they left."""
        ended = self._random.sample(sorted(self._snapshot.allocations), completions)
        delta = Delta(removed_allocations=tuple(ended))

        def change_and_plan() -> None:
            self._snapshot.apply(delta, self._snapshot.revision + 1)
            self._cycle = self._planner.plan(self._snapshot, _NOW)

        seconds = timed(change_and_plan)
        self._accept(self._cycle)
        self._planner.plan(self._snapshot, _NOW)
        return seconds

    def _accept(self, plan: Plan) -> None:
        groups = dict(self._snapshot.groups)
        made = []
        for one in plan.allocate:
            self._numbers += 1
            ids, portions = one.device_ids, one.portions
            made.append(Allocation(f"a{self._numbers}", one.group_id, one.worker_id, one.slots, ids, portions=portions))
            group = groups[one.group_id]
            groups[one.group_id] = replace(group, wanted_slots=group.wanted_slots - one.slots)
        changed = tuple(groups[one] for one in {made_one.group_id: None for made_one in made})
        self._snapshot.apply(Delta(groups=changed, allocations=tuple(made)), self._snapshot.revision + 1)


def memory_of_a_waiting_group() -> float:
    """Bytes for each of 20,000 groups that wait for one small fleet: row, place in the queue, reason."""
    load = rows(Sizes(workers=100))
    snapshot, planner = Snapshot.of(Delta(workers=load.workers), 1), Planner(Policy(), Selectors())
    planner.plan(snapshot, _NOW)
    del load
    tracemalloc.start()
    snapshot.apply(Delta(groups=rows(Sizes(workers=0)).groups), 2)
    plan = planner.plan(snapshot, _NOW)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return taken / plan.short
