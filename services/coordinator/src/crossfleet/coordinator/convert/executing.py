"""What workers are executing, as events without a cursor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from crossfleet.api.coordinator.v1 import event_service_pb2 as event_pb2
from crossfleet.coordinator.convert.runs import set_time
from crossfleet.coordinator.executing.lasting import Lasting, LastingCase
from crossfleet.foundation.clock import Clock


def event(clock: Clock, run_id: str, worker_id: str, cases: Iterable[LastingCase]) -> event_pb2.Event:
    """The event that says which cases of a run last on a worker."""
    now = clock.monotonic()
    made = event_pb2.Event(run_id=run_id)
    set_time(made.at, clock.now())
    made.cases_executing.worker_id = worker_id
    for case in cases:
        made.cases_executing.cases.add(
            target=case.target,
            case_index=case.case_index,
            case_id=case.case_id,
            slot=case.slot,
            attempt_id=case.attempt_id,
            seconds=round(now - case.since, 3),
        )
    return made


def of_run(clock: Clock, lasting: Lasting, run_id: str) -> Iterator[event_pb2.Event]:
    """One event a worker that executes something for the run."""
    for worker_id, cases in lasting.of_run(run_id).items():
        yield event(clock, run_id, worker_id, cases)
