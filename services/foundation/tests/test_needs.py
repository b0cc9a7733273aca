from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfleet.foundation.needs import NeedError, check_needs

NAMES = ("lint", "unit", "gpu", "soak", "docs")


@given(st.dictionaries(st.sampled_from(NAMES), st.sets(st.sampled_from(NAMES)), min_size=1))
def test_needs_are_refused_exactly_when_some_order_of_targets_cannot_keep_them(drawn):
    needs = {name: sorted(each.intersection(drawn)) for name, each in drawn.items()}
    done: set[str] = set()
    while ready := [name for name, each in needs.items() if name not in done and done.issuperset(each)]:
        done.update(ready)
    if done == set(needs):
        check_needs(needs)
    else:
        with pytest.raises(NeedError, match="in a circle") as refused:
            check_needs(needs)
        path = refused.value.message.removeprefix("needs go in a circle: ").split(" needs ")
        assert path[0] == path[-1]
        assert all(later in needs[earlier] for earlier, later in pairwise(path))
        assert needs[refused.value.target][refused.value.index] == path[-1]


def test_a_circle_is_told_with_its_whole_path():
    with pytest.raises(NeedError, match="circle: unit needs gpu needs lint needs unit"):
        check_needs({"docs": ["unit"], "unit": ["gpu"], "gpu": ["lint"], "lint": ["unit"]})


def test_a_slip_in_a_name_is_told_with_the_name_that_is_near():
    with pytest.raises(NeedError, match=r"no such target: did you mean 'unit'\?") as refused:
        check_needs({"unit": [], "gpu": ["unti"]})
    assert (refused.value.target, refused.value.index) == ("gpu", 0)


def test_a_target_that_needs_itself_or_one_twice_is_refused():
    with pytest.raises(NeedError, match="circle: gpu needs gpu"):
        check_needs({"gpu": ["gpu"]})
    with pytest.raises(NeedError, match="it needs unit twice"):
        check_needs({"unit": [], "gpu": ["unit", "unit"]})
