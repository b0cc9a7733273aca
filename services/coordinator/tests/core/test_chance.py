"""What is not known is drawn evenly, each thing in an order of its own, and the same each time."""

from hypothesis import given
from hypothesis import strategies as st

from crossfleet.coordinator.core.chance import bounds, chances, draws

names = st.text(max_size=12)


@given(names, st.integers(1, 5000))
def test_over_all_draws_each_part_of_a_thing_comes_once(name, things):
    count = draws(things)

    parts = [chance.of(name) for chance in chances(count)]

    assert sorted(parts) == [(number + 0.5) / count for number in range(count)]
    assert parts == [chance.of(name) for chance in chances(count)]


def test_much_of_many_things_and_little_of_others_come_together_about_as_often_as_by_chance():
    count = draws(1)
    sums = [sum(chance.of(f"thing {number}") for number in range(200)) / 200 for chance in chances(count)]

    low, middle, high = bounds(sums)
    assert 0.45 < low < middle < high < 0.55


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60))
def test_eight_of_ten_drawn_values_lie_within_their_bounds(drawn):
    low, middle, high = bounds(drawn)

    assert min(drawn) <= low <= middle <= high <= max(drawn)
    assert sum(low <= one <= high for one in drawn) >= 0.8 * len(drawn) - 1


def test_what_never_comes_in_all_draws_has_no_bound():
    assert bounds([float("inf")] * 5) == (float("inf"),) * 3
