"""Workers and requests as planners and schedulers see them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from crossfleet.api.coordinator.v1 import fleet_service_pb2 as fleet_pb2
from crossfleet.api.types.v1 import device_pb2, suite_pb2
from crossfleet.coordinator.convert.overrides import override_device
from crossfleet.coordinator.convert.runs import set_time
from crossfleet.coordinator.core.health import Health
from crossfleet.coordinator.core.model import Worker
from crossfleet.coordinator.core.outcomes import WorkerState
from crossfleet.coordinator.core.override import Override
from crossfleet.matching.gates import NO_GATES, Gates
from crossfleet.matching.messages import device_request_message
from crossfleet.matching.model import QUARANTINED, Placement, Request, WorkerView
from crossfleet.matching.model import WorkerState as ViewState

_VIEW_STATES = {
    WorkerState.READY: ViewState.READY,
    WorkerState.SUSPECT: ViewState.SUSPECT,
    WorkerState.DRAINING: ViewState.DRAINING,
    WorkerState.LOST: ViewState.LOST,
    WorkerState.QUARANTINED: ViewState.QUARANTINED,
}
_PLACEMENTS = {Placement.PACK: suite_pb2.PLACEMENT_UNSPECIFIED, Placement.SPREAD: suite_pb2.PLACEMENT_SPREAD}


def view_now(worker: Worker) -> WorkerView:
    """A worker as planners see it, with the state that it is in now."""
    return replace(worker.view, state=_VIEW_STATES[worker.state])


def worker_message(
    description: bytes, state: WorkerState, health: Mapping[str, Health], overrides: Mapping[str, Override]
) -> device_pb2.Worker:
    """A worker as it described itself, with the state that the coordinator gives it, the devices that are out, and what
    people say of devices."""
    message = device_pb2.Worker.FromString(description)
    message.state = int(state)  # type: ignore[assignment]
    for device in message.devices:
        if device.device_id in overrides:
            override_device(device, overrides[device.device_id])
        known = health.get(device.device_id)
        if known is not None and known.out:
            device.conditions.append(QUARANTINED)
    return message


def health_messages(health: Mapping[str, Health]) -> Iterator[fleet_pb2.HealthStatus]:
    """What is known of the health of a worker's host, then of its devices."""
    for device_id, known in sorted(health.items()):
        message = fleet_pb2.HealthStatus(
            device_id=device_id,
            stage=int(known.stage),  # type: ignore[arg-type]
            cause=known.cause,
            rounds=known.rounds,
            report=known.report,
        )
        set_time(message.since, known.since)
        set_time(message.until, known.until)
        for one in known.incidents:
            set_time(message.incidents.add(cause=one.cause, weight=one.weight).at, one.at)
        yield message


def request_message(request: Request) -> suite_pb2.Request:
    """What a target's slots need, as schedulers see it."""
    message = suite_pb2.Request(
        cpu_cores=request.cpu_cores,
        memory_bytes=request.memory_bytes,
        devices=list(map(device_request_message, request.devices)),
        slots_min=request.slots_min,
        slots_max=request.slots_max,
        exclusive=request.exclusive,
        tolerations=sorted(request.tolerations),
        gang=request.gang,
        preferred=[suite_pb2.Preference(selector=one.selector, weight=one.weight) for one in request.preferred],
        placement=_PLACEMENTS[request.placement],
        semaphores=dict(request.semaphores),
        prefer_least=request.prefer_least,
    )
    if request.gates != NO_GATES:
        message.gates.CopyFrom(_gates_message(request.gates))
    return message


def _gates_message(gates: Gates) -> suite_pb2.Gates:
    message = suite_pb2.Gates(repeats=gates.repeats)
    for name, limit in gates.limits.items():
        setattr(message, name, limit)
    message.wait.FromNanoseconds(round(gates.wait_seconds * 1e9))
    return message
