"""What holds in the long run: shares, patience, and that large requests come to their turn."""

import heapq
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfleet.matching.model import Request, WorkerView
from crossfleet.matching.selectors import Selectors
from crossfleet.scheduler.core.model import Allocation, Delta, Group, Policy, Share
from crossfleet.scheduler.core.planner import Planner
from crossfleet.scheduler.core.snapshot import Snapshot


class Clockwork:
    """A fleet under a virtual clock: allocations end after their group's seconds, and new work comes as it is asked for."""

    def __init__(self, workers: int, slots: int, policy: Policy | None = None, weights: dict[str, float] | None = None):
        self.snapshot = Snapshot()
        self.planner = Planner(policy or Policy(), Selectors())
        self.now = 0.0
        self.had: dict[str, float] = {}
        self.begun: dict[str, float] = {}
        self._ends: list[tuple[float, str]] = []
        self._numbers = 0
        fleet = tuple(WorkerView(f"w{n}", cpu_cores=slots, slots_total=slots) for n in range(workers))
        shares = tuple(Share(project, weight) for project, weight in (weights or {}).items())
        self.snapshot.apply(Delta(workers=fleet, shares=shares), 1)

    def submit(self, name: str, slots: int = 1, seconds: float = 1.0, **more) -> None:
        request = more.pop("request", Request())
        group = Group(
            name, name, request=request, wanted_slots=slots, submitted_at=self.now, estimated_seconds=seconds, **more
        )
        self.snapshot.apply(Delta(groups=(group,)), 1)

    def step(self) -> None:
        """Plan, accept all, and go to the next end."""
        made = []
        for one in self.planner.plan(self.snapshot, self.now).allocate:
            self._numbers += 1
            group = self.snapshot.groups[one.group_id]
            allocation = Allocation(f"a{self._numbers}", one.group_id, one.worker_id, one.slots)
            self.begun.setdefault(one.group_id, self.now)
            self.had[group.project] = self.had.get(group.project, 0.0) + one.slots * group.estimated_seconds
            heapq.heappush(self._ends, (self.now + group.estimated_seconds, allocation.id))
            made.append(allocation)
            less = replace(group, wanted_slots=max(group.wanted_slots - one.slots, 0))
            self.snapshot.apply(Delta(groups=(less,)), 1)
        self.snapshot.apply(Delta(allocations=tuple(made)), 1)
        if self._ends:
            self.now = self._ends[0][0]
        while self._ends and self._ends[0][0] <= self.now:
            self.snapshot.apply(Delta(removed_allocations=(heapq.heappop(self._ends)[1],)), 1)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.sampled_from([1.0, 2.0, 3.0, 5.0]), min_size=2, max_size=4), st.integers(0, 1000))
def test_shares_converge_within_a_twentieth_of_the_weights(weights, seed):
    random = Random(seed)
    wishes = {f"p{n}": weight for n, weight in enumerate(weights)}
    fleet = Clockwork(workers=10, slots=sum(map(int, weights)), weights=wishes)
    count = 0
    for _ in range(150):
        for project in wishes:
            waiting = sum(one.wanted_slots for one in fleet.snapshot.groups.values() if one.project == project)
            while waiting < 10 * sum(weights):
                count += 1
                slots = random.randint(1, 6)
                fleet.submit(f"g{count}", slots, random.choice([0.5, 1.0, 2.0]), project=project)
                waiting += slots
        fleet.step()
        over = [one.id for one in fleet.snapshot.groups.values() if not one.wanted_slots]
        fleet.snapshot.apply(Delta(removed_groups=tuple(one for one in over if not [*fleet.snapshot.held_by(one)])), 1)
    total = sum(fleet.had.values())
    for project, weight in wishes.items():
        assert fleet.had[project] / total == pytest.approx(weight / sum(weights), rel=0.05)


@pytest.mark.parametrize("request_", [Request(gang=3, slots_min=2), Request(exclusive=True), Request(slots_min=2)])
def test_a_large_request_begins_though_small_work_never_ends(request_):
    """Even where estimates stay what they are, so that small work always seems to end in time."""
    fleet = Clockwork(workers=3, slots=2, policy=Policy(patience_seconds=10.0))
    large = Group("large", "large", request=request_, wanted_slots=6 if request_.gang > 1 else 2, estimated_seconds=5.0)
    for count in range(60):
        for n in range(4):
            fleet.submit(f"small-{count}-{n}", 1, 1.0 + 0.1 * n, project="other")
        if count == 1:
            fleet.snapshot.apply(Delta(groups=(replace(large, submitted_at=fleet.now),)), 1)
        fleet.step()
    assert fleet.begun["large"] <= 13.0


def test_low_priority_work_begins_within_its_patience_under_endless_urgent_work():
    fleet = Clockwork(workers=1, slots=2, policy=Policy(patience_seconds=20.0))
    fleet.submit("low", 1)
    for count in range(80):
        for n in range(3):
            fleet.submit(f"urgent-{count}-{n}", 1, 1.0, priority=9, project="urgent")
        fleet.step()
    assert 20.0 <= fleet.begun["low"] <= 22.0
