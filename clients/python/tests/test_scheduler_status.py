"""What a person reads of schedulers."""

from crossfleet.api.coordinator.v1 import admin_service_pb2 as wire
from crossfleet.api.coordinator.v1.event_service_pb2 import Event, SchedulerChanged
from crossfleet.cli.reporting.schedulers import for_what, state_of, trouble
from crossfleet.cli.running.progress import Progress


def test_a_scheduler_that_decides_says_for_what_and_nothing_else():
    one = wire.SchedulerStanding(
        name="new", breaker=wire.BREAKER_STATE_CLOSED, canary_percent=5, pools=["a", "b"], connected=True
    )
    assert (state_of(one), for_what(one), trouble(one)) == ("decides", "5 % of pools a, b", "")


def test_one_that_is_out_says_why_and_who_decides_meanwhile():
    one = wire.SchedulerStanding(
        name="new",
        breaker=wire.BREAKER_STATE_OPEN,
        canary_percent=100,
        cause="it broke",
        breaker_seconds=2.25,
        openings=1,
    )
    assert (state_of(one), for_what(one)) == ("out", "all groups")
    assert trouble(one) == "out for 2.2 s: it broke; the default scheduler decides for its groups; was out 1 time"


def test_the_fallback_says_whether_it_is_there():
    one = wire.SchedulerStanding(name="default", canary_percent=100, connected=True)
    assert (state_of(one), for_what(one), trouble(one)) == ("connected", "the rest", "")
    one.connected = False
    assert (state_of(one), trouble(one)) == ("away", "not connected: what waits for it is not placed")


def test_one_that_cannot_be_told_of_something_says_of_how_much_and_names_some():
    one = wire.SchedulerStanding(name="default", connected=True, left_out=1, left_out_names=["group r/gpu"])
    fault = "(a fault of the coordinator, whose log says why)"
    assert trouble(one) == f"cannot be told of 1: group r/gpu {fault}"
    one.left_out = 7
    one.left_out_names.extend(["worker w1", "fit r/cpu"])
    assert trouble(one) == f"cannot be told of 7: group r/gpu, worker w1, fit r/cpu, ... {fault}"


def test_a_watcher_reads_under_whom_its_run_is():
    progress = Progress(["gpu", "cpu"])
    changed = SchedulerChanged(target="gpu", scheduler="default", fallback=True, cause="scheduler new is out: it broke")
    progress.take(Event(scheduler_changed=changed))
    progress.take(Event(scheduler_changed=SchedulerChanged(target="gpu", scheduler="new")))
    assert progress.deciders == [
        "target gpu: under the fallback: scheduler new is out: it broke",
        "target gpu: scheduler new decides again",
    ]
