"""When a scheduler is let decide, and when not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from crossfleet.coordinator.core.breaker import (
    CALM_SECONDS,
    FIRST_REST,
    LAST_REST,
    MOST_FAULTS,
    PROBES,
    QUIET_SECONDS,
    WINDOW_SECONDS,
    Breaker,
    Stage,
)

DEADLINE = 0.5


def closed():
    breaker = Breaker(DEADLINE)
    breaker.connected(0.0)
    return breaker


def stage_of(breaker):
    return breaker.stage


def opened():
    breaker = closed()
    breaker.lost(1.0, "it broke")
    return breaker


def test_it_is_open_until_the_first_connection_which_closes_it():
    breaker = Breaker(DEADLINE)
    assert (breaker.stage, breaker.cause) == (Stage.OPEN, "it is not connected yet")
    assert breaker.rest_left(0.0) == 0.0
    breaker.connected(0.0)
    assert (breaker.stage, breaker.cause) == (Stage.CLOSED, "")


def test_a_lost_connection_opens_it_and_the_next_one_puts_it_on_trial():
    breaker = opened()
    assert (breaker.stage, breaker.cause) == (Stage.OPEN, "it broke")
    assert breaker.rest_left(1.0) == FIRST_REST
    breaker.connected(2.0)
    assert stage_of(breaker) is Stage.HALF_OPEN


def test_good_answers_close_it():
    breaker = opened()
    breaker.connected(2.0)
    for number in range(PROBES):
        assert stage_of(breaker) is Stage.HALF_OPEN
        breaker.asked(2.0 + number / 100)
        assert breaker.answered(2.005 + number / 100) == pytest.approx(0.005)
    assert stage_of(breaker) is Stage.CLOSED


def test_it_closes_where_nothing_was_asked_for_a_while():
    breaker = opened()
    breaker.connected(2.0)
    assert breaker.due() == 2.0 + QUIET_SECONDS
    breaker.advance(2.0 + QUIET_SECONDS / 2)
    assert stage_of(breaker) is Stage.HALF_OPEN
    breaker.advance(2.0 + QUIET_SECONDS)
    assert stage_of(breaker) is Stage.CLOSED


def test_an_answer_is_overdue_after_the_deadline_from_what_was_asked_first():
    breaker = closed()
    breaker.asked(1.0)
    breaker.asked(1.4)
    assert not breaker.overdue(1.49)
    assert breaker.due() == 1.5
    assert breaker.overdue(1.5)
    breaker.excused(1.5)
    assert not breaker.overdue(9.0)


def test_one_fault_is_enough_on_trial():
    breaker = opened()
    breaker.connected(2.0)
    breaker.judged(2.1, good=50, faults=1, cause="WORKER_NOT_FOUND: no worker w9")
    assert stage_of(breaker) is Stage.OPEN
    assert breaker.cause == "1 of its last 51 proposals could not hold: WORKER_NOT_FOUND: no worker w9"


def test_otherwise_it_takes_several_faults_that_are_a_large_part_of_what_was_proposed():
    breaker = closed()
    breaker.judged(1.0, good=0, faults=MOST_FAULTS - 1, cause="c")
    assert stage_of(breaker) is Stage.CLOSED
    breaker.judged(1.1, good=0, faults=1, cause="c")
    assert stage_of(breaker) is Stage.OPEN

    breaker = closed()
    breaker.judged(1.0, good=100, faults=0, cause="")
    breaker.judged(1.1, good=0, faults=40, cause="c")
    assert stage_of(breaker) is Stage.CLOSED


def test_old_faults_are_forgotten():
    breaker = closed()
    breaker.judged(1.0, good=0, faults=MOST_FAULTS - 1, cause="c")
    breaker.judged(1.1 + WINDOW_SECONDS, good=0, faults=1, cause="c")
    assert stage_of(breaker) is Stage.CLOSED


def test_it_rests_longer_each_time_and_as_the_first_time_after_it_did_well():
    breaker, now, rests = closed(), 100.0, []
    for _ in range(10):
        breaker.lost(now, "again")
        rests.append(breaker.rest_left(now))
        now += rests[-1]
        breaker.connected(now)
    assert rests[:3] == [FIRST_REST, 2 * FIRST_REST, 4 * FIRST_REST]
    assert rests[-1] == LAST_REST
    breaker.advance(now + QUIET_SECONDS)
    breaker.lost(now + QUIET_SECONDS + CALM_SECONDS, "later")
    assert breaker.rest_left(now + QUIET_SECONDS + CALM_SECONDS) == FIRST_REST


class AnyLife(RuleBasedStateMachine):
    """A scheduler to which anything may happen at any time."""

    def __init__(self):
        super().__init__()
        self.breaker, self.now = Breaker(DEADLINE), 0.0
        self.asked_at = None
        self.blameless = True
        """It was never lost, and nothing of what it proposed was its own fault."""

    @rule(seconds=st.floats(0, 3))
    def time_goes_by(self, seconds):
        self.now += seconds

    @precondition(lambda self: self.breaker.rest_left(self.now) == 0 and self.breaker.stage is Stage.OPEN)
    @rule()
    def connected(self):
        self.breaker.connected(self.now)
        self.asked_at = None

    @rule()
    def lost(self):
        self.breaker.lost(self.now, "lost")
        self.blameless, self.asked_at = False, None

    @rule()
    def asked(self):
        self.breaker.asked(self.now)
        if self.breaker.stage is not Stage.OPEN and self.asked_at is None:
            self.asked_at = self.now

    @rule()
    def answered(self):
        found = self.breaker.answered(self.now)
        assert found == (None if self.asked_at is None else pytest.approx(self.now - self.asked_at))
        self.asked_at = None

    @rule(good=st.integers(0, 20), faults=st.integers(0, 20))
    def judged(self, good, faults):
        self.breaker.judged(self.now, good, faults, "refused")
        self.blameless &= not faults
        if self.breaker.stage is Stage.OPEN:
            self.asked_at = None

    @rule()
    def looked_at(self):
        if self.breaker.overdue(self.now):
            self.breaker.excused(self.now)
            self.asked_at = None
        self.breaker.advance(self.now)
        trial = self.breaker.stage is Stage.HALF_OPEN
        assert not (trial and self.asked_at is None and self.now - self.breaker.since >= QUIET_SECONDS)

    @invariant()
    def one_that_does_not_decide_says_why_and_is_let_back_in_time(self):
        assert bool(self.breaker.cause) is (self.breaker.stage is not Stage.CLOSED)
        assert 0 <= self.breaker.rest_left(self.now) <= LAST_REST

    @invariant()
    def nobody_is_out_who_did_nothing_wrong(self):
        if self.blameless:
            assert self.breaker.openings == 0

    @invariant()
    def what_is_asked_is_looked_at_in_time(self):
        due = self.breaker.due()
        if self.asked_at is not None:
            assert due == self.asked_at + DEADLINE
            assert self.breaker.overdue(self.now) is (self.now - self.asked_at >= DEADLINE)


TestAnyLife = AnyLife.TestCase


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(0, 3), st.integers(0, 3)), max_size=40))
def test_it_opens_for_refusals_exactly_when_the_window_says_so(steps):
    breaker, now, past = closed(), 0.0, []
    for seconds, good, faults in steps:
        now += seconds
        past.append((now, good, faults))
        window = [one for one in past if one[0] >= now - WINDOW_SECONDS]
        wrong, every = sum(one[2] for one in window), sum(one[1] + one[2] for one in window)
        breaker.judged(now, good, faults, "c")
        assert (breaker.stage is Stage.OPEN) is (faults > 0 and wrong >= MOST_FAULTS and wrong >= every / 2)
        if breaker.stage is Stage.OPEN:
            return
