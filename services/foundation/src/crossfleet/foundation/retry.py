"""Retries that cannot make an outage worse: bounded in number, time and share of all calls."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import grpc

from crossfleet.foundation.clock import Clock, SystemClock
from crossfleet.foundation.errors.base import CrossfleetError
from crossfleet.foundation.errors.load import DeadlineExceeded
from crossfleet.foundation.errors.status import error_from_rpc

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long. Delays (seconds) double from `first_delay` to `max_delay`, each drawn from 0 to that."""

    attempts: int = 5
    first_delay: float = 0.05
    max_delay: float = 2.0
    deadline: float = 30.0


class RetryBudget:
    """Allows retries only while most calls succeed: a failure costs 1, a success gives `refund` back (as gRFC A6).

    Share one budget among all calls to one peer. Half of it is for first failures: below that nothing is retried.
    """

    def __init__(self, size: float = 20.0, refund: float = 0.1) -> None:
        self._size = size
        self._left = size
        self._refund = refund

    def succeeded(self) -> None:
        """Counts a success."""
        self._left = min(self._size, self._left + self._refund)

    def failed(self) -> bool:
        """Counts a failure; says whether it may be retried."""
        self._left = max(0.0, self._left - 1.0)
        return self._left > self._size / 2


def delays(*, first: float = 0.05, longest: float = 2.0, draw: Callable[[], float] = random.random) -> Iterator[float]:
    """Seconds to wait before each next attempt, without end: the ceiling doubles, each is drawn from half of it up."""
    ceiling = first
    while True:
        yield ceiling * (1.0 + draw()) / 2
        ceiling = min(longest, ceiling * 2)


async def retrying(
    attempt: Callable[[], Awaitable[T]],
    *,
    policy: RetryPolicy | None = None,
    budget: RetryBudget | None = None,
    clock: Clock | None = None,
    draw: Callable[[], float] = random.random,
) -> T:
    """Awaits `attempt()` again while it fails with UNAVAILABLE or says when to come back (RetryInfo).

    Only for calls that are idempotent by their request id or by nature. Raises the last error as CrossfleetError, or
    DeadlineExceeded when `policy.deadline` seconds ran out inside an attempt.
    """
    rules, allowance, time = policy or RetryPolicy(), budget or RetryBudget(), clock or SystemClock()
    end = time.monotonic() + rules.deadline
    ceiling = rules.first_delay
    for number in range(1, rules.attempts + 1):
        try:
            # Not wait_for: before Python 3.12 it forgets a cancellation that comes together with the answer.
            async with asyncio.timeout(max(0.0, end - time.monotonic())):
                result = await _once(attempt)
        except TimeoutError as late:
            raise DeadlineExceeded(f"no answer within {rules.deadline} s") from late
        except CrossfleetError as error:
            if not allowance.failed() or number == rules.attempts or not _may_pass(error):
                raise
            delay = draw() * ceiling if error.retry_after is None else error.retry_after * (1.0 + draw() / 4)
            ceiling = min(rules.max_delay, ceiling * 2)
            if time.monotonic() + delay >= end:
                raise
            await time.sleep(delay)
        else:
            allowance.succeeded()
            return result
    raise ValueError("a retry policy needs at least one attempt")


async def _once(attempt: Callable[[], Awaitable[T]]) -> T:
    try:
        return await attempt()
    except grpc.RpcError as error:
        raise error_from_rpc(error) from error


def _may_pass(error: CrossfleetError) -> bool:
    return error.retry_after is not None or error.code is grpc.StatusCode.UNAVAILABLE
