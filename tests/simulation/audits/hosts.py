"""Few hosts are out, for a reason, and such a one gets its canary alone; a lost one had its lease."""

from __future__ import annotations

from collections import Counter

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.failures import RETRIED
from tests.simulation.audits.books import Audit, Books
from tests.simulation.leading import POLICY

_SILENT = "nothing was heard"
_PATIENT = 0.8  # of a lease: clocks may be fast


class Hosts(Audit):
    """Hosts that fail. It is asked before allocations and attempts leave the books."""

    def __init__(self, books: Books) -> None:
        super().__init__(books)
        self._out: set[str] = set()
        self._failures: Counter[str] = Counter()
        self._canaries: dict[str, int] = {}
        self._doubtful: set[str] = set()

    def settle(self) -> None:
        """What was opened on a host that is out is its canary, which the same commit says."""
        if self._doubtful:
            self._wrong(f"{sorted(self._doubtful)} were opened on hosts that are out")

    def _AllocationOpened(self, event: e.AllocationOpened) -> None:
        if event.worker_id in self._out:
            self._doubtful.add(event.allocation_id)

    def _CanaryOpened(self, event: e.CanaryOpened) -> None:
        if event.allocation_id not in self._doubtful:
            self._wrong(f"{event.allocation_id} is the canary of a host that is in service")
        self._doubtful.discard(event.allocation_id)
        self._canaries[event.allocation_id] = 0

    def _TasksAssigned(self, event: e.TasksAssigned) -> None:
        if event.allocation_id in self._canaries:
            self._canaries[event.allocation_id] += len(event.tasks)
            if self._canaries[event.allocation_id] > 1:
                self._wrong(f"the canary {event.allocation_id} got more than one task")

    def _AttemptEnded(self, event: e.AttemptEnded) -> None:
        attempt = self._books.attempts.get(event.attempt_id)
        if attempt is None or event.cause not in RETRIED:
            return
        self._failures[attempt.worker_id] += 1
        if event.charged and attempt.allocation_id in self._canaries:
            self._wrong(f"attempt {event.attempt_id} of a canary cost its cases a try")

    def _AllocationClosed(self, event: e.AllocationClosed) -> None:
        self._canaries.pop(event.allocation_id, None)
        self._failures[self._books.allocations[event.allocation_id].worker_id] += event.cause in RETRIED

    def _HealthChanged(self, event: e.HealthChanged) -> None:
        """No more than the policy's share are out but by hand, and one at least stays."""
        if event.device_id:
            return
        if not event.health.out:
            self._out.discard(event.worker_id)
        elif event.worker_id not in self._out:
            self._out.add(event.worker_id)
            hosts = len(self._world.hosts)
            if len(self._out) > max(1, int(hosts * POLICY.share)) or len(self._out) >= hosts:
                self._wrong(f"{sorted(self._out)} of {hosts} hosts are out")
            if not self._failures[event.worker_id]:
                self._wrong(f"{event.worker_id} is out, and nothing failed there")

    def _WorkerGone(self, event: e.WorkerGone) -> None:
        """Who takes over gives every worker a lease to come back in."""
        given = self._world.terms.led_for()
        if event.cause.startswith(_SILENT) and given < _PATIENT * self._world.lease:
            self._wrong(f"{event.worker_id} is given up {given:.3f} s after a take-over")
        self._failures[event.worker_id] += 1

    def _WorkerForgotten(self, event: e.WorkerForgotten) -> None:
        """Whoever comes back after that is new."""
        self._out.discard(event.worker_id)
