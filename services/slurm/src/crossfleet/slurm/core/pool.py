"""The words of the bridge: pools of a cluster, what a slot of a pilot gets, pilots, orders for more."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Pool:
    """One kind of nodes, from which pilots are asked for alike. Its workers have the label ``pool=NAME``.

    ``slots`` is the most that one pilot has. A slot gets ``cpu_cores`` and ``memory_bytes`` (0: Slurm's default) where
    its group asks for none, and at least ``devices`` by device class; ``gres`` says what Slurm calls a class.
    ``minutes`` 0: the partition's own time limit. ``pilots`` is the most at once. ``options`` go to sbatch as they are.
    """

    name: str
    partition: str = ""
    constraint: str = ""
    slots: int = 4
    cpu_cores: float = 1.0
    memory_bytes: int = 0
    minutes: int = 0
    pilots: int = 16
    gres: Mapping[str, str] = field(default_factory=dict)
    devices: Mapping[str, int] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shape:
    """What each slot of a pilot gets. Pilots of one shape are as good as each other for whoever wants it."""

    pool: str
    cpu_cores: float = 1.0
    memory_bytes: int = 0
    devices: tuple[tuple[str, int], ...] = ()
    exclusive: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """A pilot that is to be submitted, and the group because of which."""

    shape: Shape
    slots: int
    group_id: str


class Stage(StrEnum):
    """Where a pilot stands with Slurm."""

    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Pilot:
    """A job of ours, as Slurm lists it. ``state`` and ``reason`` are Slurm's words, ``starts_at`` its estimate (unix seconds).

    ``order`` is None where the job's comment was changed by somebody: it then only counts.
    """

    job: str
    stage: Stage
    state: str = ""
    reason: str = ""
    starts_at: float | None = None
    order: Order | None = None
