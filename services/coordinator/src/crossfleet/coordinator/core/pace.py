"""How fast a slot is: measured by what its cases were estimated to take and what they took."""

from __future__ import annotations

from dataclasses import dataclass

_SLOWEST, _FASTEST = 1 / 64, 64.0
# A measurement shorter than this (seconds) counts only in part: a clock has its grain, and guesses are wrong at first.
_TRUST_KNOWN, _TRUST_GUESSED = 0.0005, 0.05
_FORGET_AFTER = 10.0
_SURPRISE = 8.0


@dataclass(slots=True)
class Pace:
    """Decayed sums of seconds, estimated and spent, and from them the speed: estimated seconds in a second of its own.

    1.0 while nothing is measured, within 1/64 and 64.
    """

    estimated: float = 0.0
    actual: float = 0.0
    speed: float = 1.0

    def note(self, estimated: float, actual: float, *, known: bool) -> None:
        """A case was executed. What was measured counts half once it covers ten seconds, so that newer cases weigh more.

        Where it is `known` how long cases take, one that took very much longer or shorter than that here is no measure of
        the slot: it has set up a database for all that follow, or has changed.
        """
        if known:
            expected = estimated / self.speed
            actual = min(max(actual, expected / _SURPRISE), expected * _SURPRISE)
        self.estimated += estimated
        self.actual += actual
        if self.actual > _FORGET_AFTER:
            self.estimated /= 2
            self.actual /= 2
        trust = _TRUST_KNOWN if known else _TRUST_GUESSED
        speed = (self.estimated + trust) / (self.actual + trust)
        self.speed = _SLOWEST if speed < _SLOWEST else min(speed, _FASTEST)

    @property
    def shown(self) -> float:
        """How much it rests on: seconds, by whichever clock they are more."""
        return max(self.estimated, self.actual)
