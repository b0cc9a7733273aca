"""How facts about runs, their groups and cases change the state."""

from __future__ import annotations

from crossfleet.coordinator.core import durations, evolve_inputs, evolve_quotas
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.evolve_work import share_pace
from crossfleet.coordinator.core.grouping import setup_keys
from crossfleet.coordinator.core.last_cases import LimitsLearnt
from crossfleet.coordinator.core.model import Attempt, Group, Run, State
from crossfleet.coordinator.core.outcomes import BAD, GroupState, Outcome, RunState
from crossfleet.coordinator.core.placement import whence
from crossfleet.coordinator.core.queue import CaseQueue
from crossfleet.coordinator.core.rerun_facts import RerunsSought
from crossfleet.coordinator.core.whereabouts import offer_again, whereabouts_of


def run_submitted(state: State, event: e.RunSubmitted) -> None:
    """A run and its waiting groups exist."""
    group_ids = tuple(f"{event.run_id}/{target.name}" for target in event.targets)
    state.runs[event.run_id] = Run(
        event.run_id,
        event.request_id,
        event.fingerprint,
        event.project,
        event.suite,
        event.runner,
        event.priority,
        event.policy,
        event.seed,
        event.spec,
        event.traceparent,
        event.at,
        group_ids,
    )
    whereabouts = whereabouts_of(event.targets, event.at)
    for position, (group_id, target) in enumerate(zip(group_ids, event.targets, strict=True)):
        where = whereabouts.get(target.name)
        state.groups[group_id] = Group(group_id, event.run_id, target, position, whereabouts=where)
        if target.request.semaphores:
            state.sharing[group_id] = None
    evolve_quotas.submitted(state, event.project, group_ids)
    evolve_inputs.submitted(state, event)
    if whereabouts:
        state.runs[event.run_id].shifting = True
        offer_again(state, state.runs[event.run_id])
    state.requests[event.request_id] = (event.run_id, event.fingerprint)


def cases_collected(state: State, event: e.CasesCollected) -> None:
    """All cases of the group are pending."""
    group = state.groups[event.group_id]
    total = len(event.cases)
    group.collected = True
    group.given = not group.allocations
    group.digest = event.digest
    group.deselected = event.deselected
    group.cases = event.cases
    group.outcomes = bytearray(total)
    group.seconds.extend([0.0] * total)
    group.counts[Outcome.PENDING] = total
    files = [case.groups[0] if case.groups else "" for case in event.cases] if event.estimates else [""] * total
    estimates, group.estimates_known = durations.fill_unknown(event.estimates, files)
    shared = setup_keys(event.cases, state.runs[event.run_id].policy.grouping)
    exclusive = {index for index, case in enumerate(event.cases) if case.exclusive}
    group.measures = bool(exclusive)
    state.runs[event.run_id].measures |= group.measures
    group.unmeasured = frozenset(index for index, seconds in enumerate(event.estimates) if seconds <= 0)
    group.queue = CaseQueue(shared.keys, estimates, shared.bound, shared.first, exclusive)
    if group.allocations:
        group.state = GroupState.RUNNING
    if group.estimates_known:
        for allocation_id in group.allocations:
            share_pace(state.allocations[allocation_id])


def limits_learnt(state: State, event: LimitsLearnt) -> None:
    """Cases have time limits of their own."""
    state.groups[event.group_id].limits = event.seconds


def cases_added(state: State, event: e.CasesAdded) -> None:
    """Cases that only showed when they were executed; they are never pending in the queue."""
    group = state.groups[event.group_id]
    group.collected = True
    for case_id in event.case_ids:
        group.added[case_id] = len(group.outcomes)
        group.outcomes.append(Outcome.PENDING)
        group.seconds.append(0.0)
        group.counts[Outcome.PENDING] += 1


def cases_finished(state: State, event: e.CasesFinished) -> None:
    """Cases have their verdict; what slots took for them tells their speed."""
    group = state.groups[event.group_id]
    run = state.runs[event.run_id]
    outcomes, counts = group.outcomes, group.counts
    unqueued = []
    for case in event.cases:
        index, outcome = case.case_index, case.outcome
        outcomes[index] = outcome
        counts[Outcome.PENDING] -= 1
        counts[outcome] += 1
        if outcome in BAD:
            run.failures += 1
        group.earlier.pop(index, None)
        group.failed_models.pop(index, None)
        attempt = state.attempts.get(case.attempt_id)
        if attempt is None:
            if not case.attempt_id and index < len(group.cases):
                unqueued.append(index)
            continue
        attempt.pending.discard(index)
        if outcome is Outcome.NOT_RUN:
            continue
        group.seconds[index] = case.seconds
        _executed(state, group, attempt, case, event.at)
    if unqueued:
        _unqueue(group, unqueued)


