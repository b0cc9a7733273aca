"""What is left of a worker as allocations take from it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from crossfleet.matching.model import Portions, Request, WorkerView
from crossfleet.matching.portions import together


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
    """A placement on one worker: how many slots, the ids of the devices that each gets, and what it takes of shareable ones."""

    slots: int
    devices: tuple[tuple[str, ...], ...] = ()
    portions: tuple[Portions, ...] = ()

    @property
    def device_ids(self) -> tuple[str, ...]:
        """All devices as they are proposed: those of which slots take portions once for each, the others once."""
        parted = {one.device_id for slot in self.portions for one in slot}
        whole = dict.fromkeys(device for slot in self.devices for device in slot if device not in parted)
        return (*whole, *(device for slot in self.devices for device in slot if device in parted))

    @property
    def taken(self) -> Portions:
        """What the slots take together of devices that they do not take whole."""
        return together(one for slot in self.portions for one in slot)


@dataclass(frozen=True)
class Free:
    """Free slots, thousandths of cores, bytes of memory and devices (by id) of one worker.

    ``devices`` are those of which nothing is held; ``portions`` is what is held of others that are shareable.
    ``untouched``: nothing is held, of other workers of its host neither. ``closed``: an exclusive request holds the host.
    """

    slots: int
    cpu_millis: int
    memory_bytes: int
    devices: frozenset[str]
    untouched: bool = True
    closed: bool = False
    portions: Portions = ()

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

    def less_shown(self, there: "Free", neighbour: WorkerView) -> "Free":
        """What is left where another worker of the host offers some of the same devices: what is held there is held here."""
        if there.untouched or not neighbour.own_ids:
            return self
        held = neighbour.own_ids - there.devices
        parts = [one for one in there.portions if one.device_id in held]
        portions = together((*self.portions, *parts)) if parts else self.portions
        return replace(self, devices=self.devices - held, portions=portions)

    def minus(
        self,
        request: Request,
        slots: int,
        device_ids: tuple[str, ...],
        worker: WorkerView,
        portions: Portions = (),
    ) -> "Free":
        """What is left after a placement; shared devices stay free. Of those in ``portions`` only so much is taken.

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
            portions=together((*self.portions, *portions)) if portions else self.portions,
        )


_CLOSED = Free(0, 0, 0, frozenset(), untouched=False, closed=True)
