"""The circuit breaker."""

from __future__ import annotations

import asyncio

import pytest

from crossfleet.foundation.breaker import Breaker
from crossfleet.foundation.clock import ManualClock
from crossfleet.foundation.errors import CircuitOpen


def _fail(breaker: Breaker, error: type[BaseException] = ValueError) -> None:
    with pytest.raises(error), breaker.guard():
        raise error


def _open_breaker() -> tuple[Breaker, ManualClock]:
    clock = ManualClock()
    breaker = Breaker("peer", failures=3, reset_seconds=10, clock=clock)
    for _ in range(3):
        _fail(breaker)
    return breaker, clock


def test_failures_in_a_row_open_it_and_calls_are_refused() -> None:
    breaker, _ = _open_breaker()
    assert breaker.state == "open"
    with pytest.raises(CircuitOpen) as caught, breaker.guard():
        pytest.fail("was called")
    assert caught.value.retry_after == 10
    assert caught.value.metadata["circuit"] == "peer"


def test_a_success_forgets_failures() -> None:
    breaker = Breaker("peer", failures=2)
    for _ in range(5):
        _fail(breaker)
        with breaker.guard():
            pass
    assert breaker.state == "closed"


def test_exactly_one_probe_passes_and_its_success_closes() -> None:
    breaker, clock = _open_breaker()
    clock.advance(10)
    assert str(breaker.state) == "half_open"
    with breaker.guard(), pytest.raises(CircuitOpen), breaker.guard():
        pytest.fail("a second probe passed")
    assert breaker.state == "closed"


def test_a_failed_probe_opens_it_for_the_whole_time_again() -> None:
    breaker, clock = _open_breaker()
    clock.advance(10)
    _fail(breaker)
    assert breaker.state == "open"
    clock.advance(9)
    assert breaker.state == "open"


def test_a_cancelled_probe_says_nothing_and_leaves_room_for_another() -> None:
    breaker, clock = _open_breaker()
    clock.advance(10)
    _fail(breaker, asyncio.CancelledError)
    with breaker.guard():
        pass
    assert breaker.state == "closed"


def test_a_call_begun_before_it_opened_cannot_close_it() -> None:
    clock = ManualClock()
    breaker = Breaker("peer", failures=1, reset_seconds=10, clock=clock)
    with breaker.guard():
        _fail(breaker)
    assert breaker.state == "open"
