"""What workers report: slots that want work, results, ends of attempts and allocations. Resent reports change nothing."""

from __future__ import annotations

from collections.abc import Iterator

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.allocations import allocation_ended
from crossfleet.coordinator.core.answers import ReportAnswer
from crossfleet.coordinator.core.blame import blame, devices_of, executing, subject
from crossfleet.coordinator.core.commands import (
    AttemptFinished,
    AttemptResults,
    CaseOutcome,
    WantTasks,
    WorkerReport,
)
from crossfleet.coordinator.core.copies import COUNTS, end_copies, end_copy, end_first, story
from crossfleet.coordinator.core.dispatching import feed, feed_asking, feed_group, feed_waiting_for_quiet, pending
from crossfleet.coordinator.core.emitter import Emitter
from crossfleet.coordinator.core.model import Allocation, Attempt, Group
from crossfleet.coordinator.core.outcomes import BAD, Cause, Outcome
from crossfleet.coordinator.core.reruns import runs_again, shown
from crossfleet.coordinator.core.seeking import seek
from crossfleet.coordinator.core.settling import end_attempt, settle_group
from crossfleet.coordinator.core.stopping import stop_at_failure_limit


def want_tasks(emit: Emitter, command: WantTasks) -> None:
    """Feed slots, or tell them that nothing follows. What is not ready, or not the worker's, is ignored."""
    allocation = emit.state.allocations.get(command.allocation_id)
    if allocation is None or allocation.worker_id != command.worker_id or not allocation.ready:
        return
    group = emit.state.groups[allocation.group_id]
    feed(emit, group, allocation, [number for number in command.slots if number in allocation.slots])
    settle_group(emit, group)


def worker_report(emit: Emitter, command: WorkerReport) -> ReportAnswer:
    """Record results and ends in their order, then feed who wants more. Results that no longer count are named in the answer."""
    stale: dict[int, None] = {}
    touched: dict[str, None] = {}
    for item in command.items:
        if isinstance(item, AttemptResults):
            attempt = _live(emit, command.worker_id, item.attempt_id)
            if attempt is not None:
                touched[attempt.group_id] = None
                (_record_copy if attempt.copy else _record)(emit, attempt, item.results)
            elif item.attempt_id in emit.state.revoked:
                stale[item.attempt_id] = None
        elif isinstance(item, AttemptFinished):
            attempt = _live(emit, command.worker_id, item.attempt_id)
            if attempt is not None:
                touched[attempt.group_id] = None
                _finish(emit, attempt, item)
            # One that was revoked has ended now: there is nothing left to cancel.
            stale.pop(item.attempt_id, None)
        else:
            group_id = allocation_ended(emit, command.worker_id, item)
            if group_id:
                touched[group_id] = None
    for group_id in touched:
        settle_group(emit, emit.state.groups[group_id])
    for want in command.wants:
        want_tasks(emit, want)
    return ReportAnswer(tuple(stale))


def _live(emit: Emitter, worker_id: str, attempt_id: int) -> Attempt | None:
    attempt = emit.state.attempts.get(attempt_id)
    return attempt if attempt is not None and attempt.worker_id == worker_id else None


def _record(emit: Emitter, attempt: Attempt, results: tuple[CaseOutcome, ...]) -> None:
    """The first committed result of a case counts, unless it failed and is run again; others are ignored."""
    run, group = emit.state.runs[attempt.run_id], emit.state.groups[attempt.group_id]
    settled: tuple[list[e.FinishedCase], list[tuple[int, bytes]]] = ([], [])
    failed: tuple[list[e.FinishedCase], list[tuple[int, bytes]]] = ([], [])
    where = (attempt.attempt_id, attempt.worker_id, attempt.slot)
    for index, result in _fresh(emit, attempt, group, results):
        outcome, message = result.outcome, result.message
        if index in group.earlier:
            outcome, message = shown(group.earlier[index], result)
        if outcome is Outcome.TIMED_OUT and group.limit(index):
            message = f"{message}, which was learnt from earlier runs"
        cases, payloads = failed if outcome in BAD and runs_again(run, group, index, result) else settled
        cases.append(e.FinishedCase(index, outcome, result.seconds, message, *where, result.process, result.position))
        if result.payload:
            payloads.append((index, result.payload))
    names = (attempt.run_id, attempt.group_id)
    if group.copies:
        showed = [case.case_index for case in (*failed[0], *settled[0])]
        end_copies(emit, group, showed, f"{attempt.worker_id} was first")
    if failed[0]:
        emit(e.CasesRerun(*names, tuple(failed[0]), tuple(failed[1]), emit.now))
        seek(emit, group, [case.case_index for case in failed[0]])
    if settled[0]:
        emit(e.CasesFinished(*names, tuple(settled[0]), tuple(settled[1]), emit.now))
        stop_at_failure_limit(emit, run)
    if failed[0]:
        feed_group(emit, group)
    if group.copied:
        feed_asking(emit, group)
    allocation = emit.state.allocations.get(attempt.allocation_id)
    if allocation is not None and allocation.slots[attempt.slot].wanting:
        _feed_last(emit, group, allocation, attempt.slot)


