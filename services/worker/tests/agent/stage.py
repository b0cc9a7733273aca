"""An agent as a process, its shim, and a scripted coordinator in the test's own loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from crossfleet.api.types.v1 import suite_pb2
from crossfleet.api.worker.v1 import worker_service_pb2 as wire
from crossfleet.foundation.serve import Server, ServerSettings, ServiceDefinition
from crossfleet.foundation.wait import eventually
from services.worker.tests.agent import coordinator as scripted
from services.worker.tests.agent import store as stored
from services.worker.tests.agent.coordinator import PATIENCE, ScriptedCoordinator
from services.worker.tests.agent.store import MemoryStore


class Stage:
    """Folders, coordinator and agents of one test. Whatever it started is gone when it closes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = f"unix:{folder / 'c.sock'}"
        self.coordinator = ScriptedCoordinator()
        self.store = MemoryStore()
        self.agents: list[subprocess.Popen[str]] = []
        self._server: Server | None = None

    @property
    def state(self) -> Path:
        """The state folder of the worker."""
        return self.folder / "w"

    async def serve(self) -> None:
        """Let the coordinator listen."""
        definition = ServiceDefinition(
            "coordinator", [*scripted.servicers(self.coordinator), *stored.servicers(self.store)]
        )
        self._server = Server(definition, ServerSettings(listen=(self.address,), stop_seconds=0.2))
        await self._server.start()

    async def vanish(self) -> None:
        """End the coordinator without a word."""
        if self._server is not None:
            self._server.draining.begin("test")
            for sitting in self.coordinator.sittings:
                sitting.down.put_nowait(None)
            await self._server.stop()
            self._server = None

    def start(
        self,
        *arguments: str,
        embedded: bool = True,
        environment: dict[str, str] | None = None,
        inherited: tuple[int, ...] = (),
        program: tuple[str, ...] = ("-m", "crossfleet.worker"),
    ) -> subprocess.Popen[str]:
        """Start an agent over this stage's state folder."""
        command = [sys.executable, *program, "--coordinator", self.address, "--name", "w1"]
        command += ["--state", str(self.state), "--cache", str(self.folder / "cache"), "--slots", "2"]
        command += ["--orphan-seconds", "20", *(["--embedded"] if embedded else []), *arguments]
        with (self.folder / "agent.log").open("a") as log:
            agent = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **(environment or {})},
                pass_fds=inherited,
            )
        self.agents.append(agent)
        return agent

    async def ready(self, agent: subprocess.Popen[str]) -> dict[str, object]:
        """The readiness line."""
        assert agent.stdout is not None
        line = await asyncio.wait_for(asyncio.to_thread(agent.stdout.readline), PATIENCE)
        answer: dict[str, object] = json.loads(line)
        return answer

    async def ended(self, agent: subprocess.Popen[str]) -> int:
        """The exit status, once it has ended."""
        return await asyncio.wait_for(asyncio.to_thread(agent.wait), PATIENCE)

    def shims(self) -> list[int]:
        """Process ids of the shims over this state folder."""
        return _processes(f"crossfleet.worker.shim\0--state\0{self.state}")

    def runners(self) -> list[int]:
        """Process ids of the runners under this state folder, dead ones that nobody has reaped left out."""
        return _processes(f"{self.state}/shim/runner.sock")

    def suite(self, **files: str) -> Path:
        """A folder with a pytest suite: `name="text"` becomes `name.py`."""
        root = self.folder / "suite"
        root.mkdir(exist_ok=True)
        (root / "pytest.ini").write_text("[pytest]\n")
        for name, text in files.items():
            (root / f"{name}.py").write_text(text)
        return root

    def open(self, allocation: str = "a1", **fields: object) -> None:
        """Order an allocation: by default the pytest suite in place, on slot 0."""
        order: dict[str, object] = {
            "allocation_id": allocation,
            "run_id": "run-1",
            "target": "default",
            "slots": [0],
            "suite": suite_pb2.Suite(name="s", runner="pytest", arguments=["-p", "no:cacheprovider"]),
            "workspace": suite_pb2.Workspace(local_path=str(self.folder / "suite")),
            "environment": suite_pb2.Environment(local_python=sys.executable),
            **fields,
        }
        self.coordinator.say(open_allocation=wire.OpenAllocation(**order))  # type: ignore[arg-type]

    def assign(
        self, attempt: int, cases: list[int], *, slot: int = 0, last: bool = True, allocation: str = "a1"
    ) -> None:
        """Assign one task."""
        task = wire.AssignedTask(attempt_id=attempt, slot=slot, case_indices=cases, last=last)
        self.coordinator.say(assign=wire.Assign(allocation_id=allocation, tasks=[task]))

    def close_allocation(self, allocation: str = "a1") -> None:
        """Order an allocation to be given back."""
        self.coordinator.say(close_allocation=wire.CloseAllocation(allocation_id=allocation))

    def close_slots(self, *slots: int, allocation: str = "a1") -> None:
        """Order single slots to be given back."""
        self.coordinator.say(close_slots=wire.CloseSlots(allocation_id=allocation, slots=slots))

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait until the condition holds, at most PATIENCE seconds."""
        await eventually(condition, deadline=PATIENCE, what=what)

    async def collected(self, allocation: str = "a1") -> list[str]:
        """The ids of the cases, once they are known. Fails early when the allocation has ended instead."""
        pieces = self.coordinator.collected
        await eventually(
            lambda: (allocation in pieces and not pieces[allocation][-1].more) or allocation in self.coordinator.ended,
            deadline=PATIENCE,
            what="a collection",
        )
        if allocation not in pieces:
            raise AssertionError(f"ended instead: {self.coordinator.ended[allocation]}")
        return [case.case_id for piece in pieces[allocation] for case in piece.cases]

    async def finished(self, attempt: int) -> wire.AttemptFinished:
        """The end of an attempt."""
        await eventually(
            lambda: attempt in self.coordinator.finished, deadline=PATIENCE, what=f"end of attempt {attempt}"
        )
        return self.coordinator.finished[attempt]

    async def allocation_ended(self, allocation: str = "a1") -> wire.AllocationEnded:
        """The end of an allocation."""
        await eventually(lambda: allocation in self.coordinator.ended, deadline=PATIENCE, what=f"end of {allocation}")
        return self.coordinator.ended[allocation]

    async def close(self) -> None:
        """End everything."""
        await self.vanish()
        for agent in self.agents:
            agent.kill()
            agent.wait()
            if agent.stdout is not None:
                agent.stdout.close()
        for pid in self.shims():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        await eventually(lambda: not self.shims(), deadline=PATIENCE, what="the end of the shim")


def _processes(command: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if command in (entry / "cmdline").read_bytes().decode("utf-8", "replace"):
                    found.append(int(entry.name))
    return found


@asynccontextmanager
async def staged(*, serving: bool = True) -> AsyncIterator[Stage]:
    """A stage in a folder with a short name, as Unix sockets need."""
    with tempfile.TemporaryDirectory(prefix="cfw-") as folder:
        stage = Stage(Path(folder))
        try:
            if serving:
                await stage.serve()
            yield stage
        finally:
            await stage.close()
