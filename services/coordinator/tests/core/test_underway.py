"""What is left of a case that executes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfleet.coordinator.core.lognormal import HIGH, LOW, MIDDLE, LogNormal
from crossfleet.coordinator.core.underway import Underway

expected = st.builds(LogNormal, st.floats(-7, 7), st.floats(0.05, 2.5))
parts = st.floats(0.01, 0.99)


def test_of_a_measured_case_that_has_just_begun_all_is_left_and_at_its_end_little():
    case = LogNormal(math.log(10.0), 0.1)

    assert Underway("s", case, 0.0).left(MIDDLE) == pytest.approx(10.0)
    assert Underway("s", case, 9.0).left(MIDDLE) == pytest.approx(1.2, rel=0.2)
    assert Underway("s", case, 12.5).left(HIGH) < 3.5


def test_what_has_lasted_far_too_long_will_last_as_long_again_as_often_more_as_less():
    case = Underway("s", LogNormal(0.0, 0.1), 1000.0)

    assert case.left(MIDDLE) == pytest.approx(1000.0, rel=0.01)
    assert case.left(LOW) < 150 < 7000 < case.left(HIGH)


@given(expected, st.floats(0, 1e6), parts, parts)
def test_more_is_left_in_more_of_all_cases_and_never_less_than_nothing(case, elapsed, first, second):
    one = Underway("s", case, elapsed)

    assert 0 <= one.left(min(first, second)) <= one.left(max(first, second)) * (1 + 1e-9) + 1e-9
    assert one.about().sigma >= 0


@given(expected, st.floats(0.01, 100))
def test_nobody_is_surer_of_what_was_never_measured_the_longer_it_lasts(case, elapsed):
    unsure = LogNormal(case.mu, 2.0)

    sooner, later = Underway("s", unsure, elapsed), Underway("s", unsure, elapsed * 10)

    assert later.left(HIGH) >= sooner.left(HIGH) * 0.99
