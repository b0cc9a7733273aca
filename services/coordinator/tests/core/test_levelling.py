"""Work that could be divided at will ends everywhere at once; pending cases are found by their length."""

import math

from hypothesis import given
from hypothesis import strategies as st

from crossfleet.coordinator.core.lengths import Lengths
from crossfleet.coordinator.core.levelling import Load, level

loads = st.lists(st.builds(Load, st.floats(0.1, 8.0), st.floats(0.0, 100.0)), min_size=1, max_size=12)
estimates = st.lists(st.sampled_from((0.1, 0.2, 0.5, 1.0, 7.0)), min_size=1, max_size=30)


@given(loads, st.floats(0.001, 1_000.0))
def test_what_all_slots_do_until_the_level_is_the_work(loads, work):
    end = level(work, loads)
    parts = [load.speed * max(end - load.ahead, 0.0) for load in loads]

    assert math.isclose(sum(parts), work, rel_tol=1e-6)


@given(loads, st.floats(0.001, 1_000.0))
def test_a_slot_that_is_busy_for_longer_than_the_level_does_not_change_it(loads, work):
    end = level(work, loads)

    assert level(work, [*loads, Load(3.0, end + 1.0)]) == end


def test_without_slots_nothing_ends():
    assert level(1.0, []) == 0.0


@given(estimates, st.lists(st.tuples(st.booleans(), st.integers(0, 29)), max_size=60), st.floats(0.05, 10.0))
def test_the_longest_case_that_fits_is_found_whatever_was_taken_and_came_back(estimates, changes, at_most):
    pending = set(range(len(estimates)))
    lengths = Lengths(estimates, pending)
    for back, number in changes:
        index = number % len(estimates)
        if back:
            pending.add(index)
            lengths.put([index])
        else:
            pending.discard(index)
            lengths.take([index])
        for limit in (math.inf, at_most):
            fitting = [one for one in pending if estimates[one] <= limit]
            wanted = min(fitting, key=lambda one: (-estimates[one], one), default=-1)
            assert lengths.longest(limit) == wanted


def test_only_cases_that_are_allowed_are_found():
    assert Lengths([3.0, 2.0, 1.0], range(3)).longest(allowed={1, 2}) == 1
