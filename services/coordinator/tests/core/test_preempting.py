"""What schedulers take back: whose, when, and what becomes of what executes there."""

from crossfleet.coordinator.convert.allocations import Specs
from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.outcomes import Cause, Outcome, RunVerdict
from crossfleet.coordinator.core.priority_class import PriorityClass, RemovePriorityClass, SetPriorityClass
from crossfleet.coordinator.sessions.routing import route
from crossfleet.matching.model import Request
from services.coordinator.tests.core.fleet import Fleet

IDS = tuple(f"t.py::case_{number}" for number in range(6))
BATCH = PriorityClass("batch", -10, preemptible=True, grace=30.0)
PATIENT = PriorityClass("patient", -10, preemptible=True)
KEPT = PriorityClass("kept", -10)


def begun(standing, **request):
    """A run of a class that holds all of a fleet."""
    fleet = Fleet()
    fleet.join(slots=2)
    fleet.submit("run", IDS, policy=c.PolicySpec(priority_class=standing), request=Request(**request))
    fleet.place()
    assert len(fleet.live()) == 2
    return fleet


def revoke(fleet):
    return fleet.do(c.ApplyPlan("revoking", (), tuple(fleet.state.allocations)))


def told(fleet, since):
    """What workers are told of facts since then."""
    found = route(fleet.state, fleet.events[since:], Specs(), lambda _: (), set())
    return [message.WhichOneof("kind") for messages in found.values() for message in messages]


def test_a_case_has_its_grace_and_then_runs_again_elsewhere_as_if_nothing_had_been():
    fleet = begun(BATCH)
    before = len(fleet.events)
    revoke(fleet)
    assert told(fleet, before) == ["preempt_notice"]
    attempts = fleet.live()
    fleet.now += 29.0
    fleet.do(c.PassTime())
    assert fleet.live() == attempts

    before = len(fleet.events)
    fleet.now += 1.0
    fleet.do(c.PassTime())
    assert not fleet.live()
    assert [one.cause for one in fleet.of(e.AttemptEnded)] == [Cause.PREEMPTED] * 2
    assert told(fleet, before) == ["close_allocation"]
    fleet.finish(attempts[0])  # too late
    group = fleet.state.groups["run/default"]
    assert (group.open_cases, group.tries, group.earlier) == (len(IDS), {}, {})

    fleet.close_what_is_closing()
    assert not fleet.state.preempted
    fleet.work()
    (finished,) = fleet.of(e.RunFinished)
    assert finished.verdict is RunVerdict.PASSED
    assert group.counts[Outcome.PASSED] == len(IDS)


def test_what_ends_within_its_grace_counts_and_the_slot_is_free_then():
    fleet = begun(BATCH)
    revoke(fleet)
    before = len(fleet.events)
    for attempt in fleet.live():
        fleet.finish(attempt, Cause.PREEMPTED, indices=attempt.cases[:1])
    assert told(fleet, before) == ["close_allocation"]
    group = fleet.state.groups["run/default"]
    assert (group.counts[Outcome.PASSED], group.tries) == (2, {})


def test_without_a_grace_what_executes_goes_on_to_its_end():
    fleet = begun(PATIENT)
    before = len(fleet.events)
    revoke(fleet)
    assert told(fleet, before) == []
    fleet.now += 86_400.0
    fleet.do(c.PassTime())
    assert len(fleet.live()) == 2
    assert all(one.closing for one in fleet.state.allocations.values())


def test_a_grace_of_nothing_ends_what_executes_at_once():
    fleet = begun(PriorityClass("cheap", -10, preemptible=True, grace=0.0))
    revoke(fleet)
    fleet.do(c.PassTime())
    assert not fleet.live()


def test_no_scheduler_takes_anything_from_a_class_that_is_not_preemptible():
    fleet = begun(KEPT)
    before = len(fleet.events)
    revoke(fleet)
    assert fleet.events[before:] == []


def test_what_no_class_speaks_of_is_given_back_as_ever():
    fleet = begun(None)
    revoke(fleet)
    assert all(one.closing for one in fleet.state.allocations.values())
    assert not fleet.state.preempted


def test_of_a_gang_all_go_at_the_same_time():
    fleet = Fleet()
    for name in ("w1", "w2"):
        fleet.join(name, slots=1, session=name)
    gang = Request(gang=2)
    fleet.submit("run", IDS, policy=c.PolicySpec(priority_class=BATCH), request=gang)
    proposals = tuple(c.ProposedAllocation("run/default", name, 1, (), "g") for name in ("w1", "w2"))
    fleet.do(c.ApplyPlan("plan", proposals))
    fleet.do(c.ApplyPlan("revoking", (), ("a1",)))
    assert set(fleet.state.preempted) == {"a1", "a2"}
    assert len(set(fleet.state.preempted.values())) == 1


def test_classes_are_made_changed_and_removed_and_runs_keep_what_theirs_was():
    fleet = Fleet()
    fleet.do(SetPriorityClass(BATCH))
    fleet.do(SetPriorityClass(BATCH))
    assert len(fleet.events) == 1
    fleet.submit("run", IDS, policy=c.PolicySpec(priority_class=BATCH))
    fleet.do(SetPriorityClass(PriorityClass("batch", 5)))
    assert fleet.state.priority_classes == {"batch": PriorityClass("batch", 5)}
    assert fleet.state.runs["run"].policy.priority_class == BATCH
    refused = fleet.do(RemovePriorityClass("bach"))
    assert (refused.reason, refused.message) == (
        "PRIORITY_CLASS_NOT_FOUND",
        "no priority class 'bach': did you mean 'batch'?",
    )
    fleet.do(RemovePriorityClass("batch"))
    assert not fleet.state.priority_classes


def test_there_are_only_so_many_classes():
    fleet = Fleet()
    for index in range(100):
        fleet.do(SetPriorityClass(PriorityClass(f"c{index}", 0)))
    assert fleet.do(SetPriorityClass(PriorityClass("more", 0))).reason == "STATE_CONFLICT"
    fleet.do(SetPriorityClass(PriorityClass("c1", 7)))
    assert fleet.state.priority_classes["c1"].priority == 7
