"""What the worker says about itself: Hello, heartbeats, changed devices, progress."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from crossfleet.api.types.v1 import device_pb2
from crossfleet.api.worker.v1 import worker_service_pb2 as wire
from crossfleet.worker.core.link import Link
from crossfleet.worker.runners.registry import BY_NUMBER

PROTOCOL_VERSION = 1


def hello(worker: device_pb2.Worker, link: Link) -> wire.ConnectRequest:
    """The first message of a session: who it is, and what goes on here."""
    held = [
        wire.HeldAllocation(
            allocation_id=holding.allocation,
            attempt_ids=list(holding.attempts),
            wanting_slots=sorted(holding.wanting),
            slots=holding.open_slots,
        )
        for holding in link.holdings.all()
    ]
    message = wire.Hello(
        protocol_version=PROTOCOL_VERSION,
        worker=worker,
        allocations=held,
        first_unacknowledged_sequence=link.window.first_unacknowledged,
        runners_by_number=sorted(BY_NUMBER.intersection(worker.runners)),
    )
    return wire.ConnectRequest(messages=[wire.WorkerMessage(hello=message)])


def want(allocation: str, slots: Iterable[int]) -> wire.WorkerMessage:
    """Slots need what follows."""
    return wire.WorkerMessage(want_tasks=wire.WantTasks(allocation_id=allocation, slots=list(slots)))


def slots_closed(allocation: str, slots: Iterable[int]) -> wire.WorkerMessage:
    """Single slots of an allocation are free."""
    return wire.WorkerMessage(slots_closed=wire.SlotsClosed(allocation_id=allocation, slots=list(slots)))


def heartbeat(resident_bytes: int) -> wire.WorkerMessage:
    """A sign of life."""
    return wire.WorkerMessage(heartbeat=wire.Heartbeat(resident_bytes=resident_bytes))


def devices_changed(
    devices: Sequence[device_pb2.Device], taints: Sequence[str], errors: Mapping[str, str], *, looking: bool
) -> wire.WorkerMessage:
    """All devices, taints and errors of detectors, as they are now. `looking`: there may be more devices."""
    changed = wire.DevicesChanged(devices=devices, taints=taints, detector_errors=errors, looking=looking)
    return wire.WorkerMessage(devices_changed=changed)


def progress(current: Mapping[int, tuple[int, float]], now: float = 0.0) -> wire.WorkerMessage:
    """What is being executed: by attempt, the case and since when; `now` by the same clock."""
    slots = [
        wire.SlotProgress(attempt_id=attempt, case_index=case, since_unix_seconds=since, seconds=max(0.0, now - since))
        for attempt, (case, since) in current.items()
    ]
    return wire.WorkerMessage(progress=wire.Progress(slots=slots))


def draining(reason: str, *, leaving: bool) -> wire.WorkerMessage:
    """It takes nothing new: because it is going, or because somebody on its host wants that."""
    return wire.WorkerMessage(draining=wire.Draining(reason=reason, leaving=leaving))
