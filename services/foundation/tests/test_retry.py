"""Retries and their budget."""

from __future__ import annotations

import asyncio

import pytest

from crossfleet.foundation.errors import DeadlineExceeded, QueueFull, RunNotFound, Unavailable
from crossfleet.foundation.retry import RetryBudget, RetryPolicy, retrying
from crossfleet.foundation.testing import JumpingClock


class _Peer:
    """Fails with the given errors, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self._errors:
            raise self._errors.pop(0)
        return "answer"


async def test_unavailable_is_tried_again_with_growing_delays() -> None:
    clock, peer = JumpingClock(), _Peer(*[Unavailable()] * 4)
    policy = RetryPolicy(attempts=5, first_delay=1.0, max_delay=4.0, deadline=100)
    assert await retrying(peer, policy=policy, clock=clock, draw=lambda: 1.0) == "answer"
    assert clock.slept == [1.0, 2.0, 4.0, 4.0]


async def test_an_error_that_will_not_pass_is_raised_at_once() -> None:
    peer = _Peer(RunNotFound())
    with pytest.raises(RunNotFound):
        await retrying(peer)
    assert peer.calls == 1


async def test_the_server_says_when_to_come_back() -> None:
    clock, peer = JumpingClock(), _Peer(QueueFull(retry_after=3.0))
    assert await retrying(peer, clock=clock, draw=lambda: 0.0) == "answer"
    assert clock.slept == [3.0]


async def test_attempts_are_limited() -> None:
    peer = _Peer(*[Unavailable()] * 9)
    with pytest.raises(Unavailable):
        await retrying(peer, policy=RetryPolicy(attempts=3), clock=JumpingClock())
    assert peer.calls == 3


async def test_no_delay_reaches_past_the_deadline() -> None:
    clock, peer = JumpingClock(), _Peer(QueueFull(retry_after=60.0))
    with pytest.raises(QueueFull):
        await retrying(peer, policy=RetryPolicy(deadline=30), clock=clock)
    assert clock.slept == []


async def test_an_attempt_that_hangs_is_cut_off_at_the_deadline() -> None:
    with pytest.raises(DeadlineExceeded):
        await retrying(asyncio.Event().wait, policy=RetryPolicy(deadline=0.05))
    assert RetryPolicy().deadline == 30.0


async def test_a_spent_budget_stops_retries_until_calls_succeed_again() -> None:
    budget = RetryBudget(size=4, refund=1.0)
    peer = _Peer(*[Unavailable()] * 9)
    with pytest.raises(Unavailable):
        await retrying(peer, policy=RetryPolicy(attempts=9), budget=budget, clock=JumpingClock())
    assert peer.calls == 2
    for _ in range(4):
        assert await retrying(_Peer(), budget=budget) == "answer"
    assert await retrying(_Peer(Unavailable()), budget=budget, clock=JumpingClock()) == "answer"


@pytest.mark.parametrize("turns", range(6))
async def test_a_cancellation_that_comes_with_the_answer_is_not_forgotten(turns: int) -> None:
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def ask_and_go_on() -> None:
        await retrying(lambda: answer)
        await asyncio.Event().wait()

    asking = asyncio.ensure_future(ask_and_go_on())
    for _ in range(3):
        await asyncio.sleep(0)
    answer.set_result("late")
    for _ in range(turns):
        await asyncio.sleep(0)
    asking.cancel()

    done, _ = await asyncio.wait([asking], timeout=1)
    assert done, "it goes on as if nobody had cancelled it"
    assert asking.cancelled()
