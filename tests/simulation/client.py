"""People with runs: submitted with one request id for as long as it takes, watched, sometimes cancelled."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from crossfleet.coordinator.core.commands import DrainWorker, StopRun, SubmitRun
from crossfleet.foundation.errors import CrossfleetError
from tests.simulation.clock import SimIds
from tests.simulation.coordinator import SimCoordinator

_ASK_AGAIN = 0.3  # simulated seconds: no test waits for them


class SimClient:
    """Asks whoever leads, again and again, until there is an answer."""

    def __init__(self, world: Any, submission: SubmitRun, number: int) -> None:
        self._world = world
        self._submission = submission
        self._random = world.chance.stream(f"client {number}")
        self._ids = SimIds(f"client{number}")
        self.run_id = ""
        self.cancelled = False

    async def work(self) -> None:
        """Submit after a while."""
        await asyncio.sleep(self._random.random() * 4.0)
        await self.submit()

    async def submit(self) -> None:
        """Ask for the run until there is an answer; a second time it must be the same."""
        while True:
            answer = await self._ask(replace(self._submission, run_id=self._ids.new("run")))
            if answer is not None:
                break
            await asyncio.sleep(0.05 + self._random.random() * 0.3)
        self._world.auditor.answered(self._submission.request_id, answer.run_id)
        self.run_id = answer.run_id
        self._world.note("submitted", self.run_id)

    async def cancel(self) -> None:
        """Cancel the run once it exists."""
        while not self.run_id or await self._ask(StopRun(self.run_id, "the user cancelled")) is None:
            await asyncio.sleep(_ASK_AGAIN)
        self.cancelled = True

    async def drain(self, worker_id: str, drain: bool) -> None:
        """Drain a worker, or no longer."""
        await self._ask(DrainWorker(worker_id, drain, "somebody works on it"))

    async def _ask(self, command: Any) -> Any:
        """One call: the request may not arrive, the answer may get lost; both look alike."""
        leader: SimCoordinator | None = self._world.leader
        await asyncio.sleep(self._random.random() * 0.01)
        if leader is None or not leader.process.alive or self._random.random() < self._world.client_loss:
            return None
        answer = asyncio.get_running_loop().create_future()
        leader.process.start(_carry(leader, command, answer))
        try:
            answered = await asyncio.wait_for(answer, 5.0)
        except (TimeoutError, CrossfleetError) as error:
            self._world.note("no answer", type(command).__name__, type(error).__name__)
            return None
        await asyncio.sleep(self._random.random() * 0.01)
        return None if self._random.random() < self._world.client_loss else answered


async def _carry(leader: SimCoordinator, command: Any, answer: asyncio.Future[Any]) -> None:
    try:
        result = await leader.commit(command)
    except CrossfleetError as error:
        if not answer.done():
            answer.set_exception(error)
        return
    if not answer.done():
        answer.set_result(result)
