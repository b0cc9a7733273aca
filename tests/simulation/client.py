"""People with runs: submitted with one request id for as long as it takes, watched, sometimes cancelled."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from crossfleet.coordinator.core.artifact import ArtifactRef, AttachArtifacts
from crossfleet.coordinator.core.commands import DrainWorker, StopRun, SubmitRun
from crossfleet.coordinator.core.override import OverrideDevice
from crossfleet.coordinator.core.quota import Quota, SetQuota
from crossfleet.coordinator.core.reservation import CancelReservation, MakeReservation, Reservation
from crossfleet.coordinator.core.semaphore import SetSemaphore
from crossfleet.foundation.errors import CrossfleetError
from tests.simulation.clock import SimIds
from tests.simulation.coordinator import SimCoordinator
from tests.simulation.suites import PROJECT, SEATS, SEMAPHORE

_ASK_AGAIN = 0.3  # simulated seconds: no test waits for them
_PERSISTENCE = 20


class SimClient:
    """Asks whoever leads, again and again, until there is an answer."""

    def __init__(self, world: Any, submission: SubmitRun, number: int) -> None:
        self._world = world
        self._submission = submission
        self._random = world.chance.stream(f"client {number}")
        self._ids = SimIds(f"client{number}")
        self._asked: SimCoordinator = self._random.choice(world.coordinators)
        self.run_id = ""
        self.cancelled = False
        self._comparing = any(need.changed for target in submission.targets for need in target.needs)
        self.has_asked = False

    async def work(self) -> None:
        """Submit after a while, and see to it that there is what the run asks for."""
        await asyncio.sleep(self._random.random() * 4.0)
        while (SEMAPHORE,) not in self._world.store.rows["semaphores"]:
            await self._ask(SetSemaphore(SEMAPHORE, SEATS))
            await asyncio.sleep(_ASK_AGAIN)
        await self.submit()
        if self._comparing:
            await self._leave()
            while self._world.auditor.books.runs[self.run_id] is None:
                await asyncio.sleep(_ASK_AGAIN)
            again = self._submission.request_id.replace("request", "again")
            self._submission = replace(self._submission, request_id=again)
            await self.submit()
            await self._leave()
        self.has_asked = True

    async def _leave(self) -> None:
        """Something that targets leave to those that compare it, mostly the same."""
        random = self._world.chance.stream(f"artifacts of {self._submission.request_id}")
        needed = {need.target for target in self._submission.targets for need in target.needs if need.changed}
        for target in sorted(needed):
            left = ArtifactRef(target, "a.whl", random.choice("aaab"), 1)
            attach = AttachArtifacts(self.run_id, (left,))
            while ("a.whl", left.digest) not in self._world.auditor.left(self.run_id, target):
                await self._ask(attach)
                await asyncio.sleep(_ASK_AGAIN)

    async def submit(self) -> None:
        """Ask for the run until there is an answer; a second time it must be the same."""
        submission = self._submission  # of one that asks twice another follows meanwhile
        while True:
            answer = await self._ask(replace(submission, run_id=self._ids.new("run")))
            if answer is not None:
                break
            await asyncio.sleep(0.05 + self._random.random() * 0.3)
        self._world.auditor.answers.answered(submission.request_id, answer.run_id)
        if submission is self._submission:
            self.run_id = answer.run_id
        self._world.note("submitted", self.run_id)

    async def reserve(self) -> None:
        """Keep workers, mostly for others, for a while. Nobody else may end that: a run could wait for ever."""
        random = self._world.chance.stream("reservation")
        await asyncio.sleep(random.random() * 5.0)
        project = random.choice([PROJECT, "others", "others"])
        kept = Reservation("r", project, random.choice(["", 'worker.labels["side"] == "left"']), 1, 0.0, 1e12, "", 0.0)
        table = self._world.store.rows["reservations"]
        while ("r",) not in table:
            await self._ask(MakeReservation(kept))
            await asyncio.sleep(_ASK_AGAIN)
        await asyncio.sleep(random.random() * 3.0)
        while ("r",) in table:
            await self._ask(CancelReservation("r"))
            await asyncio.sleep(_ASK_AGAIN)

    async def hide(self, worker_id: str, device_id: str) -> None:
        """Keep a device from work for a while. Nobody else may end that: a run could wait for ever."""
        random = self._world.chance.stream("hiding")
        await asyncio.sleep(random.random() * 5.0)
        table = self._world.store.rows["workers"]
        for hidden in (True, False):
            while (device_id in table.get((worker_id,), {}).get("overrides", "")) != hidden:
                await self._ask(OverrideDevice(worker_id, device_id, hidden=hidden))
                await asyncio.sleep(_ASK_AGAIN)
            await asyncio.sleep(random.random() * 3.0)

    async def limit(self) -> None:
        """Limit what all runs together hold, and change that a few times."""
        random = self._world.chance.stream("quota")
        for _ in range(random.randint(1, 4)):
            runs, gpus = random.choice([None, 1, 2]), random.choice([(), (("gpu", 1),)])
            quota = Quota(PROJECT, random.choice([None, 1, 2, 4]), runs, gpus)
            while self._world.auditor.limits.quota != quota:
                await self._ask(SetQuota(quota))
                await asyncio.sleep(_ASK_AGAIN)
            await asyncio.sleep(random.random() * 3.0)

    async def cancel(self) -> None:
        """Cancel the run once it exists."""
        while not (run_id := self.run_id) or await self._ask(StopRun(run_id, "the user cancelled")) is None:
            await asyncio.sleep(_ASK_AGAIN)
        self.cancelled = True
        self._world.auditor.answers.stopped(run_id)

    async def drain(self, worker_id: str, drain: bool) -> None:
        """Drain a worker, or no longer. One that nobody knows yet is given up."""
        command = DrainWorker(worker_id, drain, "somebody works on it")
        for _ in range(_PERSISTENCE):
            if (drain and self._world.healing) or await self._ask(command) is not None:
                return
            await asyncio.sleep(_ASK_AGAIN)

    async def _ask(self, command: Any) -> Any:
        """One call: the request may not arrive, the answer may get lost; both look alike."""
        asked = self._asked
        reaches = self._world.network.reaches
        await asyncio.sleep(self._random.random() * 0.01)
        process = asked.process
        if process is None or not asked.alive or not reaches("people", asked.name) or self._lost():
            self._turn_to("")
            return None
        answer = asyncio.get_running_loop().create_future()
        process.start(_carry(asked, command, answer))
        try:
            answered = await asyncio.wait_for(answer, 5.0)
        except (TimeoutError, CrossfleetError) as error:
            self._turn_to(getattr(error, "metadata", {}).get("leader", ""))
            self._world.note("no answer", type(command).__name__, type(error).__name__)
            return None
        await asyncio.sleep(self._random.random() * 0.01)
        return None if self._lost() or not reaches("people", asked.name) else answered

    def _lost(self) -> bool:
        return self._random.random() < self._world.client_loss

    def _turn_to(self, address: str) -> None:
        """Whom to ask next: the leader that was named, else any."""
        named = [one for one in self._world.coordinators if one.address == address]
        self._asked = named[0] if named else self._random.choice(self._world.coordinators)


async def _carry(asked: SimCoordinator, command: Any, answer: asyncio.Future[Any]) -> None:
    try:
        result = await asked.commit(command)
    except CrossfleetError as error:
        if not answer.done():
            answer.set_exception(error)
        return
    if not answer.done():
        answer.set_result(result)
