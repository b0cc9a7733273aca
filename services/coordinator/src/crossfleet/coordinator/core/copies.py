"""What holds of a case that is executed a second time: its copy can only spare time, and no result counts twice.

A copy counts where its case passes before the first execution has shown anything; that one is ended then. Whatever else the copy
shows is left to the first execution, which may have been disturbed by it less than it by the first. A first execution that ends
without a result, since its host is lost, leaves the case to the copy, which is an attempt like others from then on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.emitter import Emitter
from crossfleet.coordinator.core.last_cases import CopyEnded
from crossfleet.coordinator.core.model import Attempt, Group, State
from crossfleet.coordinator.core.outcomes import Cause, Outcome

COUNTS = frozenset({Outcome.PASSED, Outcome.XFAILED, Outcome.XPASSED})
"""What a copy may show so that it counts."""


def copies_left(state: State, group: Group) -> int:
    """How many more cases of a group may be copied: none of benchmarks, gangs, or where nobody knows how long they take."""
    run, request = state.runs[group.run_id], group.target.request
    kind = request.runner or run.runner
    if not run.policy.speculate or run.measures or request.exclusive or request.gang > 1 or kind == "command":
        return 0
    if not group.estimates_known:
        return 0
    return max(math.ceil(len(group.cases) * run.policy.speculate / 100) - len(group.copied), 0)


def end_copy(
    emit: Emitter, copy: Attempt, cause: Cause, message: str, peak_memory: int = 0, *, revoked: bool = False
) -> None:
    """A copy is over; `revoked`: its worker does not know that yet."""
    names = (copy.run_id, copy.group_id, copy.worker_id, copy.attempt_id)
    emit(CopyEnded(*names, cause, message, peak_memory, emit.now, revoked=revoked))


def end_copies(emit: Emitter, group: Group, cases: Iterable[int], why: str) -> None:
    """Cases have shown something, or are to show nothing more: their copies are ended."""
    for case in [case for case in cases if case in group.copies]:
        end_copy(emit, emit.state.attempts[group.copies[case]], Cause.CANCELLED, why, revoked=True)


def story(emit: Emitter, group: Group, copy: Attempt) -> str:
    """What a verdict says that a copy has given."""
    first = _first(emit.state, group, copy)
    where = f"executed a second time, on {copy.worker_id}"
    if first is None:
        return where
    slot = emit.state.allocations[first.allocation_id].slots[first.slot]
    return f"{where}: on {first.worker_id} it had lasted {emit.now - slot.heard_at:.0f} s"


def end_first(emit: Emitter, group: Group, copy: Attempt) -> None:
    """The case of a copy has its verdict: the other execution is ended, what else it had is pending again."""
    case = copy.cases[0]
    first = _first(emit.state, group, copy)
    if first is not None:
        left = tuple(index for index in first.cases if index in first.pending and index != case)
        text = f"{group.case_id(case)} passed on {copy.worker_id}, where it was executed a second time"
        names = (first.run_id, first.group_id, first.attempt_id)
        emit(e.AttemptEnded(*names, Cause.CANCELLED, text, left, False, 0, emit.now))


def _first(state: State, group: Group, copy: Attempt) -> Attempt | None:
    """The other attempt of a copy's case."""
    attempts = (state.attempts[attempt_id] for attempt_id in sorted(group.attempts))
    return next((one for one in attempts if one is not copy and copy.cases[0] in one.pending), None)


def keep_copies(emit: Emitter, group: Group, cases: Iterable[int]) -> None:
    """Cases are pending again while their copies go on: these are their executions now."""
    for case in [case for case in cases if case in group.copies]:
        copy = emit.state.attempts[group.copies[case]]
        names = (copy.run_id, copy.group_id)
        emit(CopyEnded(*names, copy.worker_id, copy.attempt_id, Cause.UNSPECIFIED, "", 0, emit.now, kept=True))
        task = e.AssignedTask(copy.attempt_id, copy.task_id, copy.slot, copy.cases, last=True)
        emit(e.TasksAssigned(*names, copy.allocation_id, copy.worker_id, (task,), emit.now))
