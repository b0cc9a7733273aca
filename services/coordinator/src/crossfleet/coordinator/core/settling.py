"""What follows when work has ended: attempts give back their cases, groups and runs come to their end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core import retry, verdict
from crossfleet.coordinator.core.blame import strike
from crossfleet.coordinator.core.copies import copies_left, end_copies, end_copy, keep_copies
from crossfleet.coordinator.core.emitter import Emitter
from crossfleet.coordinator.core.failures import RETRIED
from crossfleet.coordinator.core.inputs import judge_inputs
from crossfleet.coordinator.core.limits import settle_limits
from crossfleet.coordinator.core.model import Allocation, Attempt, Group, State
from crossfleet.coordinator.core.needs import settle_needs
from crossfleet.coordinator.core.outcomes import Cause, Ending, Outcome, RerunPlacement, RunState

MOST_CAUSE_BYTES = 500


def end_attempt(
    emit: Emitter, attempt: Attempt, cause: Cause, message: str = "", peak_memory: int = 0, *, free: bool = False
) -> None:
    """End an attempt. Cases without a verdict go back to the queue, or end as not run when their tries are spent.

    One whose copy goes on is left to that. One that was executing as its host was lost, and on others too, has crashed.
    `free`: costs no try, whatever the cause;
    so does what infrastructure does to a canary.
    """
    group = emit.state.groups[attempt.group_id]
    if attempt.copy:
        end_copy(emit, attempt, cause, message, peak_memory)
        return
    crashed = -1
    if not free:
        suspected = strike(emit, group, attempt, cause)
        if suspected:
            crashed = first = next(index for index in attempt.cases if index in attempt.pending)
            finish_without_result(emit, group, [first], Outcome.CRASHED, suspected, attempt)
        canary = emit.state.allocations[attempt.allocation_id].canary and cause in RETRIED
        free = canary or bool(suspected and retry.blames_first(cause))
    # One that was to be run again keeps its earlier verdict, which is of another attempt.
    pending = attempt.pending - {crashed}
    left: Sequence[int] = [index for index in attempt.cases if index in pending] if pending else ()
    charged = bool(left) and not free and retry.charges(cause, attempt.settled)
    if charged:
        most = emit.state.runs[attempt.run_id].policy.max_attempts
        gone = {index for index in retry.charged_cases(cause, left) if retry.spent(group.tries.get(index, 0), most)}
        # Cases that showed during execution cannot be asked for again.
        gone.update(index for index in left if index >= len(group.cases))
        gone.difference_update(group.copies)
        if gone:
            charged = bool(set(retry.charged_cases(cause, left)) - gone)
            give_up(emit, group, [index for index in left if index in gone], cause, message, attempt)
            left = [index for index in left if index not in gone]
    emit(
        e.AttemptEnded(
            attempt.run_id,
            attempt.group_id,
            attempt.attempt_id,
            cause,
            message,
            tuple(left),
            charged,
            peak_memory,
            emit.now,
        )
    )
    if group.copies:
        keep_copies(emit, group, left)


def give_up(
    emit: Emitter, group: Group, indices: Iterable[int], cause: Cause, message: str, attempt: Attempt | None = None
) -> None:
    """Cases end as not run."""
    text = f"{cause.name.lower()}: {message}" if message else cause.name.lower()
    finish_without_result(emit, group, indices, Outcome.NOT_RUN, text, attempt)


def finish_without_result(
    emit: Emitter, group: Group, indices: Iterable[int], outcome: Outcome, text: str, attempt: Attempt | None = None
) -> None:
    """Cases get a verdict that no execution gave. One that was to be run again stays what it was: it did fail."""
    where = (attempt.attempt_id, attempt.worker_id, attempt.slot) if attempt else (0, "", 0)
    indices = list(indices)
    end_copies(emit, group, indices, text)
    cases = []
    for index in indices:
        earlier = group.earlier.get(index)
        cases.append(
            replace(earlier[-1], attempt_id=0) if earlier else e.FinishedCase(index, outcome, 0.0, text, *where)
        )
    if cases:
        emit(e.CasesFinished(group.run_id, group.group_id, tuple(cases), (), emit.now))


def settle_group(emit: Emitter, group: Group) -> None:
    """Close what has nothing left to do; finish the group when nothing is pending or running."""
    if group.over or not group.collected:
        return
    if group.queue.count:
        for allocation in map(emit.state.allocations.__getitem__, sorted(group.renumbered)):
            if not allocation.closing and not allocation.live and useless(group, allocation):
                close(emit, allocation, "none of the cases that are left exists there")
        return
    if not group.attempts and not group.open_cases:
        _finish_settled(emit, group)
        return
    if idle_needed(emit.state, group):
        return
    for allocation in open_allocations(emit, group):
        if not allocation.live:
            close(emit, allocation, "nothing is left for it")


def idle_needed(state: State, group: Group) -> int:
    """How many idle slots are kept: for cases that rest, or that run and may fail or last too long, and be wanted elsewhere."""
    policy = state.runs[group.run_id].policy
    elsewhere = policy.rerun_placement is not RerunPlacement.SAME
    reruns = elsewhere and bool(group.attempts) and bool(policy.max_reruns or group.marks)
    if group.resting or reruns:
        return group.open_cases
    return min(group.open_cases, copies_left(state, group)) if group.attempts else 0


def _finish_settled(emit: Emitter, group: Group) -> None:
    """Every case has its verdict; where there was none to execute, the end of the suite says so."""
    none = not group.cases and set(group.outcomes) <= {Outcome.SKIPPED}
    nothing = "" if group.outcomes else "no tests were collected"
    finish_group(emit, group, nothing, ending=Ending.NO_CASES if none else Ending.UNSPECIFIED)


def useless(group: Group, allocation: Allocation) -> bool:
    """Whether its worker collected other cases, and none of those that are pending."""
    known = allocation.local_of
    return known is not None and not any(index in known for index in group.queue.pending())


def open_allocations(emit: Emitter, group: Group) -> list[Allocation]:
    """The group's allocations that are not being given back, in the order of their ids."""
    found = [emit.state.allocations[allocation_id] for allocation_id in sorted(group.allocations)]
    return [allocation for allocation in found if not allocation.closing]


