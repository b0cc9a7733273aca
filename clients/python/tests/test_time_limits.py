"""What is said of time limits that were learnt, and that they hold again where an order is replayed."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration

from clients.python.tests.sample_run import case, finished
from crossfleet.api.coordinator.v1.run_service_pb2 import SlotProcess
from crossfleet.api.types.v1.suite_pb2 import Policy
from crossfleet.cli.commands.explain import limits
from crossfleet.cli.reproduction.finding import order_of


def test_explain_says_when_a_case_is_ended_and_what_may_be_executed_twice() -> None:
    assert limits(Policy()) == []
    assert limits(Policy(case_timeout=Duration(seconds=90))) == ["a case is ended after 1 m 30 s"]
    learnt, twice = limits(Policy(learnt_case_timeout=True, speculate_percent=5))
    assert learnt.startswith(
        "a case is ended after ten times what 99 of 100 of its executions need, a minute at least;"
    )
    assert learnt.endswith("one that was never measured not at all")
    assert twice.startswith("of each target's cases at most 5 % are executed a second time")


def test_an_order_is_replayed_under_the_limit_that_its_case_had() -> None:
    one = case("t.py::a", "timed_out", message="exceeded the time limit of 75 s, which was learnt from earlier runs")
    failed, run = one[0], finished(one).run
    failed.time_limit_seconds, failed.position = 75.0, 1
    run.spec.policy.learnt_case_timeout = True

    order = order_of(run, failed, SlotProcess(), [failed])

    assert (order.case_seconds, order.message) == (75.0, failed.message)
