"""Time limits that are learnt: generous where something is known, and none where nothing is."""

import math

from hypothesis import given
from hypothesis import strategies as st

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.duration_model import DurationModel
from crossfleet.coordinator.core.durations import LONGEST_SECONDS
from crossfleet.coordinator.core.last_cases import LimitsLearnt
from crossfleet.coordinator.core.lognormal import LogNormal
from crossfleet.coordinator.core.outcomes import Outcome
from crossfleet.coordinator.core.time_limits import LEAST_SECONDS, time_limit, time_limits
from services.coordinator.tests.core.fleet import Fleet
from services.coordinator.tests.core.test_duration_model import learnt

seconds = st.floats(1e-4, 1e4)


@given(st.floats(-9, 9), st.floats(0, 3))
def test_no_limit_is_shorter_than_a_minute_or_ten_times_what_nearly_all_executions_need(mu, sigma):
    expected = LogNormal(mu, sigma)
    limit = time_limit(expected)

    assert limit == math.floor(limit)
    assert LEAST_SECONDS <= limit <= LONGEST_SECONDS
    assert limit >= min(10 * expected.quantile(0.99), LONGEST_SECONDS)


@given(st.lists(seconds, min_size=1, max_size=9))
def test_a_case_that_takes_as_long_as_it_ever_did_is_not_ended(values):
    limits = time_limits(DurationModel({"a.py::a": learnt(*values)}), ("a.py::a",))

    assert limits[0] >= values[-1]


@given(st.floats(0.001, 1e3), st.floats(1.0, 100.0))
def test_who_takes_longer_may_take_longer(short, times):
    model = DurationModel({"a.py::a": learnt(short), "a.py::b": learnt(short * times)})

    first, second = time_limits(model, ("a.py::a", "a.py::b"))
    assert first <= second


def test_what_nobody_has_measured_is_never_ended():
    model = DurationModel({"a.py::a": learnt(1.0)})

    assert time_limits(model, ("a.py::a", "a.py::new"))[1] == 0.0
    assert time_limits(DurationModel({}), ("a.py::a",)) == ()


def test_a_case_on_another_class_of_devices_has_the_limit_of_what_it_took_there_times_their_ratio():
    slow = {f"a.py::{n}": learnt(*[20.0] * 5) for n in range(20)}
    own = {f"a.py::{n}": learnt(*[200.0] * 5) for n in range(19)}

    assert time_limits(DurationModel(own, [slow]), ("a.py::19",))[0] > 1000.0


def collected(limits, **policy) -> Fleet:
    fleet = Fleet()
    fleet.join("w1", slots=1)
    fleet.submit("run", policy=c.PolicySpec(learnt_timeout=True, **policy))
    (allocation,) = fleet.place()
    fleet.collect(allocation, ("m::a", "m::b"), estimates=(1.0, 1.0), limits=limits)
    return fleet


def test_limits_are_facts_and_a_result_says_that_its_limit_was_learnt():
    fleet = collected((90.0, 0.0))
    assert [event.seconds for event in fleet.of(LimitsLearnt)] == [(90.0, 0.0)]

    attempt = fleet.live()[0]
    fleet.report("w1", fleet.results(attempt, Outcome.TIMED_OUT, message="exceeded the time limit of 90 s"))
    told = {case.case_index: case.message for event in fleet.of(e.CasesFinished) for case in event.cases}
    assert told[0] == "exceeded the time limit of 90 s, which was learnt from earlier runs"
    assert told.get(1, "exceeded the time limit of 90 s") == "exceeded the time limit of 90 s"


def test_where_nothing_is_known_no_limit_is_a_fact():
    assert not collected((0.0, 0.0)).of(LimitsLearnt)
    assert not collected(()).of(LimitsLearnt)


def test_a_shard_has_the_limits_of_its_own_cases():
    fleet = collected((90.0, 70.0), shard_index=1, shard_count=2)
    group = fleet.state.groups["run/default"]

    assert len(group.limits) == len(group.cases) == 1
    assert group.limit(0) == {"m::a": 90.0, "m::b": 70.0}[group.cases[0].case_id]
