"""Each open case is in one attempt at a time, and a copy beside that has its reason."""

from __future__ import annotations

import math

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.last_cases import CopyAssigned, CopyEnded
from crossfleet.coordinator.core.outcomes import Cause
from tests.simulation.audits.books import Audit, AuditedAttempt, Books


class Attempts(Audit):
    """Attempts and copies, from assignment to end."""

    def __init__(self, books: Books) -> None:
        super().__init__(books)
        self._assigned: set[int] = set()

    def settle(self) -> None:
        """No copy outlives what it is a copy of, but to tell of its own verdict."""
        attempts = self._books.attempts
        for number, one in [(number, one) for number, one in attempts.items() if one.copy]:
            case, group = one.cases[0], self._books.groups[one.group_id]
            others = [two for two in attempts.values() if two.group_id == one.group_id and not two.copy]
            if case not in group.by_copy and not any(case in two.cases for two in others):
                self._wrong(f"attempt {number} is a copy of nothing")
            if case in group.verdicts and case not in group.by_copy:
                self._wrong(f"attempt {number} goes on, and its case has a verdict")

    def _TasksAssigned(self, event: e.TasksAssigned) -> None:
        attempts, group = self._books.attempts, self._books.groups[event.group_id]
        allocation = self._books.allocations[event.allocation_id]
        taken = {case for one in attempts.values() if one.group_id == event.group_id for case in one.cases}
        for task in event.tasks:
            if task.slot not in allocation.slots or event.worker_id != allocation.worker_id or group.over:
                self._wrong(f"attempt {task.attempt_id} has no place on slot {task.slot} of {event.allocation_id}")
            if (event.allocation_id, task.slot) in self._books.leaving:
                self._wrong(f"attempt {task.attempt_id} is on slot {task.slot}, which {event.allocation_id} gives back")
            for case in task.case_indices:
                if case in group.verdicts or case in taken:
                    self._wrong(f"case {case} of {event.group_id} is executed again in attempt {task.attempt_id}")
            self._number(task.attempt_id)
            attempts[task.attempt_id] = AuditedAttempt(
                event.group_id, event.allocation_id, event.worker_id, task.slot, task.case_indices
            )
            held = [one for one in attempts.values() if one.allocation_id == event.allocation_id]
            if sum(one.slot == task.slot for one in held) > 2:
                self._wrong(f"slot {task.slot} of {event.allocation_id} holds more than two attempts")

    def _CopyAssigned(self, event: CopyAssigned) -> None:
        """A copy is of a case that another host executes, has a slot for itself, and is one of the few that the run allows."""
        attempts, group, case = self._books.attempts, self._books.groups[event.group_id], event.case_index
        name = f"the copy {event.attempt_id} of case {case} of {event.group_id}"
        hosts = {one.worker_id for one in attempts.values() if one.group_id == event.group_id and case in one.cases}
        if case in group.verdicts or case in group.copied or not hosts or event.worker_id in hosts:
            self._wrong(f"{name} is not wanted")
        group.copied.add(case)
        if len(group.copied) > max(1, math.ceil(len(group.cases) * group.speculate / 100)) or not group.speculate:
            self._wrong(f"{name} is one too many")
        self._number(event.attempt_id)
        if (event.allocation_id, event.slot) in self._books.leaving:
            self._wrong(f"{name} is on a slot that is given back")
        place = (event.allocation_id, event.worker_id, event.slot)
        attempts[event.attempt_id] = AuditedAttempt(event.group_id, *place, (case,), copy=True)

    def _number(self, attempt_id: int) -> None:
        if attempt_id in self._assigned:
            self._wrong(f"attempt {attempt_id} exists twice")
        self._assigned.add(attempt_id)

    def _CopyEnded(self, event: CopyEnded) -> None:
        del self._books.attempts[event.attempt_id]
        if event.kept:
            self._assigned.discard(event.attempt_id)  # it is assigned again, as what it is now

    def _AttemptEnded(self, event: e.AttemptEnded) -> None:
        attempt = self._books.attempts.pop(event.attempt_id, None)
        if attempt is None:
            self._wrong(f"attempt {event.attempt_id} ended twice")
            return
        group = self._books.groups[event.group_id]
        if event.cause == Cause.CANCELLED and not group.by_copy.intersection(attempt.cases):
            self._wrong(f"attempt {event.attempt_id} was cancelled, and nobody had stopped its run")
        left = {case for case in attempt.cases if case not in group.verdicts}
        if left != set(event.left):
            self._wrong(f"attempt {event.attempt_id} leaves {sorted(event.left)}; open are {sorted(left)}")

    def _AttemptsRevoked(self, event: e.AttemptsRevoked) -> None:
        for number in event.attempt_ids:
            attempt = self._books.attempts.pop(number)
            group = self._books.groups[attempt.group_id]
            if any(case not in group.verdicts for case in attempt.cases):
                self._wrong(f"attempt {number} was revoked with open cases")
