import pytest

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.outcomes import Cause, GroupState, Outcome, RunVerdict
from crossfleet.coordinator.core.view import open_groups
from services.coordinator.tests.core.fleet import Fleet

CHAIN = {"gpu": ("cpu",), "soak": ("gpu",)}


def fleet_with(needs, targets=("cpu", "gpu", "soak"), **more):
    fleet = Fleet()
    fleet.join(slots=4)
    fleet.submit(targets=targets, needs=needs, **more)
    return fleet


def group(fleet, name):
    return fleet.state.groups[f"run/{name}"]


def offered(fleet):
    return [one.target for one in open_groups(fleet.state)]


def carry_out(fleet, outcome=Outcome.PASSED):
    """What may be placed is, and each of its cases ends so."""
    for allocation_id in fleet.place():
        fleet.collect(allocation_id, ("a::one", "a::two"))
    for attempt in fleet.live():
        if attempt.attempt_id in fleet.state.attempts:
            fleet.finish(attempt, outcome=outcome)
    fleet.close_what_is_closing()


def test_a_target_is_placed_only_when_what_it_needs_has_passed():
    fleet = fleet_with(CHAIN)
    assert offered(fleet) == ["cpu"]
    assert group(fleet, "gpu").waiting_text == "cpu must pass first"
    refused = fleet.do(c.ApplyPlan("plan", (c.ProposedAllocation("run/gpu", "w1", 1),))).refused
    assert [(one.reason, one.text) for one in refused] == [
        ("GROUP_NOT_OPEN", "group run/gpu is held back: cpu must pass first")
    ]

    carry_out(fleet)
    assert offered(fleet) == ["gpu"]
    assert not group(fleet, "gpu").waiting_text
    carry_out(fleet)
    carry_out(fleet)
    assert [event.verdict for event in fleet.of(e.RunFinished)] == [RunVerdict.PASSED]


def test_what_needs_a_failed_target_is_skipped_with_the_cause_and_so_is_what_needs_that():
    fleet = fleet_with(CHAIN)
    carry_out(fleet, Outcome.FAILED)

    skipped = {name: group(fleet, name) for name in ("gpu", "soak")}
    assert all(one.skipped and one.state is GroupState.FINISHED for one in skipped.values())
    assert skipped["gpu"].cause == "skipped: it needs cpu, which did not pass"
    assert skipped["soak"].cause == "skipped: it needs gpu, which was skipped"
    (finished,) = fleet.of(e.RunFinished)
    assert finished.verdict is RunVerdict.FAILED
    assert {event.group_id for event in fleet.of(e.AllocationOpened)} == {"run/cpu"}


def test_what_needs_only_the_end_of_a_target_runs_also_after_its_failure():
    fleet = fleet_with({"gpu": ("cpu",), "soak": ("cpu?", "gpu?")})
    carry_out(fleet, Outcome.FAILED)
    assert offered(fleet) == ["soak"]
    carry_out(fleet)
    (finished,) = fleet.of(e.RunFinished)
    assert finished.verdict is RunVerdict.FAILED


def test_a_target_that_the_fleet_could_not_carry_out_leaves_the_verdict_with_the_fleet():
    fleet = fleet_with({"gpu": ("cpu",)}, targets=("cpu", "gpu"), policy=c.PolicySpec(max_attempts=1))
    (allocation_id,) = fleet.place()
    fleet.report("w1", c.AllocationEnded(allocation_id, Cause.ENVIRONMENT, "no room"))

    assert group(fleet, "gpu").cause == "skipped: it needs cpu, which could not be carried out"
    (finished,) = fleet.of(e.RunFinished)
    assert finished.verdict is RunVerdict.INFRASTRUCTURE


def test_cases_that_the_client_named_are_skipped_with_their_target():
    fleet = fleet_with({"gpu": ("cpu",)}, targets=("cpu", "gpu"), cases=("one", "two"))
    carry_out(fleet, Outcome.FAILED)
    assert bytes(group(fleet, "gpu").outcomes) == bytes((Outcome.SKIPPED, Outcome.SKIPPED))
    messages = [case.message for event in fleet.of(e.CasesFinished) for case in event.cases]
    assert messages.count("skipped: it needs cpu, which did not pass") == 2


@pytest.mark.parametrize("cancelled", [True, False])
def test_a_run_that_is_stopped_skips_nothing(cancelled):
    policy = c.PolicySpec(max_failures=0 if cancelled else 1)
    fleet = fleet_with(CHAIN, policy=policy)
    if cancelled:
        fleet.do(c.StopRun("run", "enough"))
    else:
        carry_out(fleet, Outcome.FAILED)
    assert not fleet.of(e.GroupSkipped)
    assert all(one.over for one in fleet.state.groups.values())
    assert group(fleet, "soak").cause == ("enough" if cancelled else "stopped after 1 failure")


def test_a_flaky_target_counts_as_the_run_says():
    for fatal in (False, True):
        policy = c.PolicySpec(max_reruns=1, fail_on_flaky=fatal)
        fleet = fleet_with({"gpu": ("cpu",)}, targets=("cpu", "gpu"), policy=policy)
        carry_out(fleet, Outcome.FAILED)
        carry_out(fleet)
        assert group(fleet, "cpu").over
        assert group(fleet, "gpu").skipped is fatal


def test_a_leader_that_follows_an_earlier_version_releases_what_that_one_forgot():
    fleet = fleet_with({"gpu": ("cpu",)}, targets=("cpu", "gpu"))
    carry_out(fleet)
    group(fleet, "gpu").held_back = "needs"
    assert offered(fleet) == []
    fleet.do(c.PassTime())
    assert offered(fleet) == ["gpu"]
