"""From a recorded order to the shortest one that still fails, within a budget of time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from crossfleet.cli.reproduction.order import Order
from crossfleet.cli.reproduction.replaying import Replayed
from crossfleet.cli.reproduction.sameness import same, told
from crossfleet.cli.reproduction.shrinking import shrink

_NARROW_FROM = 2.0
"""Replays that take longer than this, in seconds, are worth a try with fewer files collected."""
_LEAST_SECONDS = 20.0


class Replay(Protocol):
    """Executes an order in a fresh process; `loud` lets pytest's own output be seen."""

    def __call__(self, order: Order, *, seconds: float, loud: bool = False) -> Replayed:
        """What it showed. Raises KeyboardInterrupt."""


@dataclass(frozen=True, slots=True)
class Found:
    """What came of it. `order` is the shortest that failed; `stopped` says why it may not be the shortest there is."""

    order: Order
    reproduced: bool
    attempts: int
    tries: int = 0
    stopped: str = ""
    showed: str = ""


class _OutOfTime(Exception):
    """The budget is used up."""


class Search:
    """Replays an order until it fails as recorded, then shrinks it."""

    def __init__(
        self,
        replay: Replay,
        *,
        budget: float,
        note: Callable[[str], None],
        progress: Callable[[str], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`note` gets lines for people, `progress` short-lived ones; `budget` in seconds."""
        self._replay = replay
        self._note = note
        self._progress = progress
        self._now = now
        self._deadline = now() + budget
        self._limit = budget
        self._tries = 0

    def attempt(self, order: Order, attempts: int) -> tuple[Found, float]:
        """Replays the whole order, so often at most; also the seconds that the one which failed took."""
        showed = ""
        for number in range(1, attempts + 1):
            left = self._deadline - self._now()
            if number > 1 and left <= 0:
                return Found(order, reproduced=False, attempts=number - 1, stopped="out of time", showed=showed), 0.0
            replayed = self._replay(order, seconds=max(left, 1.0), loud=number == 1)
            self._warn(order, replayed, first=number == 1)
            showed = told(replayed.observed)
            if same(order.recorded, replayed.observed):
                return Found(order, reproduced=True, attempts=number, showed=showed), replayed.seconds
            self._note(f"attempt {number} of {attempts}: not the recorded failure, but: {showed}")
            if replayed.absent:
                return Found(
                    order, reproduced=False, attempts=number, stopped="it is not collected here", showed=showed
                ), 0.0
        return Found(order, reproduced=False, attempts=attempts, showed=showed), 0.0

    def shorten(self, found: Found, took: float) -> Found:
        """The shortest order, or the shortest so far at Ctrl-C and when the budget is used up."""
        best = found.order
        self._limit = max(_LEAST_SECONDS, 3 * took)

        def fails(before: tuple[str, ...]) -> bool:
            nonlocal best
            tried = best.with_before(before)
            failed = self._fails(tried)
            self._progress(f"try {self._tries}: {len(before)} of {len(found.order.before)} before it: {_word(failed)}")
            best = tried if failed else best
            return failed

        try:
            if took > _NARROW_FROM and not best.narrow and self._fails(replace(best, narrow=True)):
                best = replace(best, narrow=True)
            shrink(best.before, fails)
        except _OutOfTime:
            return replace(found, order=best, tries=self._tries, stopped="out of time")
        except KeyboardInterrupt:
            return replace(found, order=best, tries=self._tries, stopped="interrupted")
        return replace(found, order=replace(best, shortest=True, missing=0), tries=self._tries)

    def _fails(self, order: Order) -> bool:
        left = self._deadline - self._now()
        if left <= 0:
            raise _OutOfTime
        self._tries += 1
        replayed = self._replay(order, seconds=min(left, self._limit))
        return same(order.recorded, replayed.observed)

    def _warn(self, order: Order, replayed: Replayed, *, first: bool) -> None:
        if not first:
            return
        if order.environment and replayed.environment and order.environment != replayed.environment:
            self._note("the environment here differs from the run's: interpreter or installed packages are others")
        if replayed.missing:
            shown = ", ".join(replayed.missing[:3])
            self._note(f"not collected here, and left out: {shown}{' ...' if len(replayed.missing) > 3 else ''}")


def _word(failed: bool) -> str:
    return "fails" if failed else "does not fail"


def conclusion(found: Found) -> str:
    """What came of it, in words."""
    order, before = found.order, found.order.before
    if not found.reproduced:
        if found.stopped == "it is not collected here":
            return f"{order.case} is not collected here: is this the checkout of the run?"
        times = f"{found.attempts} {'try' if found.attempts == 1 else 'tries'}"
        return f"did not fail in {times}: flaky by something else than order (time, chance, network, another process)"
    if not before:
        return "fails alone"
    if len(before) == 1:
        only = " only" if order.shortest else ""
        return f"fails after {before[0]}{only}"
    if order.shortest:
        return f"fails after these {len(before)}, and after no fewer of them"
    return f"fails after {len(before)} others"
