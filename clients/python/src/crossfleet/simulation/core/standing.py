"""What groups of one priority class met with: how long they waited, whether they were in time, what was taken from them."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field


@dataclass(slots=True)
class Standing:
    """Seconds of the virtual clock. `waits` for first slots; `late` by how much those missed their deadline that ended.

    `due` groups had a deadline, `missed` counts those too that never ended. `revoked` allocations were
    taken back, and `lost` is what was executed in vain of what these or lost workers ran.
    """

    groups: int = 0
    waits: array[float] = field(default_factory=lambda: array("d"))
    due: int = 0
    missed: int = 0
    late: array[float] = field(default_factory=lambda: array("d"))
    revoked: int = 0
    lost: float = 0.0

    def ended(self, deadline: float, now: float) -> None:
        """A group with a deadline has ended."""
        if now > deadline:
            self.missed += 1
            self.late.append(now - deadline)
