"""Who decides for a group."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfleet.coordinator.core.deciders import Decider, decider_of

GPU, NEW = Decider("gpu", frozenset({"gpu", "big"})), Decider("new", canary=10.0)
GROUPS = [f"run-{number}/default" for number in range(10_000)]


def test_a_group_goes_to_the_scheduler_of_its_pool_and_others_to_the_fallback():
    assert decider_of("run/a", "gpu", "", [GPU]) == "gpu"
    assert decider_of("run/a", "big", "", [GPU]) == "gpu"
    assert decider_of("run/a", "cpu", "", [GPU]) == ""
    assert decider_of("run/a", "", "", [GPU]) == ""


def test_what_a_run_names_wins_over_pool_and_share():
    assert decider_of("run/a", "gpu", "new", [GPU, NEW]) == "new"
    assert {decider_of(one, "gpu", "default", [GPU, NEW]) for one in GROUPS} == {""}
    assert decider_of("run/a", "gpu", "gone since", [GPU, NEW]) == ""


def test_a_canary_gets_its_share_of_groups_and_always_the_same():
    first = [decider_of(one, "", "", [GPU, NEW]) for one in GROUPS]
    assert first.count("new") == pytest.approx(1000, abs=100)
    assert first == [decider_of(one, "", "", [GPU, NEW]) for one in GROUPS]


def test_a_larger_share_takes_none_of_the_groups_away_that_a_smaller_one_had():
    small, large = (
        {one for one in GROUPS if decider_of(one, "", "", [Decider("new", canary=c)])} for c in (10.0, 30.0)
    )
    assert small < large


@given(st.lists(st.floats(0, 100), max_size=4), st.text(max_size=20))
def test_shares_of_several_schedulers_do_not_overlap_and_what_is_left_is_the_fallbacks(shares, group_id):
    deciders = [Decider(f"s{number}", canary=share) for number, share in enumerate(shares)]
    found = decider_of(group_id, "", "", deciders)
    assert found == "" or any(one.name == found and one.canary for one in deciders)
    if sum(shares) >= 100:
        assert found
