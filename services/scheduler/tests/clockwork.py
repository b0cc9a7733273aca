"""A fleet under a virtual clock: allocations end after their group's seconds, and new work comes as it is asked for."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from crossfleet.matching.free import millicores, slot_millicores
from crossfleet.matching.model import Request, WorkerView
from crossfleet.matching.selectors import Selectors
from crossfleet.scheduler.core.model import Allocation, Delta, Group, Policy, Share
from crossfleet.scheduler.core.planner import Planner
from crossfleet.scheduler.core.snapshot import Snapshot


def alike(workers: int, slots: int) -> list[WorkerView]:
    """Workers of a core a slot."""
    return [WorkerView(f"w{n}", cpu_cores=slots, slots_total=slots) for n in range(workers)]


class Clockwork:
    """`had` is what each project had of each resource, in amounts times seconds; `begun` when each group got something.

    ``half_life`` of what projects used lately, in seconds; 0: schedulers are not told.
    """

    def __init__(
        self,
        fleet: Iterable[WorkerView],
        policy: Policy | None = None,
        weights: Mapping[str, float] | None = None,
        half_life: float = 0.0,
    ) -> None:
        self.snapshot = Snapshot()
        self.planner = Planner(policy or Policy(), Selectors())
        self.now = 0.0
        self.had: dict[str, dict[str, float]] = {}
        self.begun: dict[str, float] = {}
        self.revoked = 0
        self._weights, self._half_life = dict(weights or {}), half_life
        self._used: dict[str, dict[str, float]] = {}
        self._ends: list[tuple[float, str]] = []
        self._numbers = 0
        workers = tuple(fleet)
        shares = tuple(Share(project, weight) for project, weight in self._weights.items())
        self.snapshot.apply(Delta(workers=workers, shares=shares), 1)
        self.totals: Counter[str] = Counter()
        for worker in workers:
            self.totals["cpu"] += millicores(worker.cpu_cores)
            self.totals.update(one.device_class for one in worker.devices if not one.shared)

    def submit(self, name: str, slots: int = 1, seconds: float = 1.0, **more) -> None:
        """A group of its own run comes, each of whose slots is needed for so long."""
        request = more.pop("request", Request())
        group = Group(
            name, name, request=request, wanted_slots=slots, submitted_at=self.now, estimated_seconds=seconds, **more
        )
        self.snapshot.apply(Delta(groups=(group,)), 1)

    def step(self) -> None:
        """Plan, accept all, give back what is revoked, and go to the next end."""
        plan, made = self.planner.plan(self.snapshot, self.now), []
        self._give_back(plan.revoke)
        for one in plan.allocate:
            self._numbers += 1
            group = self.snapshot.groups[one.group_id]
            allocation = Allocation(
                f"a{self._numbers}", one.group_id, one.worker_id, one.slots, one.device_ids, portions=one.portions
            )
            self.begun.setdefault(one.group_id, self.now)
            heapq.heappush(self._ends, (self.now + group.estimated_seconds, allocation.id))
            made.append(allocation)
            self._want(group, -one.slots)
        self.snapshot.apply(Delta(allocations=tuple(made)), 1)
        if plan.revoke:
            return
        self._pass()
        while self._ends and self._ends[0][0] <= self.now:
            self.snapshot.apply(Delta(removed_allocations=(heapq.heappop(self._ends)[1],)), 1)

    def forget(self) -> None:
        """Groups that want and hold nothing are over."""
        over = [one.id for one in self.snapshot.groups.values() if not one.wanted_slots]
        over = [one for one in over if not [*self.snapshot.held_by(one)]]
        self.snapshot.apply(Delta(removed_groups=tuple(over)), 1)

    def backlog(self, project: str) -> int:
        """Slots that a project wants and does not have."""
        return sum(one.wanted_slots for one in self.snapshot.groups.values() if one.project == project)

    def dominant(self, project: str) -> float:
        """The largest part that a project had of any resource until now."""
        return max(amount / self.totals[name] for name, amount in self.had[project].items())

    def _pass(self) -> None:
        """Time goes by until the next allocation ends."""
        while self._ends and self._ends[0][1] not in self.snapshot.allocations:
            heapq.heappop(self._ends)  # it was given back
        seconds = self._ends[0][0] - self.now if self._ends else 0.0
        fading = 0.5 ** (seconds / self._half_life) if self._half_life else 0.0
        held: dict[str, Counter[str]] = {}
        for one in self.snapshot.allocations.values():
            project = self.snapshot.groups[one.group_id].project
            held.setdefault(project, Counter()).update(self._cost(one))
        for project, amounts in held.items():
            mine = self.had.setdefault(project, {})
            for name, amount in amounts.items():
                mine[name] = mine.get(name, 0.0) + amount * seconds
        if self._half_life:
            for project in {*held, *self._used}:
                used, now = self._used.setdefault(project, {}), held.get(project, Counter())
                for name in self.totals:
                    used[name] = used.get(name, 0.0) * fading + now[name] / self.totals[name] * (1 - fading)
            rows = (Share(one, self._weights.get(one, 1.0), dict(used)) for one, used in self._used.items())
            self.snapshot.apply(Delta(shares=tuple(rows)), 1)
        self.now += seconds

    def _give_back(self, revoked: Iterable[str]) -> None:
        for one in revoked:
            self.revoked += 1
            held = self.snapshot.allocations[one]
            self._want(self.snapshot.groups[held.group_id], held.slots)
            self.snapshot.apply(Delta(removed_allocations=(one,)), 1)

    def _want(self, group: Group, more: int) -> None:
        group = self.snapshot.groups[group.id]
        self.snapshot.apply(Delta(groups=(replace(group, wanted_slots=max(group.wanted_slots + more, 0)),)), 1)

    def _cost(self, held: Allocation) -> Counter[str]:
        worker, request = self.snapshot.workers[held.worker_id], self.snapshot.groups[held.group_id].request
        own = {one.id: one.device_class for one in worker.devices if not one.shared}
        found = Counter(own[one] for one in held.device_ids if one in own)
        found["cpu"] = held.slots * slot_millicores(request, worker)
        return found
