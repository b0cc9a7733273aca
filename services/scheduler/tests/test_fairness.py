"""What holds in the long run: shares, patience, and that large requests come to their turn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from crossfleet.matching.model import Device, DeviceRequest, Request, WorkerView
from crossfleet.scheduler.core.model import Delta, Group, Policy
from services.scheduler.tests.clockwork import Clockwork, alike

CORES = {f"{cores} cores": Request(cpu_cores=cores) for cores in (1, 2, 4)}
MIXED = {
    "two cores": Request(cpu_cores=2.0),
    "a core and a gpu": Request(cpu_cores=1.0, devices=(DeviceRequest("gpu"),)),
}
ANY = (Request(),)
OFF, ON = Policy(), Policy(preemption_ratio=1.5, preemptions_per_hour=10**9)


@dataclass
class Contention:
    """Projects that always want more than there is, each of its own weight and kinds of requests."""

    fleet: Clockwork
    weights: Mapping[str, float]
    requests: Mapping[str, Sequence[Request]]
    random: Random
    backlog: int
    count: int = 0

    def steps(self, number: int) -> None:
        """So many ends of allocations."""
        for _ in range(number):
            for project in self.weights:
                waiting = self.fleet.backlog(project)
                while waiting < self.backlog:
                    self.count += 1
                    slots, seconds = self.random.randint(1, 6), self.random.choice([0.5, 1.0, 2.0])
                    request = self.random.choice(self.requests[project])
                    self.fleet.submit(f"g{self.count}", slots, seconds, project=project, request=request)
                    waiting += slots
            self.fleet.step()
            self.fleet.forget()

    def assert_fair(self, within: float = 0.05) -> None:
        """Each project had its weight's part of what all had together, by its dominant resource."""
        had = {project: self.fleet.dominant(project) for project in self.weights}
        for project, weight in self.weights.items():
            due = weight / sum(self.weights.values())
            assert had[project] / sum(had.values()) == pytest.approx(due, rel=within)


weights = st.lists(st.sampled_from([1.0, 2.0, 3.0, 5.0]), min_size=2, max_size=4)
seeds = st.integers(0, 1000)


@settings(max_examples=8, deadline=None)
@given(weights, seeds, st.sampled_from([OFF, ON]))
def test_shares_converge_within_a_twentieth_of_the_weights(weights, seed, policy):
    wishes = {f"p{n}": weight for n, weight in enumerate(weights)}
    fleet = Clockwork(alike(10, sum(map(int, weights))), policy, wishes)
    contention = Contention(fleet, wishes, dict.fromkeys(wishes, ANY), Random(seed), backlog=10 * int(sum(weights)))
    contention.steps(150)
    contention.assert_fair()


