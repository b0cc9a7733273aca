"""Stops the slots of an allocation where its own failures are enough to end the run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from crossfleet.worker.shim.host import Host


class Braked(Protocol):
    """A slot whose process waits after each failure, and whenever it is told to."""

    def hold(self) -> None:
        """Begin no further case."""

    def go_on(self) -> None:
        """Go on."""


class Brake:
    """Counts failures. From the last that the run may have, no case begins until they are acknowledged.

    By then the coordinator has stopped the run, whose attempts are cancelled; or it has not counted one of them, since it
    knew the case already, and the slots go on. Without a limit nothing ever waits.
    """

    def __init__(self, host: Host, limit: int, slots: Callable[[], Iterable[Braked]]) -> None:
        self.limit = limit
        self._host = host
        self._slots = slots
        self._failures = 0
        self._awaited = 0

    @property
    def on(self) -> bool:
        """Whether an acknowledgement is waited for."""
        return self._awaited > 0

    def failed(self, slot: Braked) -> None:
        """A result that was just recorded is a failure of ``slot``."""
        if not self.limit:
            return
        self._failures += 1
        if self._failures < self.limit:
            slot.go_on()
            return
        self._awaited = self._host.journal.next_sequence - 1
        for each in self._slots():
            each.hold()

    def acknowledged(self, sequence: int) -> None:
        """The coordinator has committed all up to ``sequence``."""
        if self._awaited and sequence >= self._awaited:
            self._awaited = 0
            for each in self._slots():
                each.go_on()
