"""A person says what a device is like, or takes that back."""

from __future__ import annotations

from crossfleet.coordinator.core.emitter import Emitter, Refused
from crossfleet.coordinator.core.override import DeviceOverridden, Override, OverrideDevice
from crossfleet.coordinator.core.settling import close

MOST_ATTRIBUTES = 64


def override_device(emit: Emitter, command: OverrideDevice) -> None:
    """Commit what a person says. What holds a device that is hidden now gives it back between two tasks."""
    worker = emit.state.workers.get(command.worker_id)
    if worker is None:
        raise Refused("WORKER_NOT_FOUND", f"no worker {command.worker_id}", "worker_id", worker=command.worker_id)
    before = worker.overrides.get(command.device_id)
    after = _changed(before or Override(), command, emit.now)
    if len(after.attributes) > MOST_ATTRIBUTES:
        text = f"{command.device_id} of {command.worker_id} would have {len(after.attributes)} overridden attributes"
        raise Refused("STATE_CONFLICT", f"{text}, at most {MOST_ATTRIBUTES} are kept: restore some", "attributes")
    says_something = bool(after.attributes or after.hidden)
    if not says_something and before is None:
        return
    emit(DeviceOverridden(command.worker_id, command.device_id, after if says_something else None))
    for allocation_id in sorted(worker.allocations) if after.hidden else ():
        allocation = emit.state.allocations[allocation_id]
        if not allocation.closing and any(command.device_id in devices for devices in allocation.device_ids):
            why = f": {after.reason}" if after.reason else ""
            close(emit, allocation, f"device {command.device_id} of {command.worker_id} is hidden{why}")


def _changed(before: Override, command: OverrideDevice, now: float) -> Override:
    kept = {} if command.clear else before.attributes
    attributes = {name: value for name, value in kept.items() if name not in command.restore} | dict(command.attributes)
    hidden = before.hidden and not command.clear if command.hidden is None else command.hidden
    reason = command.reason or ("" if command.clear else before.reason)
    return Override(attributes, hidden, reason, command.author, now)
