"""What workers and clients are told is stored, and nothing that counts is taken from under a worker."""

from __future__ import annotations

from typing import Any

from crossfleet.worker.core.records import Kind, Outgoing
from tests.simulation.audits.books import Audit


class Answers(Audit):
    """Called at the far end, by whoever was told."""

    def acknowledged(self, worker: str, message: Outgoing) -> None:
        """A worker forgets a message: what it said must be in the store, or be of no interest any more."""
        live = self._books.attempts_on(worker)
        if message.kind is Kind.FINISHED and message.attempt in live:
            self._wrong(f"the end of attempt {message.attempt} was acknowledged and is not stored")
        opened = self._books.allocations.get(message.allocation) if message.kind is Kind.ENDED else None
        if opened is not None and opened.worker_id == worker:
            self._wrong(f"the end of allocation {message.allocation} was acknowledged and is not stored")
        attempt = live.get(message.attempt) if message.kind is Kind.RESULTS else None
        if attempt is None:
            return
        group = self._books.groups[attempt.group_id]
        suite = self._world.suite_of(group.run_id)
        for part in message.parts:
            number: Any = part
            case_id = suite.collection(worker)[number.case_index]
            index = group.cases.index(case_id) if case_id in group.cases else -1
            if index in attempt.cases and index not in group.verdicts:
                self._wrong(f"a result of {case_id} in attempt {message.attempt} was acknowledged and is not stored")

    def answered(self, request_id: str, run_id: str) -> None:
        """A client was told which run its request made."""
        if self._books.requests.get(request_id) != run_id:
            self._wrong(f"{request_id} was answered with {run_id}; stored is {self._books.requests.get(request_id)}")

    def stopped(self, run_id: str) -> None:
        """A client was told that its run is being stopped."""
        if run_id not in self._books.stopping and self._books.runs[run_id] is None:
            self._wrong(f"{run_id} was said to stop, and nothing of it is stored")

    def cancelled(self, worker: str, attempt: int) -> None:
        """A worker was told to end an attempt: nothing that counts is taken from under it."""
        if attempt in self._books.attempts_on(worker):
            self._wrong(f"{worker} was told to cancel attempt {attempt}, which is current")

    def closed(self, worker: str, allocation: str) -> None:
        """A worker was told to give an allocation back."""
        opened = self._books.allocations.get(allocation)
        if opened is not None and opened.worker_id == worker and allocation not in self._books.closing:
            self._wrong(f"{worker} was told to close {allocation}, which is current")
