"""What is left of a worker as allocations take from it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from crossfleet.matching.model import Request, WorkerView


def millicores(cores: float) -> int:
    """Cores as whole thousandths: sums of floats drift, and a drift oversubscribes or strands a slot."""
    return round(cores * 1000)


def slot_millicores(request: Request, worker: WorkerView) -> int:
    """Thousandths of cores that one slot of this request takes on this worker."""
    if request.cpu_cores > 0:
        return millicores(request.cpu_cores)
    return millicores(worker.cpu_cores) // max(worker.slots_total, 1)


@dataclass(frozen=True)
class Fit:
    """A placement on one worker: how many slots, and the ids of the devices that each slot gets."""

    slots: int
    devices: tuple[tuple[str, ...], ...] = ()

    @property
    def device_ids(self) -> tuple[str, ...]:
        """All devices, in the order of the slots, each once (a shared one serves several slots)."""
        return tuple(dict.fromkeys(device for slot in self.devices for device in slot))


@dataclass(frozen=True)
class Free:
    """Free slots, thousandths of cores, bytes of memory and devices (by id) of one worker.

    ``untouched``: nothing is held, of other workers of its host neither. ``closed``: an exclusive request holds the host.
    """

    slots: int
    cpu_millis: int
    memory_bytes: int
    devices: frozenset[str]
    untouched: bool = True
    closed: bool = False

    @classmethod
    def whole(cls, worker: WorkerView) -> "Free":
        """Everything that an idle worker offers."""
        devices = frozenset(device.id for device in worker.devices)
        return cls(worker.slots_total, millicores(worker.cpu_cores), worker.memory_bytes, devices)

    def beside(self, neighbours: Iterable["Free"]) -> "Free":
        """What is left where other workers share the host: whoever has one of them for himself has the host."""
        untouched = self.untouched
        for one in neighbours:
            if one.closed:
                return _CLOSED
            untouched = untouched and one.untouched
        return self if untouched is self.untouched else replace(self, untouched=untouched)

    def minus(self, request: Request, slots: int, device_ids: tuple[str, ...], worker: WorkerView) -> "Free":
        """What is left after a placement; shared devices stay free.

        Does not refuse: a worker that came back smaller than what it holds is overdrawn, and below zero
        nothing fits.
        """
        if self.closed or request.exclusive:  # The same, whichever was taken off first.
            return _CLOSED
        devices = self.devices
        if device_ids:
            devices = devices.difference(frozenset(device_ids) - worker.shared_ids)
        return Free(
            self.slots - slots,
            self.cpu_millis - slots * slot_millicores(request, worker),
            self.memory_bytes - slots * request.memory_bytes,
            devices,
            untouched=False,
        )


_CLOSED = Free(0, 0, 0, frozenset(), untouched=False, closed=True)
