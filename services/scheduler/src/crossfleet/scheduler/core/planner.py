"""The planner: takes in what changed, then plans. A cycle costs what changed and what it gives away, not the fleet.

It equals a planner that sees the same rows for the first time: what it keeps between cycles is memory, never a decision.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from crossfleet.matching.selectors import Selectors
from crossfleet.scheduler.core.demands import Demand, Shape
from crossfleet.scheduler.core.explain import Reasons
from crossfleet.scheduler.core.fairness import Accounts
from crossfleet.scheduler.core.fillings import Filling
from crossfleet.scheduler.core.fleet import Fleet
from crossfleet.scheduler.core.model import Plan, Policy
from crossfleet.scheduler.core.place import Placing, least
from crossfleet.scheduler.core.preempt import victims
from crossfleet.scheduler.core.queue import Entry, Queue, rank
from crossfleet.scheduler.core.reserve import Reservations
from crossfleet.scheduler.core.serve import Round
from crossfleet.scheduler.core.snapshot import Snapshot

_MOST_SHAPES = 4096


class Planner:
    """Plans for one snapshot, which others feed."""

    def __init__(self, policy: Policy, selectors: Selectors) -> None:
        """Nothing seen yet."""
        self._policy = policy
        self._selectors = selectors
        self._most_shapes = _MOST_SHAPES
        self._begin()

    def plan(
        self,
        snapshot: Snapshot,
        now: float,
        refused: Mapping[str, frozenset[str]] | None = None,
        *,
        preempt: bool = True,
    ) -> Plan:
        """Propose allocations for what waits, and say why whoever gets less than it wants waits.

        Deterministic: depends only on the rows of the snapshot, on ``now`` (seconds since 1970, for patience alone)
        and on ``refused``, the workers that each group was refused on lately. Reasons that were told are not repeated.
        ``preempt``: allocations may be revoked, where the policy says so.
        """
        self._take_in(snapshot)
        since = now - self._policy.patience_seconds
        reservations = Reservations(self.fleet, self._policy.reservations, since, self._drained)
        placing = Placing(self.fleet, snapshot, refused or {}, reservations)
        if any(shape.waiting and not shape.shut for shape in self.shapes.values()):
            self.fleet.count_rivals()
            Round(self, snapshot, placing).serve(since)
            self.queue.tidy()
        for group_id, worker_id in placing.proposals:
            # Until they are proposed for good, they are no more than that.
            snapshot.changed_groups.add(group_id)
            snapshot.changed_workers.add(worker_id)
        waiting = self._reasons.tell(snapshot, placing, refused or {})
        gap = self._policy.preemption_gap
        revoke = victims(snapshot, self.fleet, self.queue, gap) if preempt and gap > 0 else ()
        return Plan(snapshot.revision, tuple(placing.proposals.values()), revoke, waiting, len(self._reasons.short))

    def due(self, now: float) -> float | None:
        """When the patience of a group ends next."""
        times = (
            first.group.submitted_at + self._policy.patience_seconds
            for lanes in self.queue.levels.values()
            for lane in lanes.values()
            if not lane.held and (first := lane.oldest(lambda _: True)) is not None
        )
        return min((time for time in times if time > now), default=None)

    def _begin(self) -> None:
        self.accounts = Accounts()
        self.fleet = Fleet(self._selectors, self.accounts)
        self.queue = Queue()
        self.entries: dict[str, Entry] = {}
        self.shapes: dict[tuple[object, int, int], Shape] = {}
        self._ends: dict[str, float] = {}
        self._snapshot: Snapshot | None = None
        self._reasons = Reasons(self.fleet, self.entries, self._selectors)

    def _take_in(self, snapshot: Snapshot) -> None:
        workers, groups = snapshot.changed_workers, snapshot.changed_groups
        snapshot.changed_workers, snapshot.changed_groups = set(), set()
        known = self._selectors.learned
        self._selectors.learn(snapshot.workers[name] for name in workers if name in snapshot.workers)
        if self._snapshot is not snapshot or self._selectors.learned > known or len(self.shapes) > self._most_shapes:
            # A selector that was refused as a slip may be right now; and what nobody asks for any more is forgotten.
            self._begin()
            self._most_shapes = max(_MOST_SHAPES, 2 * len(snapshot.groups))
            self._snapshot = snapshot
            workers, groups = set(snapshot.workers), set(snapshot.groups)
        for group_id in groups:
            self._look(snapshot, group_id)
        if self.fleet.unsorted:
            workers = workers | set(snapshot.workers)
        opened: dict[Filling, None] = {}
        for name in workers:
            self._ends.pop(name, None)
            filling = self.fleet.look(snapshot, name)
            if filling is not None:
                opened[filling] = None
        self.fleet.unsorted = False
        if snapshot.fleet_changed:
            snapshot.fleet_changed = False
            self._reasons.workers_changed()
        self._open(opened)

    def _open(self, opened: Mapping[Filling, None]) -> None:
        """Shapes for which some worker has got room are to be tried again."""
        for shape in self.shapes.values() if opened else ():
            if shape.shut and any(one.room(one.kind.aspect(shape.demand)) >= shape.least for one in opened):
                shape.shut = False

    def _look(self, snapshot: Snapshot, group_id: str) -> None:
        before, group = self.entries.get(group_id), snapshot.groups.get(group_id)
        held = proposed = 0
        for one in snapshot.held_by(group_id):
            self._ends.pop(one.worker_id, None)
            held += one.slots
            if one.id in snapshot.proposed:
                proposed += one.slots
        short = max(group.wanted_slots - proposed, 0) if group is not None else 0
        if before is not None and group is not None and (held, short) == (before.held, before.short):
            same = before.rank == rank(group) and before.group.project == group.project
            if same and before.group.request == group.request:
                before.group = group  # Most news of a group is only that less of it is left.
                return
        if before is not None:
            self.queue.leave(before)
            del self.entries[group_id]
        if group is None:
            self.fleet.of_group.pop(group_id, None)
            self._reasons.forget(group_id)
            return
        demand = self.fleet.of_group[group_id] = self.fleet.demand(group.request)
        entry = self.entries[group_id] = Entry(group, rank(group), self._shape(demand, 1, 1), held, short)
        self.enter(entry, again=before is None or before.held != held)

    def enter(self, entry: Entry, *, again: bool = True) -> None:
        """Let a group wait for what it may get: what it wants within its limit, a gang's whole or nothing.

        ``again``: it holds something else than before, so its reason is told again.
        """
        request, hosts = entry.group.request, max(entry.group.request.gang, 1)
        if hosts > 1:
            fewest = max(request.slots_min, 1)
            entry.wanted = hosts * fewest if entry.short and not entry.held else 0
        else:
            limit = request.slots_max - entry.held if request.slots_max > 0 else entry.short
            entry.wanted = max(min(entry.short, limit), 0)
            fewest = max(min(least(entry), entry.wanted), 1)
        entry.shape = self._shape(entry.shape.demand, fewest, hosts)
        self.queue.enter(entry)
        self._reasons.note(entry, again=again)

    def _shape(self, demand: Demand, fewest: int, hosts: int) -> Shape:
        found = self.shapes.get((demand, fewest, hosts))
        if found is None:
            found = self.shapes[demand, fewest, hosts] = Shape(demand, fewest, hosts)
        return found

    def _drained(self, name: str) -> float:
        """In how many seconds a worker is expected to be idle: infinite where that is unknown."""
        snapshot, known = self._snapshot, self._ends.get(name)
        if known is None and snapshot is not None:
            known = max((self._lasts(held.group_id) for held in snapshot.held_on(name)), default=0.0)
            self._ends[name] = known
        return known if known is not None else inf

    def _lasts(self, group_id: str) -> float:
        entry = self.entries.get(group_id)
        if entry is None or entry.group.estimated_seconds <= 0:
            return inf
        return entry.group.estimated_seconds / max(entry.held, 1)
