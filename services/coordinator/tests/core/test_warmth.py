from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core.view import MOST_WARM, open_groups
from crossfleet.coordinator.core.warmth import Warmth
from crossfleet.matching.model import Request
from services.coordinator.tests.core.fleet import Fleet

SUITE = ("p", "s", "pytest")


def target(environment="", name="default"):
    return c.TargetSpec(name, "", Request(), environment=environment)


def warm(fleet, run_id):
    return next(one.warm for one in open_groups(fleet.state) if one.run_id == run_id)


def two_workers():
    fleet = Fleet()
    fleet.join("w1", slots=1)
    fleet.join("w2", slots=1, session="s2")
    return fleet


def test_a_suite_is_offered_the_workers_on_which_it_ran_the_last_one_first():
    fleet = two_workers()
    fleet.submit("a", ("x", "y"))
    assert warm(fleet, "a") == ()
    fleet.work()
    fleet.submit("b", ("x",))
    assert set(warm(fleet, "b")) == {"w1", "w2"}
    fleet.do(c.ApplyPlan("plan", (c.ProposedAllocation("b/default", "w1", 1),)))
    fleet.work()
    fleet.submit("c", ("x",))
    assert warm(fleet, "c") == ("w1", "w2")
    fleet.submit("other", ("x",), suite="another")
    assert warm(fleet, "other") == ()


def test_a_worker_that_is_lost_or_has_shown_nothing_is_not_offered():
    fleet = two_workers()
    fleet.submit("a", ("x", "y"))
    fleet.place()
    assert warm(fleet, "a") == ()
    fleet.work()
    fleet.do(c.WorkerLost("w2", "lost"))
    fleet.submit("b", ("x",))
    assert warm(fleet, "b") == ("w1",)


def test_another_suite_of_the_same_environment_comes_after_the_own():
    warmth = Warmth()
    warmth.note(SUITE, target("e1"), "own")
    warmth.note(("p", "another", "pytest"), target("e1"), "built")
    warmth.note(SUITE, target("e2"), "elsewhere")
    assert warmth.of(SUITE, target("e1")) == ["own", "built"]
    assert warmth.of(SUITE, target()) == []


def test_what_is_remembered_is_bounded_and_the_newest_is_kept():
    warmth, fleet = Warmth(), Fleet()
    for number in range(3000):
        warmth.note(("p", f"s{number}", "pytest"), target(), "w")
    assert warmth.of(("p", "s0", "pytest"), target()) == []
    assert warmth.of(("p", "s2999", "pytest"), target()) == ["w"]
    for number in range(100):
        fleet.join(f"w{number}", session=f"s{number}")
        fleet.state.warmth.note(SUITE, target(), f"w{number}")
    fleet.submit("a", ("x",))
    assert warm(fleet, "a") == tuple(f"w{number}" for number in range(99, 99 - MOST_WARM, -1))
