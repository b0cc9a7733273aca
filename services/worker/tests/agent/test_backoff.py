"""How often a worker dials, alone and with a thousand others."""

from __future__ import annotations

import heapq
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfleet.worker.core.backoff import Backoff

WORKERS = 1000


def remote(source: random.Random) -> Backoff:
    """As workers of other machines have it."""
    return Backoff(source.random, first=0.125, quick=0, most=4.0)


def test_a_coordinator_of_the_own_machine_that_is_not_there_yet_is_dialled_quickly_and_then_ever_more_slowly() -> None:
    backoff = Backoff(lambda: 1.0, first=0.02, quick=50, most=2.0)
    waits = [backoff.next() for _ in range(100)]
    assert waits[:50] == [0.05] * 50
    assert waits[50:] == sorted(waits[50:])
    assert waits[-1] == 2.0


@given(st.integers(0, 1000))
def test_no_wait_is_longer_than_the_most_and_the_quick_ones_are_quick(seed: int) -> None:
    backoff = Backoff(random.Random(seed).random, first=0.02, quick=50, most=2.0)
    waits = [backoff.next() for _ in range(200)]
    assert all(0.02 <= wait <= 0.05 for wait in waits[:50])
    assert all(0.0 <= wait <= 2.0 for wait in waits)


@given(st.integers(0, 1000))
def test_one_that_refuses_is_not_stormed(seed: int) -> None:
    backoff = Backoff(random.Random(seed).random, first=0.02, quick=50, most=2.0)
    dials, spent = 0, 0.0
    while spent < 30.0:
        backoff.answered()
        spent += backoff.next()
        dials += 1
    assert dials < 80
    assert backoff.patient


def test_a_session_that_lived_begins_anew_and_a_short_one_does_not() -> None:
    backoff = Backoff(lambda: 1.0, first=0.02, quick=1, growth=2.0, most=2.0, calm=5.0)
    for _ in range(20):
        backoff.next()
    backoff.lived(0.1)
    slow = backoff.next()
    backoff.lived(60.0)
    assert (slow, backoff.next()) == (2.0, 0.05)
    assert not Backoff(lambda: 1.0, quick=1).patient


def test_a_leader_that_is_named_late_in_an_outage_is_dialled_soon() -> None:
    backoff = remote(random.Random(1))
    for _ in range(20):
        backoff.next()
    assert all(backoff.hop() <= 0.19 for _ in range(100))


def test_whoever_is_told_when_to_come_again_comes_then_and_not_with_all_others() -> None:
    backoff = remote(random.Random(1))
    for _ in range(20):
        backoff.next()
    waits = [backoff.told(0.2) for _ in range(100)]
    assert all(0.2 <= wait <= 0.4 for wait in waits)
    assert max(waits) - min(waits) > 0.15


def dials(seed: int, outage: float) -> tuple[list[float], list[float]]:
    """When a thousand workers dial that lost their coordinator at 0; and when each is at the one that leads from `outage` on,
    which whoever is dialled names then."""
    source = random.Random(seed)
    paces = [remote(source) for _ in range(WORKERS)]
    due = [(pace.next(), number) for number, pace in enumerate(paces)]
    heapq.heapify(due)
    made, found = [], []
    while due:
        at, number = heapq.heappop(due)
        made.append(at)
        if at >= outage:
            found.append(at + paces[number].hop())
        else:
            heapq.heappush(due, (at + paces[number].next(), number))
    return made, found


@pytest.mark.parametrize("seed", range(5))
def test_a_thousand_workers_that_lose_their_leader_do_not_come_as_one(seed: int) -> None:
    made, found = dials(seed, outage=12.0)
    by_second = Counter(int(at) for at in made)
    assert all(by_second[second] <= 0.85 * WORKERS for second in range(4, 12)), "the outage lasts, and dials stay many"
    assert max(Counter(int(at * 10) for at in found).values()) <= 0.1 * WORKERS, (
        "they arrive within a tenth of a second"
    )
    assert len(made) <= 16 * WORKERS
    assert min(found) < 12.1, "none is there when the new leader is"
    assert max(found) <= 16.2


@pytest.mark.parametrize("seed", range(5))
def test_a_thousand_workers_of_a_leader_that_hands_over_come_within_moments_but_spread(seed: int) -> None:
    _, found = dials(seed, outage=0.0)
    assert max(found) <= 0.4
    assert max(Counter(int(at * 100) for at in found).values()) <= 0.1 * WORKERS
