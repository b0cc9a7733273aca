"""Coordinators that share an artifact store: what the old leader took, the new one answers."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from crossfleet.api.types.v1 import run_pb2, suite_pb2
from crossfleet.client import Client, Endpoint
from crossfleet.foundation.wait import eventually
from tests.real import etcd
from tests.real.coordinators import Coordinators
from tests.real.postgres import postgres_server

pytestmark = [pytest.mark.needs_etcd, pytest.mark.slow, pytest.mark.timeout(120)]

PROGRAM = """
import os, pathlib, time
here = pathlib.Path(__file__).parent
left = pathlib.Path(os.environ["CROSSFLEET_ARTIFACTS"])
print("first half", flush=True)
(left / "first.txt").write_text("first")
while not (here / "gate").exists():
    time.sleep(0.01)
print("second half", flush=True)
(left / "second.txt").write_text("second")
"""


@pytest_asyncio.fixture
async def three(folder: Path) -> AsyncIterator[Coordinators]:
    """Three coordinators on one store, and a worker."""
    with etcd.running(folder / "e") as cluster, postgres_server() as server:
        flags = ("--lease-seconds", "4", "--artifacts", (folder / "shared").as_uri())
        running = Coordinators(folder, cluster.endpoints, server.create(folder.name), flags)
        try:
            await asyncio.gather(running.start_scheduler(), *(running.start(name) for name in ("a", "b", "c")))
            await running.start_worker()
            await running.settled(1)
            yield running
        finally:
            await running.stop()


async def test_output_and_artifacts_outlive_the_leader_that_took_them(three: Coordinators, folder: Path) -> None:
    program = folder / "program.py"
    program.write_text(PROGRAM)
    spec = run_pb2.RunSpec(workspace=suite_pb2.Workspace(none=True))
    spec.suite.runner, spec.suite.name = "command", "two halves"
    spec.suite.arguments.extend([sys.executable, "-u", str(program)])
    async with Client.open(Endpoint(three.addresses)) as client:
        run_id = (await client.runs.submit(spec, request_id="r1")).run.run_id

        async def output() -> str:
            return "".join([chunk.content.decode() async for chunk in client.logs.read(run_id)])

        async def sealed() -> bool:
            return any((folder / "shared" / "logs" / run_id).glob("*"))

        await eventually(sealed, deadline=30.0, what="the leader seals the first half")
        first = await three.leader()
        await three.kill(first)
        await three.leader(first)
        (folder / "gate").touch()

        async def finished() -> bool:
            return (await client.runs.get(run_id)).state == run_pb2.RUN_STATE_FINISHED

        await eventually(finished, deadline=40.0, what="the run ends")

        async def whole() -> bool:
            return "second half" in await output()

        await eventually(whole, deadline=40, what="the second half comes")
        after_the_kill = await output()
        names = sorted([artifact.name.rpartition("/")[2] async for artifact in client.artifacts.list(run_id)])
        contents = sorted(
            [
                b"".join([piece async for piece in client.artifacts.download(artifact.digest)])
                async for artifact in client.artifacts.list(run_id)
            ]
        )
        await three.start(first)

        async def mended() -> bool:
            return "may be missing" not in await output()

        await eventually(mended, deadline=30.0, what="the killed leader, back as a follower, seals the end of its term")
        run = await client.runs.get(run_id)

    assert run.verdict == run_pb2.RUN_VERDICT_PASSED
    assert after_the_kill.index("first half") < after_the_kill.index("may be missing")
    assert after_the_kill.index("may be missing") < after_the_kill.index("second half")
    assert (names, contents) == (["first.txt", "second.txt"], [b"first", b"second"])
