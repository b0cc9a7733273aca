"""How work that is left divides among slots that are busy for unlike times and unlike fast.

Water poured into a vessel of unequal floor stands at one level: so would the work, if it could be divided at will.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """A slot: its speed (estimated seconds a second), and the seconds until it has done what it holds."""

    speed: float
    ahead: float

    def ends(self, work: float) -> float:
        """Seconds from now after which it has done so much more."""
        return self.ahead + work / self.speed


def level(work: float, loads: Iterable[Load]) -> float:
    """Seconds from now after which `work` (estimated seconds) is done, when each slot begins as soon as it is free.

    No distribution of indivisible work ends sooner. Zero without slots.
    """
    speed = held = 0.0
    for load in sorted(loads, key=lambda one: one.ahead):
        if speed and (work + held) / speed <= load.ahead:
            break
        speed += load.speed
        held += load.speed * load.ahead
    return (work + held) / speed if speed else 0.0
