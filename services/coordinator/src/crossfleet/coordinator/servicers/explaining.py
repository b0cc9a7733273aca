"""Why each target of a run waits, clause by clause."""

from __future__ import annotations

from crossfleet.api.coordinator.v1 import run_service_pb2 as run_service
from crossfleet.api.types.v1 import run_pb2
from crossfleet.coordinator.convert.fleet import view_now
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.outcomes import WorkerState
from crossfleet.matching.explain import explain
from crossfleet.matching.model import WorkerView


def explain_run(run: run_pb2.Run, state: State) -> run_service.ExplainRunResponse:
    """One explanation for each target. A target that is over has only its name."""
    workers = [view_now(worker) for worker in state.workers.values() if worker.state is not WorkerState.LOST]
    return run_service.ExplainRunResponse(targets=[_target(status, state, workers) for status in run.targets])


def _target(status: run_pb2.TargetStatus, state: State, workers: list[WorkerView]) -> run_service.TargetExplanation:
    message = run_service.TargetExplanation(
        target=status.name, all_workers=len(workers), waiting_reason=status.waiting_reason
    )
    group = state.groups.get(status.group_id)
    if group is None:
        return message
    found = explain(group.target.request, workers, state.selectors)
    message.matching_workers = len(found.workers)
    nearest = found.misses[0] if found.misses else ""
    for clause in found.clauses:
        failing = clause.passed < clause.total
        message.clauses.add(
            clause=clause.text,
            passing=clause.passed,
            considered=clause.total,
            nearest_miss=nearest if failing else "",
        )
    return message
