"""The resource model: what a fleet offers and what a task group asks for. Values only, no behaviour."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from crossfleet.matching.gates import NO_GATES, Gates
from crossfleet.matching.version import Version

Scalar = bool | int | float | str | Version
Attribute = Scalar | tuple[Scalar, ...]

Amounts = tuple[tuple[str, int], ...]
"""How much of some capacities, each once, in the order of their names."""

# What accounts for cores is cpu_cores, so several slots may be granted the same processor.
SHARED_CLASSES = frozenset({"cpu"})

QUARANTINED = "quarantined"
"""The condition of a device that failed too much and has not yet passed a test."""

HIDDEN = "hidden"
"""The condition of a device that a person keeps from work. No request may tolerate it."""

# A device in such a condition gets no work; any other condition is only a fact that selectors may use.
BROKEN = frozenset({"lost", "unhealthy"})
# These end by what people or the fleet do: what they keep away waits.
PASSING_CONDITIONS = frozenset({QUARANTINED, HIDDEN})
BLOCKING_CONDITIONS = BROKEN | PASSING_CONDITIONS

# Workers set these themselves and take them away again: what they keep away waits.
PASSING_TAINTS = frozenset({"disk_full", "upgrading"})
RESERVED = "reserved:"
"""Begins the taint of a worker that is kept for a project, whose name follows. It passes too, and no request may tolerate it."""

# Attributes that tell one device from its twin. A selector that reads none of them takes twins for the same.
IDENTITY = frozenset({"bus", "index", "pci", "serial", "uuid"})


class WorkerState(StrEnum):
    """Whether a worker may be given work; only ``READY`` may."""

    READY = "ready"
    SUSPECT = "suspect"
    DRAINING = "draining"
    LOST = "lost"
    QUARANTINED = "quarantined"


@dataclass(frozen=True)
class Device:
    """Something schedulable on a host, after Kubernetes DRA: a class, typed attributes, capacities.

    Capacities are whole numbers (bytes for memory). Conditions are facts of the moment; one of
    ``BLOCKING_CONDITIONS`` keeps work away unless the request tolerates it. Attributes that are ``overridden`` are
    as an administrator says, which matters to people alone. Of one that is ``shareable`` allocations may hold portions:
    its capacities are counted, and whoever names none has it alone.
    """

    id: str
    device_class: str
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    capacities: Mapping[str, int] = field(default_factory=dict)
    conditions: frozenset[str] = frozenset()
    overridden: frozenset[str] = field(default=frozenset(), compare=False)
    shareable: bool = False

    @property
    def shared(self) -> bool:
        """Whether slots may hold this device together, however many they are."""
        return self.device_class in SHARED_CLASSES

    @cached_property
    def signature(self) -> str:
        """Equal for devices that no selector can tell apart without their identity (selectors do not see the id)."""
        attributes = sorted(item for item in self.attributes.items() if item[0] not in IDENTITY)
        facts = (self.device_class, attributes, sorted(self.capacities.items()), sorted(self.conditions))
        return repr((*facts, "shareable") if self.shareable else facts)

    @cached_property
    def identity(self) -> str:
        """What the signature leaves out."""
        return repr(sorted(item for item in self.attributes.items() if item[0] in IDENTITY))


class Portion(NamedTuple):
    """What is taken of the capacities of a shareable device; the rest is for others."""

    device_id: str
    amounts: Amounts


Portions = tuple[Portion, ...]
"""Of several devices, each once, in the order of their ids."""


@dataclass(frozen=True)
class WorkerView:
    """A worker as selectors and planners see it: what it has in all, whether or not it is in use.

    While it is ``looking`` it may have more devices than these.
    """

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    devices: tuple[Device, ...] = ()
    cpu_cores: float = 1.0
    memory_bytes: int = 0
    slots_total: int = 1
    taints: frozenset[str] = frozenset()
    state: WorkerState = WorkerState.READY
    runners: frozenset[str] = frozenset()
    host: str = ""
    version: str = ""
    gates: frozenset[str] = frozenset()
    looking: bool = False

    @cached_property
    def signature(self) -> str:
        """Equal for workers that no selector can tell apart without their identity."""
        facts = (self.cpu_cores, self.memory_bytes, self.slots_total, self.version)
        sets = (sorted(self.labels.items()), sorted(self.taints), sorted(self.runners), sorted(self.gates))
        return repr((facts, sets, [device.signature for device in self.devices]))

    @cached_property
    def device_ids(self) -> tuple[str, ...]:
        """Its devices by their positions."""
        return tuple([device.id for device in self.devices])

    @cached_property
    def shared_ids(self) -> frozenset[str]:
        """The devices that slots may hold together, however many they are."""
        return frozenset(device.id for device in self.devices if device.shared)

    @cached_property
    def own_ids(self) -> frozenset[str]:
        """All others."""
        return frozenset(device.id for device in self.devices) - self.shared_ids

    @cached_property
    def shareable(self) -> Mapping[str, Device]:
        """The devices of which allocations may hold portions, by id."""
        return {device.id: device for device in self.devices if device.shareable and not device.shared}

    @cached_property
    def identity(self) -> str:
        """What the signature leaves out: name, host, and what tells its devices from others."""
        return repr((self.name, self.host, [device.identity for device in self.devices]))


@dataclass(frozen=True)
class DeviceRequest:
    """Devices that every slot of an allocation gets: a class, a selector over them, how many.

    Each must have the ``capacities``; of one that is shareable a slot takes these, else the whole device.
    """

    device_class: str = ""
    selector: str = ""
    count: int = 1
    capacities: Amounts = ()


@dataclass(frozen=True)
class Preference:
    """A selector that workers need not satisfy, and how much it counts. Of a device it holds if the worker has such a one."""

    selector: str
    weight: int = 1


class Placement(StrEnum):
    """Whether the slots of a request come together on few workers or go to many."""

    PACK = "pack"
    SPREAD = "spread"


@dataclass(frozen=True)
class Request:
    """What a task group asks for. Cores, bytes and devices are per slot.

    ``cpu_cores`` 0 means the worker's cores divided by its slots, ``memory_bytes`` 0 no reservation.
    ``slots_min`` is the fewest slots that make sense, ``slots_max`` (0: no limit) the most over all workers.
    ``exclusive`` asks for workers on whose hosts nothing else runs meanwhile. ``runner`` (empty: any) is the kind that
    the worker must be able to execute. ``gang`` above 1 asks for ``slots_min`` slots on each of so many workers, all at
    once or none. Of workers with room those go first that satisfy most of what is ``preferred``, and of these those with the
    least of the number that ``prefer_least`` names (see ``preferences.burden``). ``semaphores`` are names, in order, and how
    much of each a slot holds: the coordinator alone counts them. Its workers can measure all
    ``gates``.
    """

    selector: str = ""
    cpu_cores: float = 0.0
    memory_bytes: int = 0
    devices: tuple[DeviceRequest, ...] = ()
    slots_min: int = 1
    slots_max: int = 0
    exclusive: bool = False
    tolerations: frozenset[str] = frozenset()
    runner: str = ""
    gang: int = 1
    preferred: tuple[Preference, ...] = ()
    placement: Placement = Placement.PACK
    semaphores: tuple[tuple[str, int], ...] = ()
    prefer_least: str = ""
    gates: Gates = NO_GATES
