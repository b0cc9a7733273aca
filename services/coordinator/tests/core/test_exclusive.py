"""Cases that measure run after all others, beside nothing else of their run on their worker."""

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.cases import CollectedCase
from crossfleet.coordinator.core.outcomes import Cause, Ending, RunVerdict
from crossfleet.matching.model import Request
from services.coordinator.tests.core.fleet import Fleet

CASES = tuple(CollectedCase(f"test_it.py::test_{n}", ("test_it.py",), exclusive=n >= 8) for n in range(12))


def measuring(fleet, targets=("default",), slots=2, workers=("w1",)):
    fleet.submit(targets=targets, request=Request(slots_max=2))
    for name in workers:
        fleet.join(name, slots=slots, session=f"s-{name}")
    for allocation_id in fleet.place():
        worker = fleet.state.allocations[allocation_id].worker_id
        fleet.do(c.RecordCollection(worker, allocation_id, "d", CASES))


def beside(fleet):
    """Live attempts that share their worker with one that measures."""
    exclusive = [one for one in fleet.live() if CASES[one.cases[0]].exclusive]
    return [(one, other) for one in exclusive for other in fleet.live(one.worker_id) if one is not other]


def step(fleet):
    """Let the oldest attempt end, and its slot ask."""
    attempt = fleet.live()[0]
    fleet.finish(attempt)
    if attempt.allocation_id in fleet.state.allocations:
        fleet.do(c.WantTasks(attempt.worker_id, attempt.allocation_id, (attempt.slot,)))
    fleet.close_what_is_closing()


def test_an_exclusive_case_has_its_worker_to_itself_and_comes_last():
    fleet = Fleet()
    measuring(fleet)
    order = []
    while fleet.live():
        assert not beside(fleet)
        order.append(fleet.live()[0].cases)
        step(fleet)

    assert order[-1] == (8, 9, 10, 11)
    assert sorted(index for cases in order for index in cases) == list(range(12))
    assert fleet.of(e.RunFinished)[0].verdict is RunVerdict.PASSED


def test_two_targets_on_one_worker_measure_one_after_the_other():
    fleet = Fleet()
    measuring(fleet, targets=("a", "b"), slots=4)
    alone: set[str] = set()
    while fleet.live():
        assert not beside(fleet)
        alone.update(one.group_id for one in fleet.live() if CASES[one.cases[0]].exclusive)
        step(fleet)

    assert alone == {"run/a", "run/b"}
    assert fleet.of(e.RunFinished)[0].verdict is RunVerdict.PASSED


def test_a_lost_worker_hands_its_exclusive_cases_to_another():
    fleet = Fleet()
    measuring(fleet, workers=("w1", "w2"))
    while not any(CASES[one.cases[0]].exclusive for one in fleet.live()):
        step(fleet)
    (attempt,) = fleet.live()
    fleet.do(c.WorkerLost(attempt.worker_id, "silent"))
    for allocation_id in fleet.place():
        worker = fleet.state.allocations[allocation_id].worker_id
        fleet.do(c.RecordCollection(worker, allocation_id, "d", CASES))
    fleet.work()

    assert fleet.of(e.RunFinished)[0].verdict is RunVerdict.PASSED


def test_slots_of_a_run_are_numbered_over_all_workers_and_numbers_are_used_again():
    fleet = Fleet()
    fleet.submit(targets=("a", "b"), request=Request(slots_max=3))
    for name in ("w1", "w2"):
        fleet.join(name, slots=3, session=f"s-{name}")
    opened = [fleet.state.allocations[allocation_id] for allocation_id in fleet.place()]
    numbers = [number for one in opened for number in range(one.first_number, one.first_number + len(one.slots))]

    assert sorted(numbers) == list(range(6))
    first = min(opened, key=lambda one: one.first_number)
    fleet.report(first.worker_id, c.AllocationEnded(first.allocation_id, Cause.ENVIRONMENT, "it broke"))
    (again,) = fleet.place()
    assert fleet.state.allocations[again].first_number == 0


def test_a_session_that_fails_by_itself_is_told_with_its_target_after_the_verdict():
    fleet = Fleet()
    measuring(fleet)
    while fleet.live():
        attempt = fleet.live()[0]
        fleet.finish(attempt)
        if attempt.allocation_id in fleet.state.allocations:
            fleet.do(c.WantTasks(attempt.worker_id, attempt.allocation_id, (attempt.slot,)))
    group = fleet.state.groups["run/default"]
    (allocation,) = fleet.state.allocations.values()
    fleet.report("w1", c.AllocationEnded(allocation.allocation_id, Cause.DONE, "status 1", Ending.SESSION_FAILED))

    assert fleet.of(e.RunFinished)[0].verdict is RunVerdict.PASSED
    assert (group.ending, group.cause_details) == (Ending.SESSION_FAILED, "status 1")


def test_a_worker_measures_although_what_else_is_left_exists_only_elsewhere():
    fleet = Fleet()
    fleet.submit(request=Request(slots_max=2))
    fleet.join("w1", session="s1")
    fleet.join("w2", session="s2")
    (first,) = fleet.place()
    fleet.do(c.RecordCollection("w1", first, "d1", CASES))
    fleet.do(c.WorkerLost("w1", "lost"))
    fleet.join("w1", incarnation="i2", session="s3")
    fleet.do(c.DrainWorker("w1", True, "later"))
    (second,) = fleet.place()
    fleet.do(c.RecordCollection("w2", second, "d2", CASES[8:]))  # none of those that measure nothing
    assert [one.cases for one in fleet.live()] == [(8, 9, 10, 11)]
    fleet.finish(fleet.live()[0])
    fleet.close_what_is_closing()
    fleet.do(c.DrainWorker("w1", False, ""))
    (third,) = fleet.place()
    fleet.do(c.RecordCollection("w1", third, "d1", CASES))
    fleet.work()

    assert fleet.of(e.RunFinished)[0].verdict is RunVerdict.PASSED
