"""The resource model: what a fleet offers and what a task group asks for. Values only, no behaviour."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from crossfleet.matching.version import Version

Scalar = bool | int | float | str | Version
Attribute = Scalar | tuple[Scalar, ...]

# What accounts for cores is cpu_cores, so several slots may be granted the same processor.
SHARED_CLASSES = frozenset({"cpu"})

# A device in such a condition gets no work; any other condition is only a fact that selectors may use.
BLOCKING_CONDITIONS = frozenset({"lost", "unhealthy"})


class WorkerState(StrEnum):
    """Whether a worker may be given work; only ``READY`` may."""

    READY = "ready"
    SUSPECT = "suspect"
    DRAINING = "draining"
    LOST = "lost"


@dataclass(frozen=True)
class Device:
    """Something schedulable on a host, after Kubernetes DRA: a class, typed attributes, capacities.

    Capacities are whole numbers (bytes for memory). Conditions are facts of the moment; one of
    ``BLOCKING_CONDITIONS`` keeps work away unless the request tolerates it.
    """

    id: str
    device_class: str
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    capacities: Mapping[str, int] = field(default_factory=dict)
    conditions: frozenset[str] = frozenset()

    @property
    def shared(self) -> bool:
        """Whether slots may hold this device together."""
        return self.device_class in SHARED_CLASSES

    @cached_property
    def signature(self) -> str:
        """Equal for devices that no selector can tell apart (selectors do not see the id)."""
        attributes, capacities = sorted(self.attributes.items()), sorted(self.capacities.items())
        return repr((self.device_class, attributes, capacities, sorted(self.conditions)))


@dataclass(frozen=True)
class WorkerView:
    """A worker as selectors and planners see it: what it has in all, whether or not it is in use."""

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

    @cached_property
    def signature(self) -> str:
        """Equal for workers that no selector can tell apart without using their name."""
        facts = (self.cpu_cores, self.memory_bytes, self.slots_total, self.host, self.version)
        sets = (sorted(self.labels.items()), sorted(self.taints), sorted(self.runners))
        return repr((facts, sets, [device.signature for device in self.devices]))


@dataclass(frozen=True)
class DeviceRequest:
    """Devices that every slot of an allocation gets: a class, a selector over them, how many."""

    device_class: str = ""
    selector: str = ""
    count: int = 1


@dataclass(frozen=True)
class Request:
    """What a task group asks for. Cores, bytes and devices are per slot.

    ``cpu_cores`` 0 means the worker's cores divided by its slots, ``memory_bytes`` 0 no reservation.
    ``slots_min`` is the fewest slots that make sense, ``slots_max`` (0: no limit) the most over all workers.
    ``exclusive`` asks for workers that run nothing else meanwhile. ``runner`` (empty: any) is the kind that
    the worker must be able to execute.
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
