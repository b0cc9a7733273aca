import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfleet.coordinator.core.forecast import NEVER, Slots, Work

times = st.lists(st.tuples(st.floats(0, 100), st.integers(1, 5)), min_size=1, max_size=8)
amounts = st.floats(0.01, 1000)


def test_work_on_idle_slots_begins_at_once_and_is_shared_by_all_of_them():
    span = Slots([(0.0, 4)]).carry_out(Work(40.0, most=10))

    assert (span.start, span.end, span.slots) == (0.0, 10.0, 4)


def test_a_slot_that_gets_free_later_joins_only_where_it_still_helps():
    assert Slots([(0.0, 1), (4.0, 1), (50.0, 1)]).carry_out(Work(10.0, most=3)) == (
        Slots([(0.0, 1), (4.0, 1)]).carry_out(Work(10.0, most=2))
    )


def test_work_that_needs_several_slots_at_once_waits_for_the_last_of_them():
    span = Slots([(0.0, 1), (30.0, 1)]).carry_out(Work(10.0, least=2, most=2))

    assert (span.start, span.end) == (30.0, 35.0)


def test_what_comes_later_begins_when_those_before_it_end():
    slots = Slots([(0.0, 2)])
    first = slots.carry_out(Work(60.0, most=2))

    assert slots.carry_out(Work(10.0, most=2)).start == first.end == 30.0


def test_one_long_case_keeps_the_end_though_others_may_use_the_other_slots():
    slots = Slots([(0.0, 2)])

    assert slots.carry_out(Work(20.0, most=2, longest=18.0)).end == 18.0
    assert slots.carry_out(Work(2.0, most=2)).start == 10.0


def test_too_few_slots_are_never_enough_and_are_left_to_others():
    slots = Slots([(0.0, 2)])

    assert slots.carry_out(Work(1.0, least=3, most=3)) == NEVER
    assert slots.carry_out(Work(1.0, most=2)).start == 0.0


def test_work_under_way_gives_back_here_only_what_it_holds_here():
    slots = Slots([])
    slots.carry_out(Work(30.0, 0, 3, held=3, back=1))

    span = slots.carry_out(Work(5.0, most=4))
    assert (span.start, span.slots) == (10.0, 1)


def test_slots_that_are_busy_for_longer_than_all_the_others_need_are_free_when_they_are():
    slots = Slots([])
    span = slots.carry_out(Work(10.0, 0, 3, held=3, back=3, busy=[2.0, 40.0]))

    assert (span.start, span.end) == (0.0, 40.0)
    assert [slots.carry_out(Work(1.0)).start for _ in range(2)] == [6.0, 6.0]
    assert slots.carry_out(Work(100.0, least=3, most=3)).start == 40.0


def test_what_is_said_to_be_given_back_can_be_taken_back_as_long_as_nobody_has_it():
    slots = Slots([])
    first = slots.carry_out(Work(20.0, 0, 2, held=2, back=2))

    assert slots.remove(first.given)
    assert not slots.remove(first.given)
    assert slots.carry_out(Work(1.0)) == NEVER

    again = slots.carry_out(Work(20.0, 0, 2, held=2, back=2))
    slots.carry_out(Work(1.0))
    assert not slots.remove(again.given)


@given(times, amounts)
def test_all_work_is_done_when_it_ends(free, seconds):
    span = Slots(free).carry_out(Work(seconds, most=10_000))

    done = sum(count * max(span.end - at, 0.0) for at, count in free)
    assert done == pytest.approx(seconds)
    assert span.start == min(at for at, _ in free)


@given(times, amounts, st.integers(1, 10), st.integers(1, 10), st.floats(0, 20), st.floats(0, 50))
def test_more_work_ends_no_sooner_and_more_slots_no_later(free, seconds, least, most, setup, longest):
    work = Work(seconds, least, max(least, most), longest, setup)
    more = Work(seconds * 2, least, max(least, most), longest, setup)
    span = Slots(free).carry_out(work)

    assert Slots(free).carry_out(more).end >= span.end
    assert Slots([*free, (0.0, 1)]).carry_out(work).end <= span.end * (1 + 1e-9)
    if math.isfinite(span.end):
        assert span.end >= span.start + setup + longest - 1e-9


@given(st.lists(st.floats(0, 50), min_size=1, max_size=6), times, amounts, st.integers(0, 4))
def test_what_holds_slots_does_all_its_work_and_gives_each_of_them_back(busy, free, seconds, more):
    slots = Slots(free)
    span = slots.carry_out(Work(seconds, 0, len(busy) + more, held=len(busy), back=len(busy), busy=busy))

    assert slots.count == sum(count for _, count in free) + len(busy)
    assert span.end >= max(busy)
    assert span.end <= max(busy) + seconds / len(busy) + 1e-9


@given(times, amounts, amounts)
def test_no_slot_is_lost_however_work_follows_upon_work(free, first, second):
    slots = Slots(free)
    slots.carry_out(Work(first, most=3))
    slots.carry_out(Work(second, most=2))

    assert slots.count == sum(count for _, count in free)
