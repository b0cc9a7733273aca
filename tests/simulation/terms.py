"""Terms of leadership as they are in truth: no two leaders may decide at once while clocks and etcd keep their bounds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from crossfleet.coordinator.election.port import Term
from crossfleet.coordinator.ledger.store import Head
from tests.simulation.loop import Process


class Terms:
    """Every term that was won, with the process that holds it."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self._held: list[tuple[Process, Term]] = []
        self._lawless_until = 0.0
        self._last, self._since = Head(), 0.0
        self.pause_next = 0.0
        """For how long whoever is elected next stands still before it takes over."""

    def suspend(self, until: float) -> None:
        """Somebody broke what an election relies on: a clock beyond its bounds, a restored etcd, a lease taken away."""
        self._lawless_until = max(self._lawless_until, until)

    def won(self, coordinator: Any, term: Term) -> None:
        """A coordinator was elected."""
        self._world.note(coordinator.name, "elected", term.revision)
        self._held.append((coordinator.process, term))
        self.check()
        if self.pause_next:
            coordinator.pause(self.pause_next)
            self.pause_next = 0.0

    def took_over(self, head: Head) -> None:
        """An epoch was raised: by one, and by a later election than the last, unless an operator has had a hand in it."""
        if head.epoch != self._last.epoch + 1:
            self._world.violate(f"epoch {head.epoch} follows {self._last.epoch}")
        if head.election_revision <= self._last.election_revision:
            self._world.violate(
                f"{head.leader} took over under revision {head.election_revision} after {self._last.election_revision}"
            )
        self._last, self._since = head, self._world.loop.now

    def led_for(self) -> float:
        """Seconds since the last take-over; without end where no clock can be relied on."""
        now: float = self._world.loop.now
        return now - self._since if now >= self._lawless_until else float("inf")

    def forgive(self) -> None:
        """The operator resets the election: earlier revisions count again."""
        self._last = replace(self._last, election_revision=0)

    def check(self) -> None:
        """Look at every term that may not be over."""
        self._held = [(process, term) for process, term in self._held if process.alive]
        if len(self._held) < 2 or self._world.loop.now < self._lawless_until:
            return
        deciding = [process.name for process, term in self._held if process.ask(term.remaining) > 0]
        if len(deciding) > 1:
            self._world.violate(f"{' and '.join(deciding)} may decide at once")
