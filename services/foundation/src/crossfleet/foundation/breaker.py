"""A circuit breaker: a peer that keeps failing is left alone for a while, then tried by one call."""

from __future__ import annotations

from types import TracebackType
from typing import Literal

from crossfleet.foundation.clock import Clock, SystemClock
from crossfleet.foundation.errors.load import CircuitOpen

BreakerState = Literal["closed", "open", "half_open"]


class Breaker:
    """`with breaker.guard(): ...` round each call; raises CircuitOpen (with retry_after) instead of calling while open.

    Opens after `failures` failures in a row; after `reset_seconds` exactly one call, the probe, is let through: its
    success closes, its failure opens again. A cancelled call says nothing. Calls begun before the last change of
    state do not count.
    """

    def __init__(
        self, name: str, *, failures: int = 5, reset_seconds: float = 30.0, clock: Clock | None = None
    ) -> None:
        self.name = name
        self._limit = failures
        self._reset_seconds = reset_seconds
        self._clock = clock or SystemClock()
        self._failures = 0
        self._opened_at: float | None = None
        self._probing = False
        self._generation = 0

    @property
    def state(self) -> BreakerState:
        """closed: calls pass; open: none does; half_open: the next one, or one that is under way, is the probe."""
        if self._opened_at is None:
            return "closed"
        return "half_open" if self._wait() <= 0 else "open"

    def guard(self) -> BreakerGuard:
        """The context of one call: `with breaker.guard(): await ...`."""
        return BreakerGuard(self)

    def admit(self) -> int:
        """Lets one call in and returns its generation, to be given to `record`. Raises CircuitOpen."""
        if self._opened_at is not None:
            if self._probing or self._wait() > 0:
                raise CircuitOpen(
                    f"{self.name} failed {self._failures} times in a row and is not called for a while",
                    retry_after=max(self._wait(), 0.05),
                    circuit=self.name,
                )
            self._probing = True
        return self._generation

    def record(self, generation: int, error: BaseException | None) -> None:
        """Counts the end of a call that was admitted in `generation`."""
        if generation != self._generation:
            return
        if error is None:
            self._failures = 0
            if self._opened_at is not None:
                self._change(None)
        elif not isinstance(error, Exception):  # cancelled
            self._probing = False
        else:
            self._failures += 1
            if self._probing or (self._opened_at is None and self._failures >= self._limit):
                self._change(self._clock.monotonic())

    def _change(self, opened_at: float | None) -> None:
        self._opened_at = opened_at
        self._probing = False
        self._generation += 1

    def _wait(self) -> float:
        return 0.0 if self._opened_at is None else self._opened_at + self._reset_seconds - self._clock.monotonic()


class BreakerGuard:
    """One call's way through a breaker; remembers in which generation it began."""

    def __init__(self, breaker: Breaker) -> None:
        self._breaker = breaker
        self._generation = -1

    def __enter__(self) -> None:
        self._generation = self._breaker.admit()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._breaker.record(self._generation, error)
