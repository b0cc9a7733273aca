"""How schedulers stand, as operators see it."""

from __future__ import annotations

from crossfleet.api.coordinator.v1 import admin_service_pb2 as admin_pb2
from crossfleet.coordinator.core.breaker import Stage
from crossfleet.coordinator.scheduling.figures import SchedulerStanding

_BREAKERS = {
    None: admin_pb2.BREAKER_STATE_UNSPECIFIED,
    Stage.CLOSED: admin_pb2.BREAKER_STATE_CLOSED,
    Stage.HALF_OPEN: admin_pb2.BREAKER_STATE_HALF_OPEN,
    Stage.OPEN: admin_pb2.BREAKER_STATE_OPEN,
}


def standing(one: SchedulerStanding) -> admin_pb2.SchedulerStanding:
    """One scheduler; the fallback has no breaker."""
    figures = one.figures
    return admin_pb2.SchedulerStanding(
        name=one.name,
        described_name=figures.name,
        version=figures.version,
        address=figures.address,
        connected=figures.connected,
        breaker=_BREAKERS[one.stage],
        cause=one.cause,
        breaker_seconds=one.seconds,
        openings=one.openings,
        pools=one.pools,
        canary_percent=one.canary,
        deadline_seconds=one.deadline,
        groups=one.groups,
        plans=figures.plans,
        accepted=figures.accepted,
        refused=figures.refused,
        refused_late=figures.late,
        last_refusal=figures.last_refusal,
        answer_seconds=figures.answer_seconds,
        left_out=figures.left_out,
        left_out_names=figures.left_out_names,
    )
