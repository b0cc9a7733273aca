"""What a fleet's event log says of runs beside their cases: how long allocations took to get ready, which workers were lost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from statistics import median

from crossfleet.api.coordinator.v1.event_service_pb2 import AllocationOpened, Event, TasksAssigned, WorkerChanged
from crossfleet.api.types.v1.device_pb2 import WORKER_STATE_LOST, WorkerState
from crossfleet.simulation.trace.rows import BackRow, LostRow

_LOST = WorkerState.Name(WORKER_STATE_LOST)

Place = tuple[str, str, str]
"""Run, target, worker."""


class Logged:
    """Takes events in their order; those that are not kept any more are simply not known."""

    def __init__(self) -> None:
        """Nothing is known."""
        self._opened: dict[Place, list[float]] = {}
        self._setups: dict[tuple[str, str], list[float]] = defaultdict(list)
        self._changes: list[tuple[float, str, bool]] = []

    def take(self, event: Event) -> None:
        """The next event."""
        at = event.at.ToNanoseconds() / 1e9
        match event.WhichOneof("kind"):
            case "allocation_opened":
                self._open(event.run_id, event.allocation_opened, at)
            case "tasks_assigned":
                self._begin(event.run_id, event.tasks_assigned, at)
            case "worker_changed":
                self._change(event.worker_changed, at)

    def setup(self, run_id: str, target: str) -> float:
        """Seconds from an allocation to its first task, environment and collection included: the median; zero where unknown."""
        return round(median(self._setups.get((run_id, target)) or (0.0,)), 3)

    def losses(self, begin: float, end: float, known: Collection[str]) -> Iterable[LostRow | BackRow]:
        """Of known workers, between two times in seconds since 1970. Who was lost before is so from the beginning."""
        there = dict.fromkeys(known, True)
        early = {worker: present for at, worker, present in self._changes if at <= begin and worker in there}
        changes = [(begin, worker, present) for worker, present in early.items()]
        changes += [one for one in self._changes if begin < one[0] < end and one[1] in there]
        for at, worker, present in changes:
            if there[worker] != present:
                there[worker] = present
                yield (BackRow if present else LostRow)(round(at - begin, 3), worker)

    def _open(self, run_id: str, opened: AllocationOpened, at: float) -> None:
        self._opened.setdefault((run_id, opened.target, opened.worker_id), []).append(at)

    def _begin(self, run_id: str, assigned: TasksAssigned, at: float) -> None:
        for attempt in assigned.attempts:
            since = self._opened.pop((run_id, assigned.target, attempt.worker_id), ())
            self._setups[run_id, assigned.target] += [at - one for one in since]

    def _change(self, changed: WorkerChanged, at: float) -> None:
        if changed.state and not changed.device_id:
            self._changes.append((at, changed.worker_id, changed.state != _LOST))
