"""The planner: takes in what changed, then plans. A cycle costs what changed and what it gives away, not the fleet.

It equals a planner that sees the same rows for the first time: what it keeps between cycles is memory, never a decision.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from math import inf

from crossfleet.matching.selectors import Selectors
from crossfleet.scheduler.core.demands import Demand, Shape
from crossfleet.scheduler.core.explain import Reasons
from crossfleet.scheduler.core.fairness import Accounts
from crossfleet.scheduler.core.fillings import Kind
from crossfleet.scheduler.core.fleet import Fleet
from crossfleet.scheduler.core.model import Group, Plan, Policy
from crossfleet.scheduler.core.place import Placing, least
from crossfleet.scheduler.core.preempt import victims
from crossfleet.scheduler.core.queue import Entry, Queue, join, leave, rank
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
        self.accounts.begin(self.fleet.totals)
        since = now - self._policy.patience_seconds
        reservations = Reservations(self.fleet, self._policy.reservations, since, self._drained)
        placing = Placing(self.fleet, snapshot, refused or {}, reservations)
        if any(shape.waiting and not shape.shut for shape in self.shapes.values()):
            self.fleet.begin()
            Round(self, snapshot, placing).serve(since)
        proposals = placing.proposals()
        # Until they are proposed for good, they are no more than that.
        snapshot.changed_groups.update(placing.given)
        snapshot.changed_workers.update([one.worker_id for one in proposals])
        waiting = self._reasons.tell(snapshot, placing, refused or {})
        revoke = victims(snapshot, self.fleet, self.queue, self.accounts, self._policy) if preempt else ()
        return Plan(snapshot.revision, proposals, revoke, waiting, len(self._reasons.short))

    def due(self, now: float) -> float | None:
        """When the patience of a group ends next."""
        times = (
            oldest + self._policy.patience_seconds
            for lanes in self.queue.levels.values()
            for lane in lanes.values()
            if not lane.held and (oldest := lane.oldest(lambda _: True)) is not None
        )
        return min((time for time in times if time > now), default=None)

    def _begin(self) -> None:
        self.accounts = Accounts()
        self.entries: dict[str, Entry] = {}
        self.fleet = Fleet(self._selectors, self.accounts, self.entries)
        self.queue = Queue()
        self.shapes: dict[tuple[object, int, int], Shape] = {}
        self._ends: dict[str, float] = {}
        self._snapshot: Snapshot | None = None
        self._reasons = Reasons(self.fleet, self.entries, self._selectors)

    def _take_in(self, snapshot: Snapshot) -> None:
        workers, groups, renewed = snapshot.changed_workers, snapshot.changed_groups, snapshot.renewed_workers
        snapshot.changed_workers, snapshot.changed_groups, snapshot.renewed_workers = set(), set(), set()
        known, rows = self._selectors.learned, snapshot.workers
        new = self._snapshot is not snapshot
        self._selectors.learn(rows[name] for name in (rows if new else renewed) if name in rows)
        if new or self._selectors.learned > known or len(self.shapes) > self._most_shapes:
            # A selector that was refused as a slip may be right now; and what nobody asks for any more is forgotten.
            self._begin()
            self._most_shapes = max(_MOST_SHAPES, 2 * len(snapshot.groups))
            self._snapshot = snapshot
            workers, groups = set(rows), set(snapshot.groups)
        self._look_at_groups(snapshot, groups)
        self._look_at_workers(snapshot, workers | set(rows) if self.fleet.unsorted else workers)
        if renewed:
            self._reasons.workers_changed()

    def _look_at_groups(self, snapshot: Snapshot, groups: AbstractSet[str]) -> None:
        rows, entries = snapshot.groups, self.entries
        for group_id in sorted(groups):
            group, entry = rows.get(group_id), entries.get(group_id)
            held = proposed = 0
            if group_id in snapshot.holding:
                for one in snapshot.held_by(group_id):
                    self._ends.pop(one.worker_id, None)
                    held += one.slots
                    if one.id in snapshot.proposed:
                        proposed += one.slots
            if group is None:
                if entry is not None:
                    self.queue.forget(entry)
                    del entries[group_id]
                self._reasons.forget(group_id)
                continue
            short = max(group.wanted_slots - proposed, 0)
            again = entry is None or entry.held != held
            if entry is not None and (entry.group is group or _stays(entry, group)):
                entry.group = group  # Most news of a group is only that less of it is left.
                if not again and entry.short == short:
                    continue
                entry.lane.held += held - entry.held
                entry.held, entry.short = held, short
            else:
                if entry is not None:
                    self.queue.forget(entry)
                shape = self._shape(self.fleet.demand(group.request), 1, 1)
                entry = entries[group_id] = self.queue.enter(group, shape, held, short)
            self.wait(entry, again=again)

    def _look_at_workers(self, snapshot: Snapshot, workers: AbstractSet[str]) -> None:
        opened: dict[Kind, None] = {}
        if snapshot.crowded:
            beside = snapshot.neighbours if self.fleet.solitary else snapshot.sharing
            workers = workers | {other for name in workers for other in beside(name)}
        for name in sorted(workers):
            self._ends.pop(name, None)
            filling = self.fleet.look(snapshot, name)
            if filling is not None and filling.slots > 0:
                opened[filling.kind] = None
        self.fleet.unsorted = False
        # Shapes for which some worker has got room are to be tried again.
        for shape in self.shapes.values() if opened else ():
            if shape.shut:
                shape.shut = shape.waiting > 0 and self.fleet.search.roomy(shape, opened) is None

    def wait(self, entry: Entry, *, again: bool = True) -> None:
        """Let a group wait for what it may get: what it wants within its limit, a gang's whole or nothing.

        ``again``: it holds something else than before, so its reason is told again.
        """
        request, shape = entry.group.request, entry.shape
        hosts, fewest, wanted = 1, 1, entry.short
        if request.gang > 1:
            hosts, fewest = request.gang, max(request.slots_min, 1)
            wanted = hosts * fewest if entry.short and not entry.held else 0
        else:
            if request.slots_max > 0:
                wanted = max(min(wanted, request.slots_max - entry.held), 0)
            if request.slots_min > 1:
                fewest = max(min(least(entry), wanted), 1)
        if shape.least != fewest or shape.hosts != hosts:
            shape = self._shape(shape.demand, fewest, hosts)
        if not wanted or shape is not entry.shape:
            leave(entry)
        entry.wanted, entry.shape = wanted, shape
        if wanted and not entry.waits:
            join(entry)
        self._reasons.note(entry.group.id, again=again)

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


def _stays(entry: Entry, group: Group) -> bool:
    """Whether a group's place in the queue is what it was."""
    before = entry.group
    return (
        entry.rank == rank(group)
        and before.submitted_at == group.submitted_at
        and before.preempts == group.preempts
        and before.project == group.project
        and before.request == group.request
    )