def close(emit: Emitter, allocation: Allocation, cause: str) -> None:
    """Give an allocation back: nothing new starts there. Slots that wait are told that nothing follows."""
    emit(e.AllocationClosing(allocation.run_id, allocation.allocation_id, cause))
    waiting = tuple(slot.number for slot in allocation.slots.values() if slot.wanting and slot.attempts)
    if waiting:
        emit(e.SlotsReleased(allocation.run_id, allocation.allocation_id, allocation.worker_id, waiting))


def close_gang(emit: Emitter, group: Group, cause: str) -> None:
    """Give back what is left of a gang: without one of its workers it is none, and only a whole one is placed again."""
    for allocation in open_allocations(emit, group):
        close(emit, allocation, cause)


def finish_group(
    emit: Emitter,
    group: Group,
    cause: str = "",
    *,
    failed: bool = False,
    infrastructure: bool = False,
    ending: Ending = Ending.UNSPECIFIED,
) -> None:
    """The group is over; its slots are given back, and its run ends with its last group.

    The first line of `cause` is the cause, what follows it the details.
    """
    line, details = first_line(cause)
    if ending or details:
        emit(e.SuiteEnded(group.run_id, group.group_id, ending, details))
    emit(e.GroupFinished(group.run_id, group.group_id, failed, line, emit.now, infrastructure))
    judge_inputs(emit, group)
    for allocation in open_allocations(emit, group):
        close(emit, allocation, "the group is over")
    release_dependents(emit, group.run_id)
    settle_run(emit, group.run_id)


def release_dependents(emit: Emitter, run_id: str) -> None:
    """Something of the run is over: what needs it goes on or is skipped, and what waits for a semaphore may have its turn."""
    run = emit.state.runs[run_id]
    for group, cause in settle_needs(emit, run):
        if not group.over:
            _skip_group(emit, group, cause)
    settle_limits(emit)


def _skip_group(emit: Emitter, group: Group, cause: str) -> None:
    """The group ends without having been begun; cases that its client named are skipped."""
    emit(e.GroupSkipped(group.run_id, group.group_id))
    pending = [index for index, outcome in enumerate(group.outcomes) if not outcome]
    finish_without_result(emit, group, pending, Outcome.SKIPPED, cause)
    finish_group(emit, group, cause)


def first_line(text: str) -> tuple[str, str]:
    """The first line of a text, of at most MOST_CAUSE_BYTES, and what it leaves out; the latter is empty or whole."""
    line, _, rest = text.strip().partition("\n")
    line = line.strip()
    if len(line.encode()) <= MOST_CAUSE_BYTES:
        return line, rest.strip("\n")
    return line.encode()[: MOST_CAUSE_BYTES - 3].decode("utf-8", "ignore") + "...", text.strip()


def fail_group(
    emit: Emitter, group: Group, cause: str, *, infrastructure: bool, ending: Ending = Ending.UNSPECIFIED
) -> None:
    """The group cannot be carried out: cases without a verdict end as not run."""
    pending = [index for index, outcome in enumerate(group.outcomes) if not outcome]
    finish_without_result(emit, group, pending, Outcome.NOT_RUN, first_line(cause)[0])
    revoke(emit, group)
    finish_group(emit, group, cause, failed=True, infrastructure=infrastructure, ending=ending)


def revoke(emit: Emitter, group: Group) -> None:
    """The group's live attempts no longer count; their cases must have a verdict."""
    by_worker: dict[str, list[int]] = {}
    for attempt_id in sorted(group.attempts):
        by_worker.setdefault(emit.state.attempts[attempt_id].worker_id, []).append(attempt_id)
    for worker_id, attempt_ids in by_worker.items():
        emit(e.AttemptsRevoked(group.run_id, worker_id, tuple(attempt_ids)))


def settle_run(emit: Emitter, run_id: str) -> None:
    """Conclude a run whose groups are all over."""
    run = emit.state.runs[run_id]
    groups = [emit.state.groups[group_id] for group_id in run.groups]
    if run.state is not RunState.FINISHED and all(group.over for group in groups):
        conclusion, cause = verdict.conclude(run, groups)
        emit(e.RunFinished(run_id, conclusion, cause, emit.now))
