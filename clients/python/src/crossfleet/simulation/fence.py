"""How a simulation knows that a scheduler has planned: a scheduler need not answer, and silence is no sign.

Each update carries one more group, the most urgent, that fits one worker and no other, which is always idle. Whoever
plans proposes it; that plan says that all that this update can bring has been thought of. The worker has a
thousandth of a core, so that nobody's share of the fleet changes by it.
"""

from __future__ import annotations

from crossfleet.api.scheduler.v1.scheduler_service_pb2 import PlanOutcome, ScheduleResponse, TaskGroup
from crossfleet.api.types.v1.device_pb2 import WORKER_STATE_READY, Worker

FENCE = "simulation-fence"
_MOST_URGENT = 1_000_000


def fence_worker() -> Worker:
    """The worker that takes nothing but fences."""
    return Worker(
        worker_id=FENCE,
        incarnation=f"{FENCE}-1",
        slots=1,
        cpu_cores=0.001,
        state=WORKER_STATE_READY,
        host=FENCE,
        version="0.1.0",
        runners=[FENCE],
    )


def fence_group(revision: int, now: float) -> TaskGroup:
    """The fence of one update."""
    return TaskGroup(
        group_id=f"{FENCE}-{revision}",
        run_id=f"{FENCE}-{revision}",
        project=FENCE,
        target="fence",
        priority=_MOST_URGENT,
        submitted_unix_seconds=now,
        remaining_cases=1,
        collected=True,
        wanted_slots=1,
        runner=FENCE,
    )


def is_fence(group_id: str) -> bool:
    """Whether a group is one."""
    return group_id.startswith(FENCE)


def passed(plan: ScheduleResponse, revision: int) -> bool:
    """Whether a plan places the fence of an update."""
    wanted = f"{FENCE}-{revision}"
    return any(one.group_id == wanted and one.worker_id == FENCE for one in plan.allocate)


def without_fence(outcome: PlanOutcome, plan: ScheduleResponse) -> PlanOutcome:
    """The outcome of the whole plan, from that of its proposals without the fence, which is over as soon as it is placed."""
    kept = [index for index, one in enumerate(plan.allocate) if not is_fence(one.group_id)]
    told = PlanOutcome(plan_id=outcome.plan_id, accepted_allocation_ids=outcome.accepted_allocation_ids)
    for refusal in outcome.refused:
        told.refused.add(index=kept[refusal.index], reason=refusal.reason, text=refusal.text)
    fences = len(plan.allocate) - len(kept)
    told.accepted_allocation_ids.extend(f"{FENCE}-{outcome.plan_id}-{number}" for number in range(fences))
    return told
