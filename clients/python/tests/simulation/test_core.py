"""The simulated fleet: what small traces come to by hand, and what holds for any trace and any plan."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients.python.tests.simulation.planning import (
    Row,
    back,
    greedy,
    group,
    lost,
    nonsense,
    play,
    seconds,
    simulation,
    trace,
    worker,
)
from crossfleet.simulation.core.breaches import Broken, examine_worker
from crossfleet.simulation.core.model import Plan, Proposal

REQUESTS: tuple[Row, ...] = (
    {},
    {},
    {"cpu_cores": 2},
    {"slots_max": 3},
    {"slots_min": 2},
    {"exclusive": True},
    {"gang": 2},
    {"gang": 2, "slots_min": 2},
    {"devices": [{"device_class": "gpu"}]},
    {"devices": [{"device_class": "board", "capacities": {"memory": 3}}]},
)
BOARD: Row = {"device_id": "board", "device_class": "board", "capacities": {"memory": 8}, "shareable": True}


@st.composite
def fleets(draw: st.DrawFn) -> list[Row]:
    """Rows of workers, groups and losses. Every request fits the workers that are never lost."""
    gpus = [{"device_id": f"gpu-{at}", "device_class": "gpu"} for at in range(2)]
    rows = [worker(f"w{at}", 4, cpu_cores=8, devices=[*gpus, BOARD]) for at in range(2)]
    rows += [
        worker(f"x{at}", draw(st.integers(1, 5)), at=draw(st.floats(0, 20))) for at in range(draw(st.integers(0, 3)))
    ]
    for row in rows[2:]:
        if draw(st.booleans()):
            gone = row["at"] + draw(st.floats(0, 30))
            rows.append(lost(row["worker_id"], gone))
            if draw(st.booleans()):
                rows.append(back(row["worker_id"], gone + draw(st.floats(0, 30))))
    for at in range(draw(st.integers(1, 8))):
        one = st.floats(0.01, 20) | st.tuples(st.floats(0.01, 5), st.integers(1, 9)).map(list)
        cases = draw(st.lists(one, min_size=1, max_size=12))
        request = draw(st.sampled_from(REQUESTS))
        project = draw(st.sampled_from("ab"))
        rows.append(group(f"g{at}", cases, at=draw(st.floats(0, 40)), request=request, project=project))
    return sorted(rows, key=lambda row: row["at"])


@given(rows=fleets(), seed=st.integers(0, 1000), grace=st.none() | st.floats(0, 5))
@settings(max_examples=120, deadline=None)
def test_whatever_is_proposed_every_case_is_executed_once_and_no_work_is_lost_uncounted(rows, seed, grace):
    played, random = simulation(trace(*rows), grace), Random(seed)
    plans = 60  # Who is always revoked never ends.
    while (due := played.due()) is not None:
        played.advance(due)
        plans -= 1
        if plans > 0:
            played.apply(nonsense(random, played))
        for one in played.fleet.workers.values():
            examine_worker(one)
        if random.random() < 0.5:
            played.apply(greedy(played))
    while played.fleet.groups:
        assert played.apply(greedy(played)).accepted, "an idle fleet takes whoever fits"
        while (due := played.due()) is not None:
            played.advance(due)
    results = played.results()
    groups = [row for row in rows if row["type"] == "group"]
    every = [one for row in groups for one in seconds(row["cases"])]
    measures = results.measures
    assert (measures.submitted, measures.finished, measures.cases) == (len(groups), len(groups), len(every))
    assert measures.busy.curve.integral() == pytest.approx(sum(every) + measures.lost)
    assert sum(one.slot_seconds for one in results.projects) == pytest.approx(measures.held.curve.integral())
    assert measures.held.curve.integral() >= measures.busy.curve.integral() - 1e-6
    assert measures.slots.curve.integral() >= measures.held.curve.integral() - 1e-6
    assert sum(map(len, measures.waits.values())) == len(groups)
    assert not played.fleet.allocations
    assert (measures.busy.value, measures.held.value, measures.queue.value) == (0, 0, 0)


def test_two_slots_share_a_group_longest_first():
    played = simulation(trace(worker("w1", 2), group("g", [4, 3, 2, 1], at=10)))
    play(played)
    results = played.results()
    assert (results.makespan, results.utilisation, results.occupation) == (5, 1, 1)


def test_two_groups_share_a_device_by_portions_and_a_third_waits():
    request = {"devices": [{"device_class": "board", "capacities": {"memory": 4}}]}
    groups = (group(f"g{at}", [10.0], request=request) for at in range(3))
    played = simulation(trace(worker("w", 4, devices=[BOARD]), *groups))
    play(played)
    assert played.now == 20


def test_a_slot_of_twice_the_speed_takes_half_the_time_and_twice_the_work():
    played = simulation(trace(worker("w1", 1), worker("w2", 1, speed=2), group("g", [[1, 300]])))
    play(played)
    assert played.results().makespan == pytest.approx(100, abs=1)


def test_setup_is_paid_by_each_allocation_before_its_first_case():
    played = simulation(trace(worker("w1", 1), group("g", [7], setup_seconds=3), group("h", [5])))
    play(played)
    results = played.results()
    assert results.makespan == 15
    assert results.utilisation == pytest.approx(12 / 15)
    assert results.occupation == 1


def test_who_waits_is_counted_from_its_submission_to_its_first_slots_by_class():
    rows = (worker("w1", 1), group("g", [10]), group("h", [1], at=4, **{"class": "urgent"}), group("i", [100], at=5))
    played = simulation(trace(*rows))
    play(played)
    measures = played.results().measures
    assert {kind: [*values] for kind, values in measures.waits.items()} == {"short": [0], "urgent": [6], "medium": [6]}
    assert [*measures.slowdowns] == [1, 1, pytest.approx(106 / 100)]


def test_what_a_lost_worker_had_begun_is_lost_and_runs_again_elsewhere():
    rows = (worker("w1", 1), group("g", [8]), worker("w2", 1, at=2), group("h", [2], at=3), lost("w1", 6))
    played = simulation(trace(*rows))
    play(played)
    measures = played.results().measures
    assert (measures.lost, measures.lost_cases, measures.workers_lost) == (6, 1, 1)
    assert (measures.last, measures.cases) == (14, 2)


def test_cases_that_had_ended_before_the_loss_are_not_run_again():
    played = simulation(trace(worker("w1", 1), group("g", [3, 2.5, 2, 2]), lost("w1", 5.6), worker("w2", 1, at=20)))
    played.advance(0)
    played.apply(Plan("p", (Proposal("g", "w1", 1),)))
    play(played)
    measures = played.results().measures
    assert measures.lost == pytest.approx(0.1)
    assert measures.last == 24


def test_a_revoked_allocation_ends_with_its_tasks_and_loses_nothing():
    played = simulation(trace(worker("w1", 1), group("g", [6, 6]), group("h", [1], at=1)))
    played.advance(0)
    (allocation,) = played.apply(greedy(played)).accepted
    played.advance(1)
    played.apply(Plan("p", revoke=(allocation,)))
    assert not played.apply(Plan("q", (Proposal("h", "w1", 1),))).accepted
    played.advance(6)
    assert played.apply(Plan("r", (Proposal("h", "w1", 1),))).accepted
    play(played)
    measures = played.results().measures
    assert (measures.revoked, measures.closing, measures.lost, measures.last) == (1, 5, 0, 13)


def test_with_a_grace_a_revoked_allocation_is_ended_and_what_ran_is_lost_work():
    played = simulation(trace(worker("w1", 1), group("g", [6])), grace=2)
    played.advance(0)
    (allocation,) = played.apply(greedy(played)).accepted
    played.advance(1)
    played.apply(Plan("p", revoke=(allocation,)))
    play(played)
    measures = played.results().measures
    assert (measures.lost, measures.lost_cases, measures.last) == (3, 1, 9)


CLASSES = {
    "kept": {"priority": 1},
    "patient": {"preemptible": True},
    "batch": {"preemptible": True, "grace_seconds": 2},
}


def test_what_a_class_protects_stays_and_what_it_gives_up_ends_after_its_grace():
    rows = [worker("w", 3), *(group(name, [10], priority_class=name) for name in CLASSES)]
    played = simulation(trace(*rows, priority_classes=CLASSES), grace=0.5)
    played.advance(0)
    outcome = played.apply(greedy(played))
    played.advance(4)
    played.apply(Plan("mine", (), outcome.accepted))
    assert {one.group.id for one in played.fleet.allocations.values() if one.closing is None} == {"kept"}
    played.advance(6.5)
    assert {one.group.id for one in played.fleet.allocations.values()} == {"kept", "patient"}
    play(played)
    found = played.results().measures.standings
    assert {name: (one.groups, one.revoked, one.lost) for name, one in found.items()} == {
        "kept": (1, 0, 0.0),
        "patient": (1, 1, 0.0),
        "batch": (1, 1, 6.0),
    }


def test_deadlines_are_met_missed_or_missed_without_an_end():
    rows = [
        worker("w", 1),
        group("first", [10], deadline=10),
        group("second", [10], deadline=12),
        group("third", [1], at=0.5),
        group("never", [1], at=0.5, deadline=5, selector='worker.name == "nobody"'),
    ]
    played = simulation(trace(*rows))
    play(played)
    (found,) = played.results().measures.standings.values()
    assert (found.groups, found.due, found.missed) == (4, 3, 2)
    assert [*found.late] == [8.0]


@pytest.mark.parametrize(
    ("proposals", "reason"),
    [
        ([Proposal("none", "w1", 1)], "GROUP_NOT_OPEN"),
        ([Proposal("g", "none", 1)], "WORKER_NOT_FOUND"),
        ([Proposal("g", "w1", 3)], "RESOURCES_UNAVAILABLE"),
        ([Proposal("g", "w1", 0)], "REQUEST_NOT_SATISFIED"),
        ([Proposal("g", "w1", 2), Proposal("h", "w1", 1)], "RESOURCES_UNAVAILABLE"),
        ([Proposal("g", "w2", 1), Proposal("g", "w1", 2)], "RESOURCES_UNAVAILABLE"),
        ([Proposal("h", "w1", 1, ("gpu-9",))], "REQUEST_NOT_SATISFIED"),
        ([Proposal("together", "w1", 1)], "GANG_INCOMPLETE"),
        ([Proposal("together", "w1", 2, (), "x"), Proposal("together", "w2", 2, (), "x")], "RESOURCES_UNAVAILABLE"),
    ],
)
def test_a_proposal_that_does_not_hold_is_refused_with_the_coordinators_reason(proposals, reason):
    rows = (group("g", [1, 1]), group("h", [1]), group("together", [[1, 9]], request={"gang": 2}))
    played = simulation(trace(worker("w1"), worker("w2"), *rows))
    played.advance(0)
    outcome = played.apply(Plan("p", tuple(proposals)))
    assert outcome.refused[-1].reason == reason, outcome
    assert outcome.refused[-1].index == len(proposals) - 1
    assert played.results().measures.refused[reason] >= 1


def test_what_a_refused_gang_asked_for_is_there_for_the_next_proposal():
    played = simulation(trace(worker("w1", 1), group("g", [[1, 9]], request={"gang": 2}), group("h", [1])))
    played.advance(0)
    half = (Proposal("g", "w1", 1, (), "x"), Proposal("g", "none", 1, (), "x"))
    outcome = played.apply(Plan("p", (*half, Proposal("h", "w1", 1))))
    assert (len(outcome.accepted), [one.reason for one in outcome.refused]) == (
        1,
        ["GANG_INCOMPLETE", "WORKER_NOT_FOUND"],
    )


def test_a_gang_is_granted_whole_and_given_back_whole_when_a_worker_is_lost():
    rows = (worker("w1"), worker("w2"), group("g", [[5, 8]], request={"gang": 2}), worker("w3", at=3), lost("w1", 4))
    played = simulation(trace(*rows))
    played.advance(0)
    assert len(played.apply(greedy(played)).accepted) == 2
    played.advance(4)
    assert not played.apply(greedy(played)).accepted, "the other half of it still runs"
    played.advance(5)
    assert len(played.apply(greedy(played)).accepted) == 2
    play(played)
    assert played.results().measures.cases == 8


def test_who_gets_half_of_what_its_weight_is_due_makes_the_index_fall():
    rows = [worker("w1", 4)]
    rows += [group(f"{name}", [[10, 100]], project=name) for name in ("a", "b")]
    fair, unfair = (simulation(trace(*rows, project_weights={"b": weight})) for weight in (1, 3))
    for played in (fair, unfair):
        played.advance(0)
        played.apply(Plan("p", (Proposal("a", "w1", 2), Proposal("b", "w1", 2))))
        while (due := played.due()) is not None:
            played.advance(due)
    assert fair.results().fairness == pytest.approx(1)
    ratios = {one.project: one.got / one.due for one in unfair.results().projects}
    assert ratios == {"a": pytest.approx(2), "b": pytest.approx(2 / 3)}
    assert unfair.results().fairness == pytest.approx((2 + 2 / 3) ** 2 / (2 * (4 + 4 / 9)))


def test_a_group_that_no_worker_fits_waits_for_another_worker_and_contends_for_nothing():
    rows = (worker("w1"), group("g", [1], request={"cpu_cores": 64}), worker("w2", 2, at=9, cpu_cores=64))
    played = simulation(trace(*rows))
    played.advance(0)
    played.apply(Plan("p", never=("g",)))
    assert (played.results().unsatisfiable, played.results().stuck, played.fleet.wanting) == (1, 0, 0)
    play(played)
    assert (played.results().unsatisfiable, played.results().measures.last) == (0, 10)


def test_a_fleet_that_gives_more_than_it_has_is_noticed():
    played = simulation(trace(worker("w1", 2), group("g", [5, 5]), group("h", [5])))
    played.advance(0)
    played.apply(greedy(played))
    one = played.fleet.workers["w1"]
    one.allocations["twin"] = next(iter(one.allocations.values()))
    with pytest.raises(Broken, match="4 of 2 slots"):
        examine_worker(one)
