"""A fleet without workers of its own, a bridge, and a real Slurm."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from crossfleet.api.coordinator.v1 import run_service_pb2 as run_service
from crossfleet.api.types.v1 import run_pb2, suite_pb2
from crossfleet.foundation.wait import eventually
from tests.integration.processes import Fleet, Service, start_service
from tests.real.slurm import SlurmCluster, slurm_cluster


@pytest.fixture(scope="session")
def slurm() -> Iterator[SlurmCluster]:
    # The paths of its sockets must be short.
    with tempfile.TemporaryDirectory(prefix="cf-") as folder, slurm_cluster(Path(folder)) as cluster:
        yield cluster


@dataclass
class Bridged:
    """A fleet whose workers come from Slurm. `name` is that of its jobs."""

    fleet: Fleet
    slurm: SlurmCluster
    name: str
    flags: dict[str, object] = field(default_factory=dict)

    async def start_bridge(self, **flags: object) -> Service:
        """Begin; also again, after it was killed."""
        self.flags = self.flags | flags
        folder = self.fleet.folder
        given = {
            "listen": f"unix:{folder}/b",
            "scheduler": f"unix:{folder}/s",
            "coordinator": f"unix:{folder}/c",
            "name": self.name,
            "poll_seconds": 0.3,
            "patience_seconds": 0.3,
            "linger_seconds": 0.5,
            "idle_seconds": 1,
            "logs": folder,
            "cache": folder / "cache",
            "log_format": "console",
            **self.flags,
        }
        words = [f"--{key.replace('_', '-')}={value}" for key, value in given.items()]
        worker = [sys.executable, "-P", "-m", "crossfleet.worker", "--embedded"]
        service = await start_service(
            "slurm", *words, *(f"--worker={word}" for word in worker), log=self.fleet.log("bridge")
        )
        self.fleet.services["bridge"] = service
        return service

    async def submit(self, count: int = 6, seconds: float = 0.2, **spec: object) -> run_service.SubmitRunResponse:
        """A run of a pytest suite in place: so many cases of so many seconds."""
        root = self.fleet.folder / "suite"
        root.mkdir(exist_ok=True)
        (root / "pytest.ini").write_text("[pytest]\n")
        (root / "test_it.py").write_text(
            "import time, pytest\n\n"
            f"@pytest.mark.parametrize('number', range({count}))\n"
            f"def test_it(number): time.sleep({seconds})\n"
        )
        suite = suite_pb2.Suite(name="s", runner="pytest", arguments=["-p", "no:cacheprovider"])
        given: dict[str, Any] = {"suite": suite, "workspace": suite_pb2.Workspace(local_path=str(root)), **spec}
        return await self.fleet.submit(run_pb2.RunSpec(**given), request_id=os.urandom(8).hex())

    async def waiting_text(self, run_id: str) -> str:
        """Why the first target of a run waits."""
        answer = await self.fleet.runs.GetRun(run_service.GetRunRequest(run_id=run_id))
        return next((target.waiting_reason for target in answer.run.targets), "")

    async def told(self, run_id: str, words: str, seconds: float = 40.0) -> str:
        """Wait until the waiting text of a run has these words."""
        seen = ""

        async def found() -> bool:
            nonlocal seen
            seen = await self.waiting_text(run_id)
            return words in seen

        try:
            await eventually(found, deadline=seconds, what=words)
        except BaseException:
            print(f"it says {seen!r}; the bridge says\n{self.fleet.log('bridge').read_text()[-3000:]}")
            raise
        return seen


@pytest.fixture
async def bridged(slurm: SlurmCluster, monkeypatch: pytest.MonkeyPatch, request) -> AsyncIterator[Bridged]:
    for name in ("PATH", "LD_LIBRARY_PATH", "SLURM_CONF"):
        if name in slurm.environment:
            monkeypatch.setenv(name, slurm.environment[name])
    with tempfile.TemporaryDirectory(prefix="cf-") as folder:
        fleet = Fleet(Path(folder), flags=("--scheduler", f"unix:{folder}/b", "--lease-seconds", "3"))
        found = Bridged(fleet, slurm, f"t{os.urandom(4).hex()}")
        async with fleet:
            await asyncio.gather(fleet.start_scheduler(), fleet.start_coordinator())
            await fleet.connect()
            try:
                yield found
            finally:
                slurm.open()
                slurm.forget_jobs(found.name)
