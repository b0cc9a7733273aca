"""Commands whose output nobody reads, or cannot be written: the exit status says what became of the run all the same."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from clients.python.tests.scripted_fleet import Script
from clients.python.tests.test_commands import FAILED, PASSED, fleet_and_shell
from crossfleet.api.types.v1 import result_pb2

RUN = ("run", "-v", "--", sys.executable, "-m", "pytest")
COMMAND = (sys.executable, "-m", "crossfleet.cli.main")


def unread() -> int:
    """A pipe that nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.mark.parametrize(("outcome", "status"), [(PASSED, 0), (FAILED, 1)])
@pytest.mark.parametrize("words", [RUN, ("run", "--json", "-", *RUN[1:]), ("watch", "run-1")])
async def test_a_run_that_nobody_reads_of_goes_on_and_ends_with_its_own_status(
    words: tuple[str, ...], outcome: result_pb2.Outcome.ValueType, status: int, tmp_path: Path
) -> None:
    async with fleet_and_shell(tmp_path, Script({"t.py::a": outcome})) as (_, shell):
        await shell(*RUN)
        pipe = unread()
        process = await asyncio.create_subprocess_exec(
            *COMMAND, *words, cwd=tmp_path, env=shell.environment, stdout=pipe, stderr=pipe
        )
        os.close(pipe)
        assert await process.wait() == status


@pytest.mark.parametrize("words", ["--help", "workers", "run -- true"])
@pytest.mark.parametrize("buffered", ["", "1"])
async def test_what_could_not_be_written_is_told_and_is_no_success(words: str, buffered: str, tmp_path: Path) -> None:
    async with fleet_and_shell(tmp_path, Script({"t.py::a": PASSED})) as (_, shell):
        with open("/dev/full", "wb") as full:
            process = await asyncio.create_subprocess_exec(
                *COMMAND,
                *words.split(),
                cwd=tmp_path,
                env={**shell.environment, "PYTHONUNBUFFERED": buffered},
                stdout=full,
                stderr=asyncio.subprocess.PIPE,
            )
        _, err = await process.communicate()
    assert process.returncode == 3
    assert err.endswith(b"written: No space left on device\n")
    assert b"Traceback" not in err


async def test_a_command_may_be_started_without_standard_files(tmp_path: Path) -> None:
    async with fleet_and_shell(tmp_path, Script({"t.py::a": FAILED})) as (_, shell):
        closed = 'exec "$@" <&- >&- 2>&-'
        process = await asyncio.create_subprocess_exec(
            "sh", "-c", closed, "sh", *COMMAND, *RUN, cwd=tmp_path, env=shell.environment
        )
        assert await process.wait() == 1
