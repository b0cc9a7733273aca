"""Cases that run much longer than expected are executed a second time, by slots of other hosts that have nothing else to do."""

from __future__ import annotations

from dataclasses import dataclass

from crossfleet.coordinator.core.copies import copies_left
from crossfleet.coordinator.core.dispatching import feed_asking
from crossfleet.coordinator.core.emitter import Emitter
from crossfleet.coordinator.core.last_cases import CopyAssigned
from crossfleet.coordinator.core.model import Allocation, Attempt, Group, Slot, State, Worker
from crossfleet.coordinator.core.outcomes import RunState, WorkerState

# What lasts so many times as long as expected on its slot is later than of a thousand executions any: durations of one case
# differ by a third (one sigma), seldom by half. Below so many seconds the second execution would gain nothing.
_TIMES, _LEAST_SECONDS = 4.0, 3.0
# A worker that has just come back may have results of before on their way.
_SETTLED_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Straggler:
    """A case that has been running for so many seconds, `times` what was expected."""

    attempt: Attempt
    case: int
    running: float
    times: float


def speculate(emit: Emitter) -> None:
    """Time went by: look for stragglers where a run asks for that."""
    for group in list(emit.state.groups.values()):
        if group.copied and not group.over:
            feed_asking(emit, group)
        if may_copy(emit.state, group):
            _copy(emit, group)


def may_copy(state: State, group: Group) -> bool:
    """Whether all cases of a group are with slots, and some may be executed a second time."""
    open_ = group.collected and not group.over and state.runs[group.run_id].state < RunState.STOPPING
    return open_ and bool(group.attempts) and not group.queue.count and copies_left(state, group) > 0


def _copy(emit: Emitter, group: Group) -> None:
    late = stragglers(emit.state, group, emit.now)
    idle = _idle(emit.state, group) if late else []
    left = copies_left(emit.state, group)
    for straggler in late:
        here = _host(emit.state, straggler.attempt.worker_id)
        found = next(
            (
                (allocation, slot)
                for allocation, slot in idle
                if _host(emit.state, allocation.worker_id) != here and _has(allocation, straggler.case)
            ),
            None,
        )
        if found is None or not left:
            continue
        idle.remove(found)
        left -= 1
        allocation, slot = found
        names = (group.run_id, group.group_id, allocation.allocation_id, allocation.worker_id)
        numbers = (emit.state.next_attempt, straggler.attempt.task_id, slot.number, straggler.case)
        emit(CopyAssigned(*names, *numbers, straggler.running, emit.now))


def stragglers(state: State, group: Group, now: float) -> list[Straggler]:
    """Cases that last, and may be copied, the latest first."""
    found = []
    for attempt in (state.attempts[attempt_id] for attempt_id in sorted(group.attempts)):
        slot = state.allocations[attempt.allocation_id].slots[attempt.slot]
        if attempt.copy or not attempt.pending or slot.attempts[0] != attempt.attempt_id:
            continue
        case = next(index for index in attempt.cases if index in attempt.pending)
        if _settled(state.workers.get(attempt.worker_id), now) and _known(group, case):
            running = now - slot.heard_at
            times = running * slot.pace.speed / group.queue.estimates[case]
            if running >= _LEAST_SECONDS and times >= _TIMES:
                found.append(Straggler(attempt, case, running, times))
    return sorted(found, key=lambda one: -one.times)


def _known(group: Group, case: int) -> bool:
    """Whether it was measured, has no story of failures, and need not stay where others are."""
    told = case in group.copied or case in group.earlier or case in group.struck
    return case < len(group.cases) and not told and case not in group.unmeasured and not group.queue.is_bound(case)


def _settled(worker: Worker | None, now: float) -> bool:
    return worker is not None and worker.state is WorkerState.READY and now - worker.joined_at >= _SETTLED_SECONDS


def _idle(state: State, group: Group) -> list[tuple[Allocation, Slot]]:
    """Slots that have nothing to do, the fastest first."""
    found = []
    for allocation in (state.allocations[allocation_id] for allocation_id in sorted(group.allocations)):
        worker = state.workers.get(allocation.worker_id)
        if allocation.ready and not allocation.closing and worker is not None and worker.state is WorkerState.READY:
            found += [(allocation, slot) for slot in allocation.slots.values() if not slot.attempts]
    return sorted(found, key=lambda one: -one[1].pace.speed)


def _has(allocation: Allocation, case: int) -> bool:
    return allocation.local_of is None or case in allocation.local_of


def _host(state: State, worker_id: str) -> str:
    """Workers of one machine have one."""
    worker = state.workers.get(worker_id)
    return (worker.view.host if worker is not None else "") or worker_id
