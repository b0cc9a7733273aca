"""What people read of the health of a worker's host and devices."""

from __future__ import annotations

from collections.abc import Iterator

from crossfleet.api.coordinator.v1 import fleet_service_pb2 as wire
from crossfleet.cli.reporting.times import local

_TOLD = {
    wire.HEALTH_STAGE_CAPPED: "is doubted",
    wire.HEALTH_STAGE_TESTING: "is out, it tests itself",
    wire.HEALTH_STAGE_RESTING: "is out, its test failed and is repeated",
    wire.HEALTH_STAGE_CANARY: "is out but for one task that tries it",
    wire.HEALTH_STAGE_HELD: "is out until `crossfleet undrain {worker}`",
}
_OUT = frozenset(_TOLD) - {wire.HEALTH_STAGE_CAPPED}


def out(status: wire.WorkerStatus) -> bool:
    """Whether the host or one of its devices gets nothing new."""
    return any(one.stage in _OUT for one in status.health)


def health_lines(status: wire.WorkerStatus) -> Iterator[str]:
    """A line for each host or device that is not well, then what its last test said."""
    worker = status.worker.worker_id
    for one in status.health:
        if one.stage not in _TOLD:
            continue
        who = f"{worker}: device {one.device_id}" if one.device_id else worker
        told = _TOLD[one.stage].format(worker=worker)
        rounds = f", round {one.rounds}" if one.stage in _OUT and one.rounds else ""
        yield f"{who} {told}{rounds}; since {local(one.since)}: {one.cause}"
        yield from (f"  {line}" for line in one.report.splitlines())
