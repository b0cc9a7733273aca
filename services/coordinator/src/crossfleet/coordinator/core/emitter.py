"""What handlers of commands work with: facts are emitted, and the state follows at once."""

from __future__ import annotations

from dataclasses import dataclass, field

from crossfleet.coordinator.core.events import Event
from crossfleet.coordinator.core.evolve import evolve
from crossfleet.coordinator.core.model import State


@dataclass(frozen=True, slots=True)
class Rejection:
    """A command that is refused and changed nothing. `reason` is the name of an ErrorReason, `field` a path or empty."""

    reason: str
    message: str
    field: str = ""
    metadata: tuple[tuple[str, str], ...] = ()


class Refused(Exception):
    """Raised by a handler before it has emitted anything."""

    def __init__(self, reason: str, message: str, field: str = "", **metadata: str) -> None:
        super().__init__(message)
        self.rejection = Rejection(reason, message, field, tuple(metadata.items()))


@dataclass(slots=True)
class Emitter:
    """The state, the time (unix seconds) and the facts of one command."""

    state: State
    now: float
    events: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        """Record a fact and let the state follow."""
        evolve(self.state, event)
        self.events.append(event)
