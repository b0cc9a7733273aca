from hypothesis import given
from hypothesis import strategies as st

from crossfleet.coordinator.core.durations import UNKNOWN_SECONDS, fill_unknown, observe


def test_without_history_every_case_is_taken_for_the_same_constant():
    assert fill_unknown((), ["a", "b"]) == ([UNKNOWN_SECONDS] * 2, False)


def test_unknown_cases_borrow_from_their_file_and_then_from_the_suite():
    filled, known = fill_unknown((10.0, 10.0, 0.0, 1.0, 0.0), ["slow", "slow", "slow", "fast", "else"])

    assert known
    assert filled[:2] == [10.0, 10.0]
    assert filled[4] == 7.0
    assert 7.0 < filled[2] < 10.0


def test_newer_executions_weigh_more():
    model = observe(None, 1.0)
    for value in [1.0] * 20 + [4.0] * 5:
        model = observe(model, value)

    assert 2.0 < model.seconds < 4.0


@given(st.lists(st.floats(1e-4, 1e3), min_size=1, max_size=30))
def test_the_estimate_lies_within_what_was_seen(values):
    model = observe(None, values[0])
    for value in values[1:]:
        model = observe(model, value)

    assert min(values) * 0.999 <= model.seconds <= max(values) * 1.001
    assert model.variance >= -1e-12
