"""The manual clock, ids, and waiting for conditions."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfleet.foundation.clock import ManualClock, SleeplessClock, SystemClock
from crossfleet.foundation.ids import RandomIds, SequentialIds
from crossfleet.foundation.wait import eventually


async def test_sleepers_wake_when_the_clock_passes_them_and_not_before() -> None:
    clock = ManualClock(start=100.0)
    woken: list[int] = []

    async def sleeper(seconds: int) -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    tasks = [asyncio.ensure_future(sleeper(seconds)) for seconds in (3, 1, 2)]
    await eventually(lambda: clock.sleepers == 3)
    clock.advance(2)
    await eventually(lambda: len(woken) == 2)
    assert woken == [1, 2]
    assert clock.now() == clock.monotonic() == 102.0
    clock.advance(1)
    await asyncio.gather(*tasks)
    assert woken == [1, 2, 3]


@pytest.mark.parametrize("clock", [SystemClock(), SleeplessClock()])
async def test_the_clocks_of_the_system_go_on(clock: SystemClock) -> None:
    before = clock.monotonic(), clock.now()
    await clock.sleep(0)
    assert clock.monotonic() >= before[0]
    assert clock.now() > 1.7e9


@given(st.lists(st.integers(min_value=0, max_value=10_000), min_size=2, max_size=20))
def test_ids_sort_by_the_time_at_which_they_were_made(steps: list[int]) -> None:
    clock = ManualClock(start=1.8e9)
    ids = RandomIds(clock, random_bits=lambda bits: 0)
    made = []
    for step in steps:
        clock.advance(step + 1)
        made.append(ids.new("run"))
    assert made == sorted(made)
    assert all(len(made_id) == len("run-") + 22 for made_id in made)


def test_random_ids_of_one_moment_differ() -> None:
    ids = RandomIds(ManualClock(start=1.8e9))
    assert len({ids.new("run") for _ in range(1000)}) == 1000


def test_sequential_ids_count_per_prefix() -> None:
    ids = SequentialIds()
    assert [ids.new("run"), ids.new("task"), ids.new("run")] == ["run-1", "task-1", "run-2"]


async def test_eventually_returns_the_first_true_value() -> None:
    values = iter([0, 0, 7])
    assert await eventually(lambda: next(values)) == 7


async def test_eventually_says_what_it_waited_for() -> None:
    async def never() -> bool:
        raise AssertionError("not yet")

    with pytest.raises(TimeoutError, match=r"the moon.*not yet"):
        await eventually(never, deadline=0.02, what="the moon")
