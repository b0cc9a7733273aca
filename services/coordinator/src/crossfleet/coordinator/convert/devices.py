"""What workers may say of their devices."""

from __future__ import annotations

from collections.abc import Iterable

from crossfleet.api.types.v1 import device_pb2
from crossfleet.api.worker.v1 import worker_service_pb2 as worker_pb2
from crossfleet.coordinator.convert.checks import Checks

_MOST_DEVICES = 10_000
_ID_BYTES = 200


def change_devices(worker: device_pb2.Worker, changed: worker_pb2.DevicesChanged) -> None:
    """Describe a worker as it now does. Raises InvalidArgument, with nothing changed."""
    checks = Checks()
    check_devices(checks, changed.devices, "devices_changed.devices")
    checks.finish(f"worker {worker.worker_id}")
    del worker.devices[:], worker.taints[:]
    worker.devices.extend(changed.devices)
    worker.taints.extend(changed.taints)
    worker.detector_errors.clear()
    worker.detector_errors.update(changed.detector_errors)
    worker.looking = changed.looking


def check_devices(checks: Checks, devices: Iterable[device_pb2.Device], path: str) -> None:
    """Each has an id of its own, and capacities that can be reckoned with."""
    known: set[str] = set()
    for index, one in enumerate(devices):
        at = f"{path}[{index}]"
        if not checks.require(index < _MOST_DEVICES, path, f"at most {_MOST_DEVICES}"):
            return
        checks.require(0 < len(one.device_id.encode()) <= _ID_BYTES, f"{at}.device_id", f"1 to {_ID_BYTES} bytes")
        checks.require(one.device_id not in known, f"{at}.device_id", "an id that no other of its devices has")
        known.add(one.device_id)
        for name, amount in one.capacities.items():
            checks.require(amount >= 0, f"{at}.capacities[{name!r}]", "0 or more")
