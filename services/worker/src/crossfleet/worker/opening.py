"""Opening allocations: preparing what they need beside everything else that goes on."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Mapping

from crossfleet.api.types.v1.device_pb2 import Device
from crossfleet.api.worker.v1.worker_service_pb2 import OpenAllocation
from crossfleet.foundation.errors import CrossfleetError, DiskFull, FieldViolation, InvalidArgument, Unavailable
from crossfleet.foundation.logs import get_logger
from crossfleet.worker.about import About, about_from
from crossfleet.worker.core.holdings import Phase
from crossfleet.worker.core.link import Link
from crossfleet.worker.instant import Instant
from crossfleet.worker.preparation import Preparation
from crossfleet.worker.runners.registry import Runners
from crossfleet.worker.runners.runner import AgentRunner, ProcessRunner
from crossfleet.worker.shimlink import ShimLink
from crossfleet.worker.translate import downward, upward

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class Openings:
    """Prepares allocations and hands them to the shim, or to the agent's own runners."""

    def __init__(
        self,
        link: Link,
        shim: ShimLink,
        *,
        runners: Runners,
        preparation: Preparation,
        devices: Callable[[], Mapping[str, Device]],
        say: Callable[[About, str], None],
        wake: Callable[[], None],
    ) -> None:
        """`devices` answers the worker's devices by id; `say` gets lines for the run's log."""
        self._link = link
        self._shim = shim
        self._runners = runners
        self.preparation = preparation
        self._devices = devices
        self._say = say
        self._wake = wake
        self._preparing: dict[str, asyncio.Task[None]] = {}
        self.instants: dict[str, Instant] = {}
        self.abouts: dict[str, About] = {}

    def open(self, order: OpenAllocation) -> None:
        """Begin an allocation; one that is held already is left as it is."""
        allocation = order.allocation_id
        holding = self._link.holdings.open(allocation, order.slots)
        if holding is None:
            return
        self.abouts[allocation] = About(
            order.run_id,
            order.target,
            tuple(order.slots),
            order.known_collection_digest,
            order.max_failures,
            tuple(dict.fromkeys(device for slot in order.devices for device in slot.device_ids)),
            tuple(tuple(slot.device_ids) for slot in order.devices),
        )
        try:
            runner = self._runners.get(order.suite.runner)
            if isinstance(runner, AgentRunner) and order.HasField("gates"):
                field = FieldViolation(
                    "request.gates", f"runner {order.suite.runner} executes nothing that could be gated"
                )
                raise InvalidArgument(f"runner {order.suite.runner} knows no gates", fields=[field])
            if isinstance(runner, AgentRunner):
                instant = Instant(runner, order.suite, order.known_collection_digest, order.cases_left_out)
                instant.collect(self._link, allocation)
                self.instants[allocation] = instant
                holding.advance(Phase.READY)
            else:
                task = asyncio.ensure_future(self._prepare(order, runner))
                self._preparing[allocation] = task
                task.add_done_callback(lambda _: self._preparing.pop(allocation, None))
        except CrossfleetError as error:
            self.fail(allocation, error)
        self._wake()

    def cancel(self, allocation: str) -> bool:
        """Stop preparing. False: it was not being prepared."""
        task = self._preparing.pop(allocation, None)
        return task is not None and task.cancel()

    def drop(self) -> None:
        """Forget everything: the shim that held it is gone."""
        for task in self._preparing.values():
            task.cancel()
        self._preparing.clear()
        self.instants.clear()
        self.abouts.clear()

    def forget(self, allocation: str) -> None:
        """An allocation has ended."""
        self.instants.pop(allocation, None)
        self.abouts.pop(allocation, None)

    def fail(self, allocation: str, error: CrossfleetError) -> None:
        """End an allocation that could not begin. What the suite itself got wrong is no fault of this machine."""
        self.end(allocation, _cause(error), f"{error.reason}: {error}")

    def end(self, allocation: str, cause: str, message: str) -> None:
        """End an allocation that the shim does not have; tasks that came for it are left."""
        holding = self._link.holdings.get(allocation)
        if holding is None or holding.phase is Phase.ENDED:
            return
        for task in holding.early:
            line = {"attempt": task.attempt, "cause": "environment", "message": message, "left": task.cases}
            self._link.finished(task.attempt, upward.attempt_finished(line))
        holding.early.clear()
        holding.advance(Phase.ENDED)
        ended = upward.ended(allocation, cause, message)
        ended.names_lost_artifacts = True  # nothing was left
        self._link.ended(allocation, ended)
        self.forget(allocation)
        self._wake()

    def recall(self, allocation: str) -> About | None:
        """What an earlier agent wrote down about an allocation."""
        about = about_from(self.preparation.place(allocation))
        if about is not None:
            self.abouts[allocation] = about
        return about

    async def _prepare(self, order: OpenAllocation, runner: ProcessRunner) -> None:
        allocation = order.allocation_id
        about = self.abouts[allocation]
        loop = asyncio.get_running_loop()

        def say(text: str) -> None:
            loop.call_soon_threadsafe(self._say, about, text)

        try:
            launch = runner.launch(order.suite)
            opening = await self.preparation.prepare(order, launch, self._devices(), say)
            about.write_to(self.preparation.place(allocation))
        except CrossfleetError as error:
            self.fail(allocation, error)
        except Exception as error:  # noqa: BLE001 - one allocation must not end the agent
            get_logger().error("an allocation could not be prepared", allocation=allocation, exc_info=error)
            self.end(allocation, _cause(error), f"the worker could not prepare it: {error}")
        else:
            holding = self._link.holdings.get(allocation)
            if holding is not None:
                holding.advance(Phase.COLLECTING)
                self._shim.send(downward.open_line(opening))
                if holding.to_close:
                    self._shim.send(downward.close_slots_line(allocation, sorted(holding.to_close)))


def _cause(error: Exception) -> str:
    """The class of the failure, see docs/failures.md."""
    if isinstance(error, InvalidArgument):
        return "collection"
    if isinstance(error, DiskFull) or (isinstance(error, OSError) and error.errno in _FULL):
        return "disk_full"
    return "network" if isinstance(error, Unavailable) else "environment"
