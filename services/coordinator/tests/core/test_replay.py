"""Who holds and wants what, and when that lets others begin."""

import math

import pytest

from crossfleet.coordinator.core.chance import Chance, bounds
from crossfleet.coordinator.core.contention import Rival, Situation, pool_of, rivals_of
from crossfleet.coordinator.core.forecast import Work
from crossfleet.coordinator.core.lognormal import HIGH, LOW, MIDDLE, LogNormal
from crossfleet.coordinator.core.replay import spans
from crossfleet.matching.model import Request
from services.coordinator.tests.core.fleet import Fleet

LAST = (0, 0.0, math.inf, "")


def short(_: Chance) -> Work:
    return Work(10.0, most=2)


def situation(fleet: Fleet, later: float = 0.0) -> Situation:
    return Situation(fleet.state, lambda _: 0.0, {}, fleet.now + later)


def starts(fleet: Fleet, later: float = 0.0, *, project: str = "p", turn=LAST) -> dict[float, float]:
    pool = pool_of(fleet.state, Request())
    found = spans(pool, rivals_of(situation(fleet, later), pool), project, turn, short)
    return dict(zip((LOW, MIDDLE, HIGH), bounds([span.start for span in found]), strict=True))


def busy(**more) -> Fleet:
    """Two slots that have twenty cases of three seconds between them."""
    fleet = Fleet()
    fleet.join("w1", slots=2)
    fleet.submit("running", [f"case-{number}" for number in range(20)], estimates=(3.0,) * 20, **more)
    fleet.place()
    return fleet


def test_an_idle_fleet_lets_everybody_begin_at_once():
    fleet = Fleet()
    fleet.join("w1", slots=2)

    pool = pool_of(fleet.state, Request())
    assert (pool.free, pool.slots, dict(pool.held)) == (2, 2, {})
    assert set(starts(fleet).values()) == {0.0}


def test_who_comes_later_begins_when_those_that_run_are_expected_to_end():
    fleet = busy()

    pool = pool_of(fleet.state, Request())
    found = starts(fleet)
    assert (pool.free, dict(pool.held)) == (0, {"running/default": 2})
    assert found[LOW] < found[MIDDLE] < found[HIGH]
    assert found[MIDDLE] == pytest.approx(30.0, rel=0.15)


def test_the_more_urgent_passes_those_that_wait_and_not_those_that_run():
    fleet = busy()
    fleet.submit("waiting", [f"case-{number}" for number in range(20)], estimates=(3.0,) * 20)

    assert starts(fleet)[MIDDLE] == pytest.approx(60.0, rel=0.15)
    assert starts(fleet, turn=(-5, 0.0, math.inf, ""))[MIDDLE] == pytest.approx(30.0, rel=0.15)


def test_how_many_go_before_one_is_not_sure_where_shares_of_projects_decide():
    fleet = busy()
    fleet.submit("waiting", [f"case-{number}" for number in range(20)], estimates=(3.0,) * 20, project="other")

    same, other = starts(fleet, project="other"), starts(fleet, project="third")
    assert other[LOW] < same[LOW] / 1.5
    assert other[HIGH] == pytest.approx(same[HIGH], rel=0.1)


def test_a_case_that_should_have_ended_long_ago_is_expected_to_last_as_long_again():
    fleet = busy()

    found = starts(fleet, later=1000.0)
    # The first of two slots: each lasts as long again, as often more as less.
    assert found[MIDDLE] == pytest.approx(1000.0 * (math.sqrt(2) - 1), rel=0.2)
    assert found[LOW] < 100.0
    assert found[HIGH] > 2000.0


def test_a_request_that_no_worker_fits_never_begins():
    pool = pool_of(busy().state, Request(cpu_cores=64.0))

    assert pool.slots == 0
    assert spans(pool, [], "p", LAST, short)[0].start == math.inf


def test_a_long_queue_is_replayed_with_its_rest_as_one():
    fleet = Fleet()
    fleet.join("w1", slots=2)
    pool = pool_of(fleet.state, Request())
    waiting = [
        Rival(f"g{n}", "p", (0, 0.0, float(n), f"g{n}"), LogNormal(math.log(2.0), 0.1), True, 0, 2, 1)
        for n in range(3000)
    ]

    found = spans(pool, waiting, "p", LAST, short)

    assert all(span.start == pytest.approx(3000.0, rel=0.05) for span in found)
