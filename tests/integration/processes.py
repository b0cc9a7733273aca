"""Real services as processes, for tests: started with their own flags, watched by their readiness line, always ended."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from crossfleet.api.coordinator.v1 import event_service_pb2 as event_pb2
from crossfleet.api.coordinator.v1 import fleet_service_pb2 as fleet_pb2
from crossfleet.api.coordinator.v1 import run_service_pb2 as run_service
from crossfleet.api.coordinator.v1.event_service_pb2_grpc import EventServiceStub
from crossfleet.api.coordinator.v1.fleet_service_pb2_grpc import FleetServiceStub
from crossfleet.api.coordinator.v1.log_service_pb2_grpc import LogServiceStub
from crossfleet.api.coordinator.v1.run_service_pb2_grpc import RunServiceStub
from crossfleet.api.types.v1 import run_pb2
from crossfleet.foundation.channel import open_channel
from crossfleet.foundation.wait import eventually

START_SECONDS = 30.0


@dataclass
class Service:
    """One process and where it serves."""

    name: str
    process: asyncio.subprocess.Process
    address: str

    async def end(self, number: int = signal.SIGTERM) -> int:
        """Signal it and wait for its end."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        if number == signal.SIGSTOP:
            return 0
        try:
            return await asyncio.wait_for(self.process.wait(), 15)
        except TimeoutError:
            self.process.kill()
            return await self.process.wait()


async def start_service(name: str, *flags: str, log: Path, name_of: str = "") -> Service:
    """Start `python -m crossfleet.NAME`, or a module of the tests, and wait until it says that it serves."""
    with log.open("ab") as stderr:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            name if name.startswith("tests.") else f"crossfleet.{name}",
            *flags,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            cwd=Path(__file__).parents[2],
        )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        said = json.loads(line or b"{}")
        assert said.get("ready"), f"{name} did not start: {said} {log.read_text()[-3000:]}"
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    return Service(name_of or name, process, said["address"])


@dataclass
class Fleet:
    """A coordinator, a scheduler and workers on one machine, and stubs to talk to the coordinator."""

    folder: Path
    services: dict[str, Service] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    socket: str = "c"

    async def __aenter__(self) -> Self:
        self._stack = AsyncExitStack()
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Workers first: they tell the coordinator what they still have."""
        await self._stack.aclose()
        for service in self.services.values():
            if service.process.returncode is None:
                service.process.send_signal(signal.SIGCONT)
        last = [self.services.pop(name) for name in ("scheduler", "coordinator") if name in self.services]
        for together in (self.services.values(), last):
            await asyncio.gather(*(service.end() for service in together))

    def log(self, name: str) -> Path:
        """Where a service logs."""
        return self.folder / f"{name}.log"

    async def start(self, name: str = "w1", slots: int = 2, *flags: str) -> None:
        """Start scheduler, coordinator and a worker at once, and wait until they know each other."""
        await asyncio.gather(self.start_scheduler(), self.start_coordinator(), self.start_worker(name, slots, *flags))
        await self.connect()
        await self.settled(1)

    async def start_coordinator(self, *flags: str) -> Service:
        """On the fleet's data folder; also again, after it was ended, and then at another socket if one is set."""
        service = await start_service(
            "coordinator",
            *("--data", str(self.folder / "data"), "--listen", f"unix:{self.folder}/{self.socket}", "--embedded"),
            *("--scheduler", f"unix:{self.folder}/s", *self.flags, *flags),
            log=self.log("coordinator"),
        )
        self.services["coordinator"] = service
        return service

    async def start_scheduler(self) -> Service:
        """The default scheduler."""
        service = await start_service("scheduler", "--listen", f"unix:{self.folder}/s", log=self.log("scheduler"))
        self.services["scheduler"] = service
        return service

    async def start_worker(self, name: str = "w1", slots: int = 2, *flags: str) -> Service:
        """A worker with a state folder of its own."""
        state = self.folder / name
        service = await start_service(
            "worker",
            *("--coordinator", f"unix:{self.folder}/c", "--name", name, "--slots", str(slots), "--embedded"),
            *("--state", str(state), "--cache", str(self.folder / "cache"), *flags),
            log=self.log(name),
            name_of=name,
        )
        self.services[name] = service
        return service

    async def connect(self) -> None:
        """Open a channel to the coordinator."""
        channel = await self._stack.enter_async_context(open_channel(f"unix:{self.folder}/c"))
        self.runs, self.events = RunServiceStub(channel), EventServiceStub(channel)
        self.fleet, self.logs = FleetServiceStub(channel), LogServiceStub(channel)

    async def settled(self, workers: int) -> None:
        """Wait until the scheduler and so many workers are there."""

        async def there() -> bool:
            found = await self.fleet.GetFleet(fleet_pb2.GetFleetRequest())
            return found.scheduler_connected and found.workers_by_state.get("WORKER_STATE_READY", 0) >= workers

        await eventually(there, deadline=40, what=f"a scheduler and {workers} workers")

    async def submit(self, spec: run_pb2.RunSpec, request_id: str) -> run_service.SubmitRunResponse:
        """Submit a run."""
        return await self.runs.SubmitRun(run_service.SubmitRunRequest(request_id=request_id, spec=spec))

    async def watch(self, submitted: run_service.SubmitRunResponse, seconds: float = 60.0) -> list[event_pb2.Event]:
        """All events of a run, from its first to its end."""
        request = event_pb2.WatchEventsRequest(
            after=submitted.event_cursor, run_id=submitted.run.run_id, until_finished=True
        )
        found: list[event_pb2.Event] = []
        async with asyncio.timeout(seconds):
            async for response in self.events.WatchEvents(request):
                found += response.events
        return found

    async def cases(self, run_id: str) -> dict[tuple[str, str], int]:
        """Outcome by target and case id."""
        found: dict[tuple[str, str], int] = {}
        token = ""
        while True:
            page = await self.runs.ListCases(run_service.ListCasesRequest(run_id=run_id, page_token=token))
            found |= {(case.target, case.case_id): case.outcome for case in page.cases}
            token = page.next_page_token
            if not token:
                return found