def _executed(state: State, group: Group, attempt: Attempt, case: e.FinishedCase, at: float) -> None:
    """An attempt has shown something, and its slot how fast it is."""
    attempt.settled += 1
    group.failures = 0
    allocation = state.allocations[attempt.allocation_id]
    if not allocation.proved:
        allocation.proved = True
        state.warmth.note(group.suite(state.runs[group.run_id]), group.target, attempt.worker_id)
    estimates = group.queue.estimates
    if case.case_index < len(estimates):
        slot = allocation.slots[attempt.slot]
        estimate = estimates[case.case_index]
        attempt.seconds -= estimate
        slot.heard_at = at
        slot.pace.note(estimate, case.seconds, known=group.estimates_known)
        group.shown.note(estimate, case.seconds, measured=group.measured(case.case_index))


def reruns_marked(state: State, event: e.RerunsMarked) -> None:
    """Cases have limits of their own."""
    state.groups[event.group_id].marks.update(event.marks)


def cases_rerun(state: State, event: e.CasesRerun) -> None:
    """Cases failed and are pending again, at once or after their rest."""
    group = state.groups[event.group_id]
    delay = state.runs[event.run_id].policy.rerun_delay
    pending = []
    for case in event.cases:
        index = case.case_index
        attempt = state.attempts[case.attempt_id]
        attempt.pending.discard(index)
        _executed(state, group, attempt, case, event.at)
        group.earlier.setdefault(index, []).append(case)
        models = state.allocations[attempt.allocation_id].models.get(attempt.slot)
        if models:
            group.failed_models[index] = models | group.failed_models.get(index, models)
        if delay:
            group.resting[index] = event.at + delay
        else:
            pending.append(index)
    group.queue.put(pending)


def cases_due(state: State, event: e.CasesDue) -> None:
    """They have rested."""
    group = state.groups[event.group_id]
    for index in event.case_indices:
        del group.resting[index]
    group.queue.put(event.case_indices)


def reruns_sought(state: State, event: RerunsSought) -> None:
    """They wait for a place elsewhere, or no longer. Those that went on or ended meanwhile do not."""
    group = state.groups[event.group_id]
    for index in event.case_indices:
        if event.until:
            group.sought.begin(index, event.until, whence(group, index))
        else:
            group.sought.end(index)


def _unqueue(group: Group, indices: list[int]) -> None:
    """Drop cases that got their verdict without an attempt; those of revoked attempts were not in the queue."""
    for index in indices:
        group.resting.pop(index, None)
        group.sought.end(index)
    if not group.counts[Outcome.PENDING]:
        group.queue.clear()
        return
    waiting = set(group.queue.pending())
    group.queue.take([index for index in indices if index in waiting])


def group_waiting(state: State, event: e.GroupWaiting) -> None:
    """Why a group waits; `never_since` keeps the first time that nothing could satisfy it."""
    group = state.groups[event.group_id]
    group.never_since = (group.never_since or event.at) if event.never else 0.0
    group.never = event.never
    group.waiting_code = event.code
    group.waiting_text = event.text


def decider_changed(state: State, event: e.DeciderChanged) -> None:
    """Remembered so that it is told once."""
    state.groups[event.group_id].under_fallback = event.fallback


def group_finished(state: State, event: e.GroupFinished) -> None:
    """The group has reached its end."""
    group = state.groups[event.group_id]
    group.state = GroupState.FAILED if event.failed else GroupState.FINISHED
    group.cause = event.cause
    group.infrastructure = event.infrastructure
    group.waiting_code = group.waiting_text = group.held_back = ""
    group.never = False
    state.sharing.pop(event.group_id, None)
    evolve_quotas.group_over(state, event.run_id, event.group_id)


def group_held_back(state: State, event: e.GroupHeldBack) -> None:
    """It is not offered to schedulers, or is again."""
    state.groups[event.group_id].hold_back(event.by, event.text)
    evolve_quotas.unsettle(state, state.runs[event.run_id].project)


def group_skipped(state: State, event: e.GroupSkipped) -> None:
    """It is not begun."""
    state.groups[event.group_id].skipped = True


def suite_ended(state: State, event: e.SuiteEnded) -> None:
    """How the group's suite ended as a whole."""
    group = state.groups[event.group_id]
    group.ending = event.ending
    group.cause_details = event.details


def run_stopping(state: State, event: e.RunStopping) -> None:
    """Nothing new is placed for the run."""
    run = state.runs[event.run_id]
    run.state = RunState.STOPPING
    run.cancelled = event.cancelled
    run.cause = event.cause


def run_finished(state: State, event: e.RunFinished) -> None:
    """The run has its verdict."""
    run = state.runs[event.run_id]
    run.state = RunState.FINISHED
    run.verdict = event.verdict
    run.cause = event.cause
    run.finished_at = event.at
    evolve_quotas.run_over(state, event.run_id)
