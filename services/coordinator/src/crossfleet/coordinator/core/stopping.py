"""Runs are stopped: by a person, a time limit, their failure limit, or because nothing can ever satisfy a target."""

from __future__ import annotations

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.alternatives import has_next, open_next
from crossfleet.coordinator.core.answers import RunAnswer
from crossfleet.coordinator.core.commands import StopRun
from crossfleet.coordinator.core.emitter import Emitter, Refused
from crossfleet.coordinator.core.model import Run
from crossfleet.coordinator.core.outcomes import Outcome, RunState, WorkerState
from crossfleet.coordinator.core.settling import (
    fail_group,
    finish_group,
    finish_without_result,
    revoke,
)
from crossfleet.coordinator.core.whereabouts import asked, may_move

# Workers of a fleet that starts join one after the other.
SETTLE_SECONDS = 2.0


def stop_run(emit: Emitter, command: StopRun) -> RunAnswer:
    """Cancel a run at once; one that is over stays as it is."""
    run = emit.state.runs.get(command.run_id)
    if run is None:
        if command.run_id in emit.state.past_runs:
            return RunAnswer(command.run_id, changed=False)
        raise Refused("RUN_NOT_FOUND", f"no run {command.run_id}", "run_id", run=command.run_id)
    if run.state is RunState.FINISHED:
        return RunAnswer(command.run_id, changed=False)
    halt(emit, run, command.reason, cancelled=True)
    return RunAnswer(command.run_id, changed=True)


def halt(emit: Emitter, run: Run, cause: str, *, cancelled: bool) -> None:
    """End a run now: cases without a verdict get one, live attempts are revoked, slots are given back."""
    emit(e.RunStopping(run.run_id, cause, cancelled))
    outcome = Outcome.CANCELLED if cancelled else Outcome.NOT_RUN
    open_groups = [group for group in (emit.state.groups[group_id] for group_id in run.groups) if not group.over]
    for group in open_groups:
        pending = [index for index, done in enumerate(group.outcomes) if not done]
        finish_without_result(emit, group, pending, outcome, cause)
        revoke(emit, group)
    for group in open_groups:
        finish_group(emit, group, cause)


def stop_at_failure_limit(emit: Emitter, run: Run) -> bool:
    """Stop a run that has as many failures as it may; says whether it did."""
    limit = run.policy.max_failures
    if not limit or run.failures < limit or run.state >= RunState.STOPPING:
        return False
    halt(emit, run, f"stopped after {run.failures} failure{'s' * (run.failures != 1)}", cancelled=False)
    return True


def fail_unsatisfiable(emit: Emitter) -> None:
    """Fail groups that never had slots and that no worker of a settled fleet can satisfy, where the run asks for it.

    One with a further alternative goes on to that instead. One that keeps away from where it failed has had slots, and fails
    when there is nowhere else.
    """
    living = [one for one in emit.state.workers.values() if one.state is not WorkerState.LOST and one.session_id]
    if not living or any(one.view.looking for one in living):
        return
    for group in list(emit.state.groups.values()):
        if not group.never or group.over or group.allocations or may_move(emit.state, group):
            continue
        template = asked(group).template
        if group.ever_allocated and not (template is not None and template.speaks_of_itself):
            continue
        policy = emit.state.runs[group.run_id].policy
        patience = max(policy.unsatisfiable_wait, SETTLE_SECONDS)
        if policy.fail_unsatisfiable and emit.now - group.never_since >= patience:
            if has_next(group):
                open_next(emit, group)
                continue
            fail_group(emit, group, f"no worker of this fleet satisfies it: {group.waiting_text}", infrastructure=True)
