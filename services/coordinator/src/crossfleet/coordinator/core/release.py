"""Slots that are given back before the work of their group has ended: when each of them is free."""

from __future__ import annotations

import math
from dataclasses import dataclass

from crossfleet.coordinator.core.chance import Chance
from crossfleet.coordinator.core.underway import Underway

# What is ended is not gone at once: a process has to be told and to die, and its worker to say so.
_ENDING_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Release:
    """An allocation of `of` slots, in the place of which a pool has `slots`, once it gives them back.

    Each is free when what it executes has ended, which it is after `limit` seconds at the latest; within a limit nothing more begins there.
    """

    group_id: str
    slots: int
    of: int
    underway: tuple[Underway, ...] = ()
    limit: float = math.inf

    def free_after(self, chance: Chance) -> list[float]:
        """The seconds until each slot of the pool is free, in order, in one draw."""
        busy = sorted(self._lasts(one, chance) for one in self.underway)
        times = [0.0] * (self.of - len(busy)) + busy
        return [times[((number + 1) * self.of - 1) // self.slots] for number in range(self.slots)]

    def _lasts(self, one: Underway, chance: Chance) -> float:
        if self.limit == math.inf:
            return one.free_after(chance)
        return min(one.left(chance.of(one.name)), self.limit + _ENDING_SECONDS)
