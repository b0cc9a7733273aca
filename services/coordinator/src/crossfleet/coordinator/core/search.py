"""Which cases of a group are to be run again elsewhere, and wait for a place there."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from crossfleet.coordinator.core.placement import Whence


@dataclass(slots=True)
class Search:
    """By case, `until` when it waits, in unix seconds, and `whence` it is to get away. `whences` counts cases, of which there may be many."""

    until: dict[int, float] = field(default_factory=dict)
    whence: dict[int, Whence] = field(default_factory=dict)
    whences: Counter[Whence] = field(default_factory=Counter)

    def __len__(self) -> int:
        """How many cases wait."""
        return len(self.until)

    def begin(self, index: int, until: float, whence: Whence) -> None:
        """A case waits."""
        self.end(index)
        self.until[index], self.whence[index] = until, whence
        self.whences[whence] += 1

    def end(self, index: int) -> None:
        """A case waits no longer, if it did."""
        if self.until.pop(index, None) is not None:
            whence = self.whence.pop(index)
            self.whences[whence] -= 1
            if not self.whences[whence]:
                del self.whences[whence]
