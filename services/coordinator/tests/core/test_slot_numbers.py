"""Slots of a run are numbered from 0, the lowest free numbers first, however many come and go."""

from hypothesis import given
from hypothesis import strategies as st

from crossfleet.coordinator.core.slot_numbers import SlotNumbers

changes = st.lists(st.one_of(st.integers(1, 5), st.integers(-30, -1)), max_size=80)


def lowest(held, count):
    """By looking at every number."""
    taken = {number for first, size in held for number in range(first, first + size)}
    first = 0
    while taken.intersection(range(first, first + count)):
        first += 1
    return first


@given(changes)
def test_the_lowest_numbers_that_are_free_together_are_given_and_the_end_is_behind_the_highest(changes):
    numbers = SlotNumbers()
    held: list[tuple[int, int]] = []
    for change in changes:
        if change > 0:
            wanted = lowest(held, change)
            assert numbers.take(change) == wanted
            held.append((wanted, change))
        elif held:
            numbers.give_back(*held.pop(change % len(held)))
        assert numbers.end == max((first + size for first, size in held), default=0)


@given(changes)
def test_numbers_that_all_came_back_are_as_if_none_had_been_given(changes):
    numbers = SlotNumbers()
    held: list[tuple[int, int]] = []
    for change in changes:
        if change > 0:
            held.append((numbers.take(change), change))
        elif held:
            numbers.give_back(*held.pop(change % len(held)))
    for one in held:
        numbers.give_back(*one)

    assert numbers == SlotNumbers()
