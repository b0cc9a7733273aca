"""One worker's end of the session with the coordinator, over as many connections as it takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from crossfleet.worker.core.holdings import Holdings
from crossfleet.worker.core.records import Kind, Outgoing
from crossfleet.worker.core.window import Window


@dataclass(frozen=True, slots=True)
class Welcomed:
    """What a Welcome asks for. `cut_journal`: the shim may forget up to there; zero: nothing."""

    close: list[str]
    cancel: list[int]
    cut_journal: int


class Link:
    """Holdings and window together: what is told up, what is held, and when it may be forgotten.

    What must not be lost goes through `result`, `finished` and `ended`; what only informs goes through `say` and
    vanishes while there is no session, since Hello says it all again.
    """

    def __init__(self, window: Window | None = None) -> None:
        """Begin with nothing held and no session."""
        self.window = window or Window()
        self.holdings = Holdings()
        self.connected = False

    def welcomed(self, committed: int, keep: Iterable[str], cancel: Iterable[int]) -> Welcomed:
        """A session begins on a coordinator that has committed up to `committed`."""
        self.connected = True
        cut, gone = self.window.begin(committed)
        self._forget(gone)
        close, doomed = self.holdings.sort(keep, cancel)
        return Welcomed(close, doomed, cut)

    def lost(self) -> None:
        """The session is gone; what is held goes on."""
        self.connected = False

    def reborn(self) -> None:
        """The shim was started anew: nothing that it held goes on, and its numbers begin again."""
        self.connected = False
        self.holdings = Holdings()
        self.window.renumber()

    def result(self, attempt: int, part: object, *, shim_sequence: int = 0, size: int = 0) -> None:
        """One case of an attempt has its result."""
        self.window.result(attempt, part, shim_sequence=shim_sequence, size=size)

    def finished(self, attempt: int, payload: object, *, shim_sequence: int = 0) -> None:
        """An attempt has ended."""
        self.holdings.finish(attempt)
        self.window.finished(attempt, payload, shim_sequence=shim_sequence)

    def ended(self, allocation: str, payload: object, *, shim_sequence: int = 0) -> None:
        """An allocation has ended, or could not begin."""
        self.window.ended(allocation, payload, shim_sequence=shim_sequence)

    def say(self, payload: object, *, allocation: str = "") -> None:
        """Tell something that the next Hello would tell as well, or that may be lost."""
        if self.connected:
            self.window.say(payload, allocation=allocation)

    def acknowledged(self, sequence: int) -> int:
        """Messages up to `sequence` are committed. Answers how far the shim's journal may be cut; zero: no further."""
        cut, gone = self.window.acknowledge(sequence)
        self._forget(gone)
        return cut

    def _forget(self, gone: Iterable[Outgoing]) -> None:
        for message in gone:
            if message.kind is Kind.FINISHED:
                self.holdings.confirm_attempt(message.attempt)
            elif message.kind is Kind.ENDED:
                self.holdings.confirm_allocation(message.allocation)
