from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfleet.cli.reproduction.shrinking import shrink

SIZES = st.integers(0, 24)


def is_one_minimal(part, fails) -> bool:
    return fails(part) and not any(fails(part[:place] + part[place + 1 :]) for place in range(len(part)))


class Counting:
    """A predicate that counts, and refuses to be asked twice about one part."""

    def __init__(self, holds) -> None:
        self.holds = holds
        self.asked: set[tuple[int, ...]] = set()

    def __call__(self, part: tuple[int, ...]) -> bool:
        assert part not in self.asked
        self.asked.add(part)
        return self.holds(part)


@given(SIZES, st.data())
def test_exactly_the_culprits_are_left_where_more_never_hides_a_failure(size, data):
    culprits = data.draw(st.sets(st.integers(0, size - 1), max_size=6)) if size else set()

    assert shrink(range(size), lambda part: culprits <= set(part)) == tuple(sorted(culprits))


@given(st.integers(1, 9), st.data())
def test_nothing_that_is_left_can_be_left_out_whatever_the_failure_depends_on(size, data):
    whole = tuple(range(size))
    parts = [part for length in range(size) for part in combinations(whole, length)]
    failing = {whole, *data.draw(st.sets(st.sampled_from(parts), max_size=30))}

    assert is_one_minimal(shrink(whole, failing.__contains__), failing.__contains__)


@given(SIZES, st.integers(0, 2**32))
def test_the_number_of_tries_is_bounded_and_none_is_made_twice(size, seed):
    whole = tuple(range(size))
    predicate = Counting(lambda part: part == whole or hash((seed, part)) % 3 == 0)
    shrink(whole, predicate)

    assert len(predicate.asked) <= size * size + 4 * size + 1


@pytest.mark.parametrize("culprit", [0, 511, 700, 1023])
def test_one_culprit_of_a_thousand_is_found_in_a_few_tries(culprit):
    predicate = Counting(lambda part: culprit in part)

    assert shrink(range(1024), predicate) == (culprit,)
    assert len(predicate.asked) <= 22


def test_what_the_predicate_raises_ends_the_search():
    def fails(part):
        raise TimeoutError

    with pytest.raises(TimeoutError):
        shrink(range(3), fails)
