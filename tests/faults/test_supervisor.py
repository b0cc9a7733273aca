from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from crossfleet.foundation.wait import eventually
from tests.commands import crossfleet
from tests.faults.gated import GatedSuite
from tests.faults.leftovers import alive, all_gone, kill_all, processes_of

PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider")


def run(folder: Path) -> tuple[str, ...]:
    return ("run", "--data", str(folder / "data"), "--slots", "2", "--", *PYTEST)


@pytest.mark.parametrize("whom", ["command", "supervisor", "both"])
async def test_a_killed_command_or_supervisor_leaves_nothing_behind(folder: Path, suite: GatedSuite, whom: str) -> None:
    async with crossfleet(*run(folder), cwd=suite.folder, env={"XDG_RUNTIME_DIR": str(folder)}) as command:
        test = await suite.begun()
        supervisor = int(serving(folder)["pid"])
        if whom != "command":
            os.kill(supervisor, signal.SIGKILL)
        if whom != "supervisor":
            command.signal(signal.SIGKILL)
        done = await command.finished()

    await all_gone(folder)
    assert not alive(Path(f"/proc/{test}"))
    assert done.status == (3 if whom == "supervisor" else -signal.SIGKILL), done.text


def serving(folder: Path) -> dict[str, Any]:
    """What the fleet of the data folder says about itself."""
    found: dict[str, Any] = json.loads((folder / "data" / "fleet.json").read_text())
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupt_cancels_the_run_and_keeps_what_it_has(
    folder: Path, suite: GatedSuite, number: signal.Signals
) -> None:
    async with crossfleet(*run(folder), cwd=suite.folder, env={"XDG_RUNTIME_DIR": str(folder)}) as command:
        await suite.begun()
        await eventually(lambda: len(suite.notes()) > 5, deadline=40, what="some cases ran")
        command.signal(number)
        done = await command.finished(30)

    assert done.status == 130, done.text
    assert "CANCELLED" in done.out
    assert "passed" in done.out, "the results so far are not shown"
    await all_gone(folder)


async def test_a_second_interrupt_leaves_at_once(folder: Path) -> None:
    suite = folder / "suite"
    suite.mkdir()
    (suite / "test_stubborn.py").write_text(
        "import pathlib, signal, time\n"
        "def test_stubborn():\n"
        "    for number in (signal.SIGINT, signal.SIGTERM): signal.signal(number, signal.SIG_IGN)\n"
        "    pathlib.Path('begun').touch()\n"
        "    deadline = time.monotonic() + 120\n"
        "    while time.monotonic() < deadline: time.sleep(0.1)\n"
    )
    async with crossfleet(*run(folder), cwd=suite, env={"XDG_RUNTIME_DIR": str(folder)}) as command:
        await eventually((suite / "begun").exists, deadline=30)
        command.signal(signal.SIGINT)
        assert command.process.stderr is not None
        while b"interrupt again" not in await command.process.stderr.readline():
            pass
        command.signal(signal.SIGINT)
        done = await command.finished(30)

    assert done.status == 130, done.text
    await all_gone(folder)


@pytest.mark.parametrize("service", ["crossfleet.coordinator", "crossfleet.scheduler", "crossfleet.worker "])
async def test_an_embedded_service_that_dies_is_started_again_and_the_run_ends_well(
    folder: Path, suite: GatedSuite, service: str
) -> None:
    async with crossfleet(*run(folder), cwd=suite.folder, env={"XDG_RUNTIME_DIR": str(folder)}) as command:
        await suite.begun()
        victims = processes_of(folder, service)
        assert victims, "no such service runs"

        kill_all(victims)
        suite.open()
        done = await command.finished(40)

    assert done.status == 0, done.text
    assert f"{suite.total} cases, {suite.total} passed" in done.out, done.text
    assert suite.ran() == suite.names
    await all_gone(folder)
