"""Whole suites, as they were recorded, on slots in virtual time: what is executed, when it is over, beside what is possible."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.makespan import fleet_side
from benchmarks.makespan.outcome import lower_bound
from benchmarks.makespan.recording import Case, Recording, load

_DELAY = 0.0005

cases = st.lists(st.tuples(st.integers(0, 4), st.floats(0.0005, 5.0)), min_size=1, max_size=60)
hosts = st.lists(st.lists(st.floats(0.5, 8.0), min_size=1, max_size=3), min_size=1, max_size=4)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(cases, hosts, st.data())
def test_every_case_is_executed_once_however_wrong_the_estimates_are(cases, hosts, data):
    recording = Recording("any", (), tuple(Case(f"f{file}", "", seconds, ()) for file, seconds in sorted(cases)))
    wrong = st.sampled_from((0.0, 0.01, 0.5, 1.0, 2.0, 100.0))
    estimates = [one * data.draw(wrong) for one in recording.known]

    outcome, _ = fleet_side.replay(recording, hosts, _DELAY, estimates)

    assert outcome.makespan > 0


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(cases, st.integers(1, 8))
def test_on_like_slots_nothing_is_idle_while_more_than_a_case_is_left(cases, slots):
    recording = Recording("any", (), tuple(Case(f"f{file}", "", seconds, ()) for file, seconds in sorted(cases)))
    work = [case.seconds for case in recording.cases]

    outcome, tasks = fleet_side.replay(recording, [[1.0] * slots], _DELAY)

    # The bound of any list schedule; a message may be waited for once in each task.
    assert outcome.makespan <= 1.01 * (sum(work) / slots + max(work)) + tasks * 4 * _DELAY


def test_a_hundred_and_fifty_unlike_hosts_end_together():
    drawn = random.Random(0)
    work = [min(drawn.lognormvariate(0.0, 1.0), 10.0) for _ in range(2_000)]
    recording = Recording("any", (), tuple(Case(f"d{n // 100}/f{n // 10}", "", one, ()) for n, one in enumerate(work)))
    speeds = [drawn.uniform(1.0, 8.0) for _ in range(150)]

    outcome, _ = fleet_side.replay(recording, [[speed] for speed in speeds], _DELAY)

    assert outcome.makespan <= 1.2 * lower_bound(work, speeds)


@pytest.mark.parametrize("slots", [4, 16])
def test_a_real_suite_ends_within_two_percent_of_the_bound(slots):
    recording = load("networkx")
    bound = lower_bound([case.seconds for case in recording.cases], [1.0] * slots)

    outcome, _ = fleet_side.replay(recording, [[1.0] * slots], _DELAY)

    assert outcome.makespan <= 1.02 * bound


def test_a_real_suite_on_unlike_hosts_ends_within_five_percent_of_the_bound():
    recording = load("networkx")
    drawn = random.Random(0)
    speeds = [drawn.uniform(1.0, 8.0) for _ in range(8)]
    bound = lower_bound([case.seconds for case in recording.cases], speeds)

    outcome, _ = fleet_side.replay(recording, [[speed] for speed in speeds], _DELAY)

    assert outcome.makespan <= 1.05 * bound
