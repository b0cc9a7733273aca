"""Whether the workers of a fleet of this machine are there."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from crossfleet.api.coordinator.v1.fleet_service_pb2 import WorkerStatus
from crossfleet.api.types.v1.device_pb2 import WORKER_STATE_LOST, WORKER_STATE_READY, Worker, WorkerState
from crossfleet.cli.fleet import presence


class Arriving:
    """A fleet that is another one whenever it is asked, and the last one from then on."""

    def __init__(self, *looks: list[Worker]) -> None:
        self.looks = list(looks)

    async def workers(self) -> AsyncIterator[WorkerStatus]:
        for worker in self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]:
            yield WorkerStatus(worker=worker)


def worker(name: str, state: WorkerState.ValueType = WORKER_STATE_READY, *, looking: bool = False) -> Worker:
    return Worker(worker_id=name, state=state, looking=looking)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "_LOOK_SECONDS", 0.0)


async def test_workers_are_waited_for_until_they_are_ready_and_have_found_all_their_devices() -> None:
    gone, there = worker("old", WORKER_STATE_LOST), [worker("w1"), worker("w2")]
    fleet = Arriving([gone], [gone, worker("w1")], [worker("w1", looking=True), worker("w2")], there)
    await presence.until_there(fleet, 2)
    assert fleet.looks == [there]


async def test_workers_that_never_come_are_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "_WORKERS_SECONDS", 0.05)
    fleet = Arriving([worker("w1", looking=True)])
    await presence.until_there(fleet, 1)
    assert len(fleet.looks) == 1


async def test_nobody_is_waited_for_in_a_fleet_that_is_joined() -> None:
    fleet = Arriving([], [worker("w1")])
    await presence.until_there(fleet, 0)
    assert len(fleet.looks) == 2
