"""What a trace brings, in the order in which it happens. `at` is in seconds since the beginning of the trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from crossfleet.matching.model import Request, WorkerView
from crossfleet.simulation.core.model import PriorityClass


@dataclass(frozen=True, slots=True)
class WorkerCame:
    """A worker joins, or is back after it was lost."""

    at: float
    view: WorkerView
    speed: float


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """A worker is gone with what ran on it."""

    at: float
    worker_id: str


@dataclass(frozen=True, slots=True)
class GroupCame:
    """A group is submitted. `kind` is the class under which its wait is reported; `setup` is paid by each allocation.

    `deadline`: when it should have ended; `standing`: its priority class.
    """

    at: float
    id: str
    project: str
    kind: str
    priority: int
    request: Request
    setup: float
    cases: Sequence[float]
    deadline: float = inf
    standing: PriorityClass | None = None


Arrival = WorkerCame | WorkerLost | GroupCame