@settings(max_examples=4, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(weights, seeds, st.sampled_from([OFF, ON]))
def test_so_do_those_of_projects_that_ask_for_slots_of_unlike_size(weights, seed, policy):
    wishes, random = {f"p{n}": weight for n, weight in enumerate(weights)}, Random(seed)
    # Of a small fleet a weight's part is no whole number of large slots, and what is too small for these is for others.
    fleet = Clockwork(alike(128, 16), policy, wishes)
    smallest, *larger = CORES.values()
    requests = {one: [smallest, *random.sample(larger, random.randint(0, 2))] for one in wishes}
    contention = Contention(fleet, wishes, requests, random, backlog=2400)
    contention.steps(150)
    contention.assert_fair()


@settings(max_examples=4, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.sampled_from([(1.0, 1.0), (2.0, 1.0), (1.0, 2.0)]), seeds, st.sampled_from([OFF, ON]))
def test_so_do_dominant_shares_where_one_project_is_short_of_cores_and_another_of_devices(weights, seed, policy):
    gpus = tuple(Device(f"d{n}", "gpu") for n in range(64))
    fleet = [WorkerView(f"w{n}", cpu_cores=128.0, slots_total=128, devices=gpus) for n in range(2)]
    wishes = dict(zip(MIXED, weights, strict=True))
    contention = Contention(
        Clockwork(fleet, policy, wishes),
        wishes,
        {project: [request] for project, request in MIXED.items()},
        Random(seed),
        backlog=150,
    )
    contention.steps(200)
    contention.assert_fair()


@pytest.mark.parametrize("policy", [pytest.param(OFF, id="kept"), pytest.param(ON, id="preempted")])
def test_who_had_the_fleet_alone_and_long_gives_way_until_the_others_have_caught_up(policy):
    """By what was used lately the newcomer gets more than its part at first, and both the same in the end."""
    wishes = {"old": 1.0, "new": 1.0}
    fleet = Clockwork(alike(10, 4), policy, wishes, half_life=40.0)
    alone = Contention(fleet, {"old": 1.0}, {"old": ANY}, Random(1), backlog=100)
    while fleet.now < 30.0:
        alone.steps(1)
    both = Contention(fleet, wishes, dict.fromkeys(wishes, ANY), Random(2), backlog=100, count=10**6)
    fleet.had.clear()
    began = fleet.now
    while fleet.now < began + 10.0:
        both.steps(1)
    assert fleet.dominant("new") > 1.2 * fleet.dominant("old")
    while fleet.now < began + 300.0:
        both.steps(1)
    fleet.had.clear()
    while fleet.now < began + 360.0:
        both.steps(1)
    both.assert_fair()


LARGE = [Request(gang=3, slots_min=2), Request(exclusive=True), Request(slots_min=2)]


@pytest.mark.parametrize("request_", LARGE)
def test_a_large_request_begins_though_small_work_never_ends(request_):
    """Even where estimates stay what they are, so that small work always seems to end in time."""
    fleet = Clockwork(alike(3, 2), Policy(patience_seconds=10.0))
    large = Group("large", "large", request=request_, wanted_slots=6 if request_.gang > 1 else 2, estimated_seconds=5.0)
    for count in range(60):
        for n in range(4):
            fleet.submit(f"small-{count}-{n}", 1, 1.0 + 0.1 * n, project="other")
        if count == 1:
            fleet.snapshot.apply(Delta(groups=(replace(large, submitted_at=fleet.now),)), 1)
        fleet.step()
    assert fleet.begun["large"] <= 13.0


def test_low_priority_work_begins_within_its_patience_under_endless_urgent_work():
    fleet = Clockwork(alike(1, 2), Policy(patience_seconds=20.0))
    fleet.submit("low", 1)
    for count in range(80):
        for n in range(3):
            fleet.submit(f"urgent-{count}-{n}", 1, 1.0, priority=9, project="urgent")
        fleet.step()
    assert 20.0 <= fleet.begun["low"] <= 22.0


victims = st.lists(
    st.tuples(
        st.sampled_from([Request(), Request(cpu_cores=2.0), Request(gang=2, slots_min=2), *LARGE]),
        st.sampled_from(["p0", "p1", "urgent"]),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=25, deadline=None)
@given(victims, st.integers(1, 3), seeds)
def test_whoever_waits_begins_within_patience_and_a_turn_for_each_before_it(waiting, longest, seed):
    """Urgent work comes without end, more than the fleet can do; nobody else is ever due by priority."""
    random, patience = Random(seed), 10.0
    fleet = Clockwork(alike(3, 4), Policy(patience_seconds=patience))
    for number, (request, project, priority) in enumerate(waiting):
        slots = request.gang * request.slots_min if request.gang > 1 else request.slots_min
        fleet.submit(f"waits-{number}", slots, 3.0, project=project, priority=priority, request=request)
    count = 0
    limit = patience + (len(waiting) + 1) * (3.0 + longest)
    while fleet.now <= limit + 1.0:
        while fleet.backlog("urgent") < 24:
            count += 1
            fleet.submit(f"u{count}", random.randint(1, 3), random.uniform(0.2, longest), priority=9, project="urgent")
        fleet.step()
        fleet.forget()
    late = {f"waits-{n}": fleet.begun.get(f"waits-{n}") for n in range(len(waiting))}
    assert {name: at for name, at in late.items() if at is None or at > limit} == {}
