"""What an event log says of set-ups and losses."""

from __future__ import annotations

from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from crossfleet.api.coordinator.v1.event_service_pb2 import AllocationOpened, Event, TasksAssigned, WorkerChanged
from crossfleet.api.types.v1.result_pb2 import Attempt
from crossfleet.simulation.logged import Logged
from crossfleet.simulation.trace.rows import BackRow, LostRow


def event(at: int, run_id: str = "", **kind: Any) -> Event:
    return Event(at=Timestamp(seconds=at), run_id=run_id, **kind)


def opened(at: int, worker: str, run_id: str = "r") -> Event:
    return event(at, run_id, allocation_opened=AllocationOpened(allocation_id="a", target="t", worker_id=worker))


def assigned(at: int, worker: str, run_id: str = "r") -> Event:
    return event(at, run_id, tasks_assigned=TasksAssigned(target="t", attempts=[Attempt(worker_id=worker)]))


def changed(at: int, worker: str, state: str, device: str = "") -> Event:
    return event(at, worker_changed=WorkerChanged(worker_id=worker, state=f"WORKER_STATE_{state}", device_id=device))


def logged(*events: Event) -> Logged:
    made = Logged()
    for one in events:
        made.take(one)
    return made


def test_the_setup_of_a_target_is_the_median_from_its_allocations_to_their_first_tasks():
    found = logged(
        *(opened(10, "w1"), opened(10, "w2"), opened(11, "w3"), opened(10, "w1", "other")),
        *(assigned(12, "w1"), assigned(13, "w1"), assigned(17, "w3"), assigned(90, "w2"), assigned(30, "w1", "other")),
    )
    assert (found.setup("r", "t"), found.setup("other", "t"), found.setup("r", "unknown")) == (6, 20, 0)


def test_losses_lie_within_the_trace_and_each_worker_is_lost_before_it_is_back():
    found = logged(
        *(changed(1, "early", "LOST"), changed(2, "gone", "READY"), changed(20, "early", "READY")),
        *(changed(25, "gone", "LOST"), changed(26, "gone", "LOST"), changed(27, "stranger", "LOST")),
        *(changed(30, "gone", "QUARANTINED", "gpu-0"), changed(31, "gone", "READY"), changed(99, "early", "LOST")),
    )
    rows = [*found.losses(10, 50, ["early", "gone"])]
    assert rows == [LostRow(0, "early"), BackRow(10, "early"), LostRow(15, "gone"), BackRow(21, "gone")]
