"""Says on standard output, for whoever supervises this process, that a scheduler is out, and that it decides again."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from crossfleet.coordinator.core.breaker import Stage
from crossfleet.foundation.serve import print_event

EVENT = "scheduler"
Tell = Callable[[str, Stage, str], None]
"""Takes a scheduler's name, how its breaker stands, and why."""


def nobody(name: str, stage: Stage, cause: str) -> None:
    """Tells nobody."""


class Bulletin:
    """Each is taken to decide until something else is said; what is tried is neither out nor back."""

    def __init__(self, publish: Callable[[str, str, Mapping[str, object]], None] = print_event) -> None:
        self._publish = publish
        self._out: set[str] = set()

    def __call__(self, name: str, stage: Stage, cause: str) -> None:
        """Publish it where it is news."""
        if stage is Stage.HALF_OPEN or (name in self._out) is (stage is Stage.OPEN):
            return
        (self._out.add if stage is Stage.OPEN else self._out.discard)(name)
        self._publish("coordinator", EVENT, {"scheduler": name, "decides": stage is Stage.CLOSED, "cause": cause})
