"""Where durations are known no long case waits behind another one while some slot would begin it sooner."""

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.grouping import Grouping
from crossfleet.coordinator.core.outcomes import Cause, WorkerState
from services.coordinator.tests.core.fleet import Fleet


def collected(fleet: Fleet, seconds: dict[str, float]):
    for allocation in list(fleet.state.allocations):
        fleet.collect(allocation, tuple(seconds), estimates=tuple(seconds.values()))


def begun(slots: int, seconds: dict[str, float], **policy) -> Fleet:
    """One host whose slots have got their first tasks."""
    fleet = Fleet()
    fleet.join("w1", slots)
    fleet.submit(policy=c.PolicySpec(**policy))
    fleet.place()
    collected(fleet, seconds)
    return fleet


def two_hosts(seconds: dict[str, float]) -> Fleet:
    """Two hosts of one slot each: w1 was measured, and is eight times as fast as w2."""
    fleet = Fleet()
    fleet.join("w1", 1)
    fleet.join("w2", 1, session="s2")
    fleet.submit()
    fleet.place()
    collected(fleet, {"f0::probe1": 0.03, "f0::probe2": 0.03, "f0::probe3": 0.03, **seconds})
    for worker, took in (("w1", 0.03 / 8), ("w2", 0.03)):
        (attempt,) = fleet.live(worker)
        fleet.report(worker, fleet.results(attempt, seconds=took), c.AttemptFinished(attempt.attempt_id, Cause.DONE))
    return fleet


def held(fleet: Fleet, worker: str = "w1") -> dict[int, list[str]]:
    """By slot the cases of its attempts, in order."""
    found: dict[int, list[str]] = {}
    for attempt in fleet.live(worker):
        group = fleet.state.groups[attempt.group_id]
        found.setdefault(attempt.slot, []).extend(group.case_id(index) for index in attempt.cases)
    return found


def ask(fleet: Fleet, worker: str, slot: int):
    (allocation,) = [one for one in fleet.state.allocations.values() if one.worker_id == worker]
    fleet.do(c.WantTasks(worker, allocation.allocation_id, (slot,)))


def test_the_longest_case_is_begun_first_although_its_file_comes_last_and_is_short():
    short = {f"f{number}::t{number}": 0.5 for number in range(8)}
    fleet = begun(2, {**short, "z::a": 0.01, "z::long": 4.0})

    # A short one is held back behind it.
    assert held(fleet)[0] == ["z::long", "z::a"]


def test_a_file_that_must_stay_whole_is_begun_first_when_it_is_the_longest():
    short = {f"f{number}::t": 0.5 for number in range(8)}
    fleet = begun(4, {**short, **{f"z::t{number}": 0.1 for number in range(40)}}, grouping=Grouping.FILE)

    assert held(fleet)[0] == [f"z::t{number}" for number in range(40)]


def test_a_slot_that_does_a_long_case_is_given_no_more_than_it_can_do_in_time():
    fleet = begun(2, {"a::t": 3.0, **{f"b::t{number}": 0.5 for number in range(7)}})
    before = held(fleet)
    ask(fleet, "w1", 0)
    ask(fleet, "w1", 1)

    assert before[0] == ["a::t"]
    # Of 6.5 s in all one slot can do another half second beside its three.
    assert len(held(fleet)[0]) <= 2


def test_a_long_case_does_not_wait_behind_one_that_is_longer():
    fleet = begun(2, {"a::t": 3.0, "b::t": 2.0, "c::t": 1.9})
    ask(fleet, "w1", 0)
    assert held(fleet)[0] == ["a::t"]

    ask(fleet, "w1", 1)
    assert held(fleet)[1] == ["b::t", "c::t"]


def test_what_a_busy_slot_was_not_given_it_gets_when_it_is_free_first():
    fleet = begun(2, {"a::t": 3.1, "b::t": 3.0, "c::t": 3.0})
    ask(fleet, "w1", 0)
    assert held(fleet) == {0: ["a::t"], 1: ["b::t"]}
    assert fleet.of(e.SlotsReleased)

    first = next(attempt for attempt in fleet.live() if attempt.slot == 0)
    fleet.report("w1", fleet.results(first, seconds=3.1), c.AttemptFinished(first.attempt_id, Cause.DONE))
    assert held(fleet)[0] == ["c::t"]


def test_what_follows_a_long_case_is_decided_when_that_has_ended():
    fleet = begun(2, {"a::t": 3.0, "a::u": 0.01, "b::t": 2.0, "b::u": 0.01, "c::t": 1.9})
    assert held(fleet) == {0: ["a::t", "a::u"], 1: ["b::t", "b::u"]}
    ask(fleet, "w1", 0)
    assert not fleet.of(e.SlotsReleased)

    first = next(attempt for attempt in fleet.live() if attempt.slot == 0)
    fleet.report("w1", fleet.results(first, seconds=3.0, indices=first.cases[:1]))
    assert held(fleet)[0] == ["a::t", "a::u", "c::t"]


def test_a_slot_that_waits_is_told_at_its_last_case_that_nothing_follows():
    fleet = begun(2, {"a::t": 3.0, "a::u": 0.01, "b::t": 2.0, "b::u": 0.01, "c::t": 1.9})
    ask(fleet, "w1", 0)
    ask(fleet, "w1", 1)
    assert held(fleet)[1] == ["b::t", "b::u", "c::t"]

    first = next(attempt for attempt in fleet.live() if attempt.slot == 0)
    fleet.report("w1", fleet.results(first, seconds=3.0, indices=first.cases[:1]))
    assert [event.slots for event in fleet.of(e.SlotsReleased)] == [(0,)]


def test_a_slow_host_leaves_the_last_long_case_to_a_fast_one_that_is_nearly_done():
    fleet = two_hosts({"a::t": 4.0, "b::t": 4.0})
    ask(fleet, "w1", 0)
    for attempt in [*fleet.live("w1")[:1], *fleet.live("w2")]:
        fleet.report(
            attempt.worker_id, fleet.results(attempt, seconds=0.004), c.AttemptFinished(attempt.attempt_id, Cause.DONE)
        )
    ask(fleet, "w1", 0)

    assert held(fleet, "w1")[0] == ["a::t", "b::t"]
    assert held(fleet, "w2") == {}


def test_a_slow_host_takes_the_last_long_case_when_the_fast_one_hangs_or_is_lost():
    for lost in (True, False):
        fleet = two_hosts({"a::t": 4.0, "b::t": 4.0})
        for attempt in fleet.live("w2"):
            fleet.finish(attempt)
        assert not fleet.live("w2")
        if lost:
            fleet.do(c.WorkerLost("w1", "lost"))
            assert fleet.state.workers["w1"].state is WorkerState.LOST
        for _ in range(40):
            fleet.now += 0.5
            fleet.do(c.PassTime())

        assert any("::t" in case for case in held(fleet, "w2")[0])
