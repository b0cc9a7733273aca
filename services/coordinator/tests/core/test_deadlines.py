"""When a run should have ended: what it moves, and what is refused."""

import math

import pytest

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import quotas, semaphores
from crossfleet.coordinator.core.emitter import Rejection
from crossfleet.coordinator.core.quota import Quota, SetQuota
from crossfleet.coordinator.core.semaphore import SetSemaphore
from crossfleet.coordinator.core.view import open_groups
from crossfleet.matching.model import Request
from services.coordinator.tests.core.fleet import Fleet

IDS = tuple(f"case-{number}" for number in range(4))


def test_a_deadline_counts_from_the_submission_or_is_a_time():
    fleet = Fleet()
    fleet.submit("in an hour", IDS, policy=c.PolicySpec(deadline_in=3_600.0))
    fleet.submit("at noon", IDS, policy=c.PolicySpec(deadline=50_000.0))
    fleet.submit("whenever", IDS)
    runs = fleet.state.runs
    assert runs["in an hour"].deadline == runs["in an hour"].created_at + 3_600.0
    assert (runs["at noon"].deadline, runs["whenever"].deadline) == (50_000.0, math.inf)
    assert [one.deadline for one in open_groups(fleet.state)] == [one.deadline for one in runs.values()]


def test_a_deadline_that_has_passed_is_refused_but_not_of_a_run_that_was_submitted_before():
    fleet = Fleet()
    soon = c.PolicySpec(deadline=fleet.now + 1.0)
    fleet.submit("run", IDS, policy=soon)
    fleet.now += 10.0
    assert fleet.submit("run", IDS, policy=soon).run_id == "run"
    refused = fleet.submit("late", IDS, policy=soon)
    assert isinstance(refused, Rejection)
    assert (refused.reason, refused.field) == ("INVALID_ARGUMENT", "spec.policy.deadline")


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        (c.PolicySpec(deadline=2e9 + 366 * 86_400.0), "spec.policy.deadline"),
        (c.PolicySpec(deadline_in=1e-9), "spec.policy.deadline_in"),
    ],
)
def test_a_deadline_that_is_too_far_or_none_at_all_is_refused_by_the_field_that_says_it(policy, field):
    fleet = Fleet()
    fleet.now = 2e9
    refused = fleet.submit("run", IDS, policy=policy)
    assert isinstance(refused, Rejection)
    assert (refused.reason, refused.field) == ("INVALID_ARGUMENT", field)


def in_line_for_a_seat(fleet):
    return semaphores.in_line(fleet.state, "seat")


def in_line_for_the_quota(fleet):
    return quotas.in_line(fleet.state, "p")


@pytest.mark.parametrize(
    ("limit", "asked", "in_line"),
    [
        pytest.param(SetSemaphore("seat", 2), Request(semaphores=(("seat", 2),)), in_line_for_a_seat, id="semaphore"),
        pytest.param(SetQuota(Quota("p", 2)), Request(slots_min=2), in_line_for_the_quota, id="quota"),
    ],
)
def test_who_is_due_first_is_first_in_line_for_what_is_limited(limit, asked, in_line):
    fleet = Fleet()
    fleet.join(slots=2)
    fleet.do(limit)
    fleet.submit("first", IDS, request=asked)
    fleet.place()
    fleet.submit("plain", IDS, request=asked)
    fleet.submit("hurried", IDS, request=asked, policy=c.PolicySpec(deadline_in=60.0))
    fleet.submit("urgent", IDS, request=asked, priority=1)
    assert [one.run_id for one in in_line(fleet)] == ["urgent", "hurried", "plain"]
