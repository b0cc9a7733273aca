"""A store of artifacts that goes away while tests run: their verdicts stand, and what they left comes later."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from signal import SIGKILL

import pytest_asyncio

from crossfleet.api.types.v1 import run_pb2, suite_pb2
from crossfleet.client import Client, Endpoint
from crossfleet.foundation.wait import eventually
from tests.commands import run_crossfleet
from tests.faults.verdicts import watched
from tests.integration.processes import Fleet

PROGRAM = """
import os, pathlib, time
here = pathlib.Path(__file__).parent
(here / "begun").touch()
while not (here / "gate").exists():
    time.sleep(0.01)
(pathlib.Path(os.environ["CROSSFLEET_ARTIFACTS"]) / "left.txt").write_text("left by a test")
"""


@pytest_asyncio.fixture
async def fleet(folder: Path) -> AsyncIterator[Fleet]:
    """A fleet with one worker, whose artifacts go to a folder of its own."""
    async with Fleet(folder, flags=("--artifacts", (folder / "shared").as_uri())) as running:
        await running.start()
        yield running


def take_away(store: Path) -> Path:
    """As a file server that is not mounted any more. Answers where its content is meanwhile."""
    content = store.with_name("elsewhere")
    store.mkdir(exist_ok=True)
    store.rename(content)
    store.touch()
    return content


def bring_back(store: Path) -> None:
    """Mounted again."""
    store.unlink()
    store.with_name("elsewhere").rename(store)


async def test_what_could_not_be_stored_is_missing_by_name_and_comes_later_also_from_the_next_agent(
    fleet: Fleet, folder: Path
) -> None:
    program = folder / "program.py"
    program.write_text(PROGRAM)
    spec = run_pb2.RunSpec(workspace=suite_pb2.Workspace(none=True))
    spec.suite.runner, spec.suite.name = "command", "leaves a file"
    spec.suite.arguments.extend([sys.executable, str(program)])
    async with Client.open(Endpoint(f"unix:{folder}/c")) as client:
        submitted = await client.runs.submit(spec, request_id="r1")
        run_id = submitted.run.run_id
        await eventually((folder / "begun").exists, deadline=40, what="the test begins")
        take_away(folder / "shared")
        began = time.monotonic()
        (folder / "gate").touch()
        events = await watched(client, submitted)

        async def given_back() -> bool:
            return not any(target.worker_ids for target in (await client.runs.get(run_id)).targets)

        await eventually(given_back, deadline=40, what="the slots are given back")
        took = time.monotonic() - began
        waiting = await client.artifacts.waiting(run_id)
        told = [
            event async for event in client.events.watch(after=events[-1].cursor, run_id=run_id, until_finished=True)
        ]
        address = {"CROSSFLEET_ADDRESS": f"unix:{folder}/c"}
        shown = (await run_crossfleet("show", run_id, cwd=folder, env=address)).out
        await fleet.services["w1"].end(SIGKILL)
        bring_back(folder / "shared")
        await fleet.start_worker()

        async def there() -> bool:
            return [one.name async for one in client.artifacts.list(run_id)] == ["w1/0/left.txt"]

        await eventually(there, deadline=40, what="what was missing")
        artifacts = [one async for one in client.artifacts.list(run_id)]
        content = b"".join([piece async for piece in client.artifacts.download(artifacts[0].digest)])
        still = await client.artifacts.waiting(run_id)

    assert events[-1].run_finished.run.verdict == run_pb2.RUN_VERDICT_PASSED
    assert [(one.name, one.target, one.worker_id) for one in waiting] == [("w1/0/left.txt", "default", "w1")]
    assert [list(event.artifacts_waiting.names) for event in told if event.HasField("artifacts_waiting")] == [
        ["w1/0/left.txt"]
    ]
    assert "missing    1 file" in shown
    assert "w1/0/left.txt [default], on w1" in shown
    assert (content, list(still)) == (b"left by a test", [])
    assert took < 10
