"""A fleet of this machine answers before its workers are there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

from crossfleet.api.coordinator.v1.fleet_service_pb2 import WorkerStatus
from crossfleet.api.types.v1.device_pb2 import WORKER_STATE_READY

_WORKERS_SECONDS = 15.0
_LOOK_SECONDS = 0.1


class Listed(Protocol):
    """Where workers are asked for."""

    def workers(self) -> AsyncIterator[WorkerStatus]:
        """All of them."""


async def until_there(fleet: Listed, workers: int) -> None:
    """Returns once so many workers are ready and have found all their devices, or it is plain that they never come."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _WORKERS_SECONDS
    while workers and loop.time() < deadline:
        ready = [one.worker async for one in fleet.workers() if one.worker.state == WORKER_STATE_READY]
        if len(ready) >= workers and not any(one.looking for one in ready):
            return
        await asyncio.sleep(_LOOK_SECONDS)
