"""Commands and the gateway in front of three coordinators: what a person sees when the leader is lost, and when all are."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.commands import crossfleet
from tests.faults.gated import GatedSuite
from tests.integration.processes import start_service
from tests.real.coordinators import Coordinators

pytestmark = pytest.mark.needs_etcd

PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider")


@pytest.mark.parametrize(
    "number",
    [pytest.param(signal.SIGKILL, id="killed"), pytest.param(signal.SIGTERM, id="told to go", marks=pytest.mark.slow)],
)
async def test_run_and_watch_go_on_with_the_next_leader_and_say_so(
    three: Coordinators, suite: GatedSuite, number: signal.Signals
) -> None:
    environment = {"CROSSFLEET_ADDRESS": three.addresses}
    async with crossfleet("run", "--", *PYTEST, cwd=suite.folder, env=environment) as run:
        await suite.begun()
        async with crossfleet("runs", "--output", "json", cwd=suite.folder, env=environment) as runs:
            (found,) = json.loads((await runs.finished()).out)["runs"]
        async with crossfleet("watch", found["run_id"], cwd=suite.folder, env=environment) as watch:
            first = await three.leader()
            await three.end(first, number)
            second = await three.leader(first)
            suite.open()
            done, watched = await run.finished(), await watch.finished()

    assert (done.status, watched.status) == (0, 0), done.text + watched.text
    assert f"following {three.address(second)}" in done.err
    assert f"{suite.total} passed" in done.out
    assert suite.ran() == suite.names


async def test_doctor_and_workers_name_the_leader_and_a_gateway_finds_it(three: Coordinators, folder: Path) -> None:
    environment = {"CROSSFLEET_ADDRESS": three.addresses}
    leader = await three.leader()
    gone, follower = (name for name in three.services if name != leader)
    gateway = await gateway_of(three, folder)
    await three.kill(gone)
    async with (
        crossfleet("doctor", "--output", "json", cwd=folder, env=environment) as doctor,
        crossfleet("workers", cwd=folder, env=environment) as workers,
    ):
        findings = json.loads((await doctor.finished()).out)["findings"]
        shown = await workers.finished()

    said = {each["subject"]: (each["status"], each["text"]) for each in findings}
    assert said[f"coordinator {three.address(leader)}"] == ("ok", "leads, epoch 1")
    assert said[f"coordinator {three.address(follower)}"] == ("ok", f"follows {three.address(leader)}")
    assert said[f"coordinator {three.address(gone)}"][0] == "warn"
    assert f"led by {three.address(leader)}, epoch 1" in shown.out
    await three.kill(leader)
    assert await asyncio.to_thread(_status, f"{gateway}/readyz") == 200


async def test_an_operator_may_ask_any_coordinator(three: Coordinators, folder: Path) -> None:
    leader = await three.leader()
    await three.settled(0)
    follower = next(name for name in three.services if name != leader)
    environment = {"CROSSFLEET_ADDRESS": three.address(follower)}
    async with (
        crossfleet("admin", "backup", f"{folder}/backup", cwd=folder, env=environment) as backup,
        crossfleet("admin", "retention", cwd=folder, env=environment) as retention,
        crossfleet("doctor", "--output", "json", cwd=folder, env=environment) as doctor,
    ):
        done = [await backup.finished(), await retention.finished()]
        findings = json.loads((await doctor.finished()).out)["findings"]

    assert [each.status for each in done] == [0, 0], done
    assert {each["subject"]: each["status"] for each in findings}["scheduler"] == "ok", findings


async def gateway_of(three: Coordinators, folder: Path) -> str:
    """Start one that knows all coordinators; answers where it serves HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        web = f"127.0.0.1:{free.getsockname()[1]}"
    flags = ("--coordinator", three.addresses, "--http", web, "--listen", f"unix:{folder}/g.s")
    three.workers["gateway"] = await start_service("integrations", *flags, log=folder / "gateway.log")
    return f"http://{web}"


async def test_commands_end_with_three_when_all_coordinators_are_gone(three: Coordinators, suite: GatedSuite) -> None:
    environment = {"CROSSFLEET_ADDRESS": three.addresses, "CROSSFLEET_OUTAGE_SECONDS": "2"}
    async with crossfleet("run", "--", *PYTEST, cwd=suite.folder, env=environment) as run:
        await suite.begun()
        for name in three.services:
            await three.kill(name)
        done = await run.finished()
    await three.workers["w1"].end(signal.SIGKILL)  # it would wait for a coordinator to tell what it holds

    assert done.status == 3, done.text
    assert "no coordinator answered for 2 s" in done.err


def _status(url: str) -> int:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return int(answer.status)
