"""The words of the simulated fleet. Times are seconds since the beginning of the trace."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, inf

from crossfleet.matching.free import Free
from crossfleet.matching.model import Portions, Request, WorkerView
from crossfleet.simulation.core.cases import SHORTEST_PIECE, Cases

_MOST_SLOTS = 4096


@dataclass(frozen=True, slots=True)
class Proposal:
    """Slots of one worker proposed for a group; those of one `gang_id` are granted together or not at all."""

    group_id: str
    worker_id: str
    slots: int
    device_ids: tuple[str, ...] = ()
    gang_id: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a scheduler proposes. `never` names groups that it says no worker can ever satisfy."""

    plan_id: str
    allocate: tuple[Proposal, ...] = ()
    revoke: tuple[str, ...] = ()
    never: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a proposal, by its index in the plan, was not granted."""

    index: int
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a plan: allocations made, and proposals refused."""

    plan_id: str
    accepted: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class PriorityClass:
    """What groups of it are to others. `grace`: seconds for which tasks go on whose slots are taken back; None: to their end."""

    name: str
    preempts: bool = False
    preemptible: bool = False
    grace: float | None = None


@dataclass(slots=True, eq=False)
class Worker:
    """A worker that is there. `speed`: seconds of cases that one of its slots executes in a second."""

    view: WorkerView
    speed: float
    allocations: dict[str, Allocation] = field(default_factory=dict)

    def free(self) -> Free:
        """What no allocation holds; closing ones still hold."""
        free = Free.whole(self.view)
        for one in self.allocations.values():
            free = free.minus(one.group.request, len(one.slots), one.device_ids, self.view, one.portions)
        return free


@dataclass(slots=True, eq=False)
class Slot:
    """A share of an allocation, and its task, which `began` at that time."""

    allocation: Allocation
    task: tuple[float, ...] = ()
    began: float = 0.0


@dataclass(slots=True, eq=False)
class Allocation:
    """Slots and devices of a worker that a group holds. Tasks begin when it is `ready`; none do once it is closing.

    `closing` is since when it is being given back. Of the devices in `portions` others may hold the rest.
    """

    id: str
    group: Group
    worker: Worker
    device_ids: tuple[str, ...]
    slots: tuple[Slot, ...] = ()
    ready: bool = False
    closing: float | None = None
    portions: Portions = ()

    @property
    def busy(self) -> bool:
        """Whether a task runs in one of its slots."""
        return any(slot.task for slot in self.slots)


@dataclass(slots=True, eq=False)
class Group:
    """The tasks of a run with one target. `alone` is how long it would take with the whole fleet for itself.

    `slots` and `speed` (their sum) are of allocations that are not closing; `running` counts tasks. `never`: its scheduler
    says that no worker that is there can ever satisfy it. `standing`: its priority class, if it has one.
    """

    id: str
    project: str
    kind: str
    priority: int
    request: Request
    submitted: float
    setup: float
    cases: Cases
    total: int
    deadline: float = inf
    standing: PriorityClass | None = None
    alone: float = 0.0
    done: int = 0
    running: int = 0
    slots: int = 0
    speed: float = 0.0
    wanting: bool = False
    never: bool = False
    first: float | None = None
    allocations: dict[str, Allocation] = field(default_factory=dict)

    def wanted(self) -> int:
        """Slots that it can use over and above those that it holds and may still use."""
        request, left = self.request, len(self.cases)
        if request.gang > 1:
            return request.gang * max(request.slots_min, 1) if left and not self.allocations else 0
        most = min(request.slots_max or _MOST_SLOTS, _MOST_SLOTS) - self.slots
        return max(min(most, left, ceil(self.cases.seconds / SHORTEST_PIECE)), 0)
