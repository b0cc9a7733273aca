"""What is left of a group's work: what its cases have shown counts, and what executes is looked at by how long it has."""

import pytest

from crossfleet.coordinator.core.lognormal import HIGH, LOW, MIDDLE
from crossfleet.coordinator.core.remaining import Remaining, remaining
from services.coordinator.tests.core.virtual import Suite, VirtualFleet

NAMES = [f"f{number % 4}.py::t{number}" for number in range(40)]


def begun(seconds: float, estimates: list[float], until: float, slots: int = 2) -> VirtualFleet:
    """A fleet on which a run of forty cases has gone on for so long after its set-up."""
    fleet = VirtualFleet([slots])
    fleet.submit("run", Suite("s", dict.fromkeys(NAMES, seconds), estimates, 0.1))
    fleet.play(fleet.now + until)
    return fleet


def left(fleet: VirtualFleet) -> Remaining:
    return remaining(fleet.state, fleet.state.groups["run/default"], fleet.now)


def test_cases_that_were_never_measured_are_expected_to_last_as_those_that_have_ended():
    found = left(begun(5.0, [0.0] * 40, 60.0))

    open_cases = 40 - 2 * 11
    assert found.work.quantile(LOW) < open_cases * 5.0 < found.work.quantile(HIGH)
    assert found.work.quantile(HIGH) < 10 * found.work.quantile(LOW)


def test_one_that_goes_on_for_a_minute_says_that_the_others_may_before_any_has_ended():
    early, late = (left(begun(1e4, [0.0] * 40, seconds)) for seconds in (1.0, 60.0))

    assert late.work.median > 10 * early.work.median
    assert late.work.median > 38 * 30.0


def test_what_was_measured_is_sure_and_surer_once_the_run_shows_how_much_slower_it_is():
    before, after = (left(begun(1.3, [1.0] * 40, seconds)) for seconds in (0.2, 13.2))

    assert before.work.sigma > after.work.sigma
    whole = after.work.median + sum(one.about().median for one in after.underway)
    assert whole / (40 - 2 * 10) == pytest.approx(1.3, rel=0.15)


def test_slots_are_told_apart_by_what_each_executes():
    fleet = begun(10.0, [10.0] * 40, 4.0)
    first, second = left(fleet).underway

    assert first.name != second.name
    assert first.left(MIDDLE) == pytest.approx(6.0, rel=0.2)


def test_what_runs_on_slots_that_are_being_given_back_is_work_like_any_other():
    fleet = begun(10.0, [10.0] * 40, 4.0)
    before = left(fleet)
    for one in fleet.state.allocations.values():
        one.closing = True

    assert left(fleet).underway == ()
    assert left(fleet).work.median > before.work.median