def _record_copy(emit: Emitter, copy: Attempt, results: tuple[CaseOutcome, ...]) -> None:
    """A result of a second execution counts where the case passes, and ends the first one; any other is left to that."""
    group = emit.state.groups[copy.group_id]
    where = (copy.attempt_id, copy.worker_id, copy.slot)
    for index, one in _fresh(emit, copy, group, tuple(one for one in results if not one.added_case_id)):
        if one.outcome not in COUNTS:
            end_copy(emit, copy, Cause.DONE, f"{one.outcome.name.lower()}, which a second execution does not decide")
            return
        told = story(emit, group, copy)
        case = e.FinishedCase(index, one.outcome, one.seconds, told, *where, one.process, one.position)
        payloads = ((index, one.payload),) if one.payload else ()
        emit(e.CasesFinished(copy.run_id, copy.group_id, (case,), payloads, emit.now))
        end_first(emit, group, copy)
        feed_group(emit, group)
        feed_asking(emit, group)


def _feed_last(emit: Emitter, group: Group, allocation: Allocation, number: int) -> None:
    """A slot that waits for what follows has come to its last case, which it holds back."""
    if not group.over and pending(emit.state, allocation.slots[number]) == 1:
        feed(emit, group, allocation, (number,))


def _fresh(
    emit: Emitter, attempt: Attempt, group: Group, results: tuple[CaseOutcome, ...]
) -> Iterator[tuple[int, CaseOutcome]]:
    """Results of cases that have no verdict and are the attempt's, with their canonical indices, each case once."""
    mapping = emit.state.allocations[attempt.allocation_id].mapping
    seen: set[int] = set()
    added = [result.added_case_id for result in results if result.added_case_id]
    if added:
        _add(emit, group, added)
    for result in results:
        index = result.case_index
        if result.added_case_id:
            index = group.added[result.added_case_id]
            fresh = not group.outcomes[index]
        else:
            if mapping:
                index = mapping[index] if 0 <= index < len(mapping) else -1
            fresh = index in attempt.pending
        if not fresh or index in seen:
            continue
        seen.add(index)
        yield index, result


def _add(emit: Emitter, group: Group, case_ids: list[str]) -> None:
    unknown = tuple(dict.fromkeys(case_id for case_id in case_ids if case_id not in group.added))
    if unknown:
        emit(e.CasesAdded(group.run_id, group.group_id, unknown))


def _finish(emit: Emitter, attempt: Attempt, item: AttemptFinished) -> None:
    group = emit.state.groups[attempt.group_id]
    if item.cause is not Cause.HOST_LOST:  # said by a worker, it means that it leaves
        case = executing(emit, attempt)
        subjects = () if case is None else (subject(group, case),)
        blame(emit, attempt.worker_id, item.cause, subjects, devices_of(emit, attempt))
    end_attempt(emit, attempt, item.cause, item.message, item.peak_memory)
    stop_at_failure_limit(emit, emit.state.runs[attempt.run_id])
    allocation = emit.state.allocations[attempt.allocation_id]
    if attempt.pending:
        # Cases came back: whoever is idle takes them.
        feed_group(emit, group)
    slot = allocation.slots[attempt.slot]
    if slot.wanting or (not slot.attempts and group.queue.count):
        feed(emit, group, allocation, (slot.number,))
    feed_waiting_for_quiet(emit, attempt.run_id)
