"""The scheduler's reasons and Slurm's, as one."""

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.slurm.reasons import Reasons

NEVER, LATER = scheduler_pb2.WAITING_KIND_NEVER, scheduler_pb2.WAITING_KIND_LATER


def plan(kind=LATER, text="all are busy", group="g", code="busy"):
    row = scheduler_pb2.Waiting(group_id=group, kind=kind, code=code, text=text)
    return scheduler_pb2.ScheduleResponse(waiting=[row])


def passed_on(reasons, made):
    reasons.amend(made)
    return made.waiting[0].kind, made.waiting[0].code, made.waiting[0].text


def reasons(*, could=True, workers=True):
    return Reasons(lambda group: could, lambda: workers)


def test_a_run_that_a_pilot_may_serve_is_never_told_that_nobody_can():
    assert passed_on(reasons(), plan(NEVER, "no worker of 1 can take it"))[0] == LATER
    assert passed_on(reasons(could=False), plan(NEVER, "no", code="selector")) == (NEVER, "selector", "no")


def test_what_slurm_says_stands_before_what_the_fleet_says():
    made = reasons()
    passed_on(made, plan())
    (row,) = made.update({"g": "Slurm: 1 pilot queued (Priority)"}, {"g"})
    assert (row.code, row.text) == ("slurm", "Slurm: 1 pilot queued (Priority); in the fleet: all are busy")
    assert made.update({"g": "Slurm: 1 pilot queued (Priority)"}, {"g"}) == []
    assert passed_on(made, plan(text="others go first"))[2].endswith("in the fleet: others go first")


def test_an_empty_fleet_has_nothing_to_say():
    made = reasons(workers=False)
    passed_on(made, plan(text="the fleet has no workers yet"))
    (row,) = made.update({"g": "Slurm: 1 pilot starting"}, {"g"})
    assert row.text == "Slurm: 1 pilot starting"


def test_when_slurm_has_nothing_to_say_any_more_the_schedulers_reason_is_back():
    could = [True]
    made = Reasons(lambda group: could[0], lambda: True)
    passed_on(made, plan(NEVER, "no worker of 1 can take it", code="selector"))
    made.update({"g": "Slurm: 1 pilot starting"}, {"g"})
    could[0] = False
    (row,) = made.update({}, {"g"})
    assert (row.kind, row.code, row.text) == (NEVER, "selector", "no worker of 1 can take it")


def test_a_group_that_got_something_is_told_again():
    made = reasons()
    assert len(made.update({"g": "Slurm: x"}, {"g"})) == 1
    made.served(["g"])
    assert len(made.update({"g": "Slurm: x"}, {"g"})) == 1


def test_groups_that_are_over_are_forgotten():
    made = reasons()
    passed_on(made, plan())
    assert made.update({"g": "Slurm: x"}, set()) == []
