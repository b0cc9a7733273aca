"""Events as the checker reads them."""

from __future__ import annotations

from dataclasses import dataclass

from crossfleet.api.coordinator.v1 import event_service_pb2 as event_pb2
from crossfleet.api.types.v1 import result_pb2


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was concluded of a case, and the execution that it rests on."""

    target: str
    case_id: str
    outcome: int
    attempt: int = 0
    worker: str = ""
    process: int = 0
    position: int = 0

    @property
    def case(self) -> tuple[str, str]:
        """Target and id."""
        return self.target, self.case_id


@dataclass(frozen=True, slots=True)
class Fact:
    """One event. `assigned`: attempts that began, with their cases; `left`: cases of an attempt that ended; `total` of the run."""

    cursor: str
    kind: str
    verdicts: tuple[Verdict, ...] = ()
    assigned: tuple[tuple[int, int], ...] = ()
    attempt: int = 0
    left: int = 0
    total: int = 0
    at: float = 0.0

    @property
    def place(self) -> tuple[int, ...]:
        """Where it stands in the log."""
        return tuple(int(part) for part in self.cursor.split("."))


def fact(event: event_pb2.Event) -> Fact:
    """Of one event."""
    kind = event.WhichOneof("kind") or ""
    at = event.at.ToNanoseconds() / 1e9
    if kind == "cases_finished":
        return Fact(event.cursor, kind, tuple(map(verdict, event.cases_finished.cases)), at=at)
    if kind == "tasks_assigned":
        assigned = tuple((each.attempt_id, each.cases) for each in event.tasks_assigned.attempts)
        return Fact(event.cursor, kind, assigned=assigned, at=at)
    if kind == "attempt_ended":
        ended = event.attempt_ended
        return Fact(event.cursor, kind, attempt=ended.attempt.attempt_id, left=ended.cases_left, at=at)
    total = event.run_finished.run.counts.total if kind == "run_finished" else 0
    return Fact(event.cursor, kind, total=total, at=at)


def verdict(record: result_pb2.CaseRecord) -> Verdict:
    """Of one record."""
    return Verdict(
        record.target,
        record.case_id,
        int(record.outcome),
        record.attempt_id,
        record.worker_id,
        record.process,
        record.position,
    )
