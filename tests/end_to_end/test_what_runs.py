"""A case that does not end: who it is, where it is, what it has printed, and why it was ended."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import pytest

from crossfleet.foundation.wait import eventually
from tests.commands import Finished
from tests.commands import crossfleet as started
from tests.end_to_end.standing import PYTEST, Standing, environment

LASTING = """
import pathlib, sys, time
def test_quick(): pass
def test_lasts():
    print("first words")
    sys.stderr.write("and on stderr\\n")
    deadline = time.monotonic() + 120
    while not pathlib.Path("gate").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    print("last words")
    for line in pathlib.Path("gate").read_text().split(): print(line)
"""


@pytest.fixture
def suite(project: Path) -> Path:
    (project / "test_a.py").write_text(LASTING)
    return project


def run_of(fleet: Standing) -> str:
    found = json.loads(fleet.ask("runs", "--output", "json").out)
    return str(found["runs"][0]["run_id"])


async def seen(fleet: Standing, run: str, *words: str) -> Finished:
    async def looked() -> Finished | None:
        done = await asyncio.to_thread(fleet.ask, "stacks", run, *words)
        return done if "test_lasts" in done.out else None

    found: Finished | None = await eventually(looked, deadline=30, interval=0.2)
    assert found is not None
    return found


async def test_a_running_case_shows_its_stack_and_its_output_and_is_named_as_the_longest(
    fleet: Standing, suite: Path
) -> None:
    words = ("run", "--data", str(fleet.data), "--follow", "test_?asts", "--", *PYTEST, "-q")
    async with started(*words, cwd=suite, env=environment()) as running:
        assert running.process.stderr is not None
        line = b""
        seen_live = False
        while b"longest: " not in line:
            line = await asyncio.wait_for(running.process.stderr.readline(), 30)
            seen_live = seen_live or line == b"test_a.py::test_lasts [default] | first words\n"
        run = run_of(fleet)
        stacks = await seen(fleet, run, "test_a.py::test_lasts")
        other = fleet.ask("stacks", run, "test_a.py::test_quick")
        so_far = fleet.ask("logs", run, "--case", "test_lasts")
        slip = fleet.ask("logs", run, "--case", "test_last")
        follow = ("logs", "--data", str(fleet.data), run, "--case", "test_a.py::test_lasts", "--follow")
        async with started(*follow, cwd=suite, env=environment()) as following:
            await following.line("first words")
            (suite / "gate").write_text("a b")
            rest = await following.finished()
        done = await running.finished()

    assert b"longest: test_a.py::test_lasts " in line
    assert seen_live
    assert "test_a.py::test_lasts [default] | b\n" in done.err
    assert f"{suite}/test_a.py" in stacks.out
    assert (other.status, "does not run now" in other.err) == (2, True), other.text
    assert (so_far.out, "no verdict yet" in so_far.err) == ("first words\n", True), so_far.text
    assert (slip.status, "Did you mean\n  test_a.py::test_lasts" in slip.err) == (2, True), slip.text
    assert rest.out == "last words\na\nb\n"
    assert rest.err.splitlines()[-2:] == ["and on stderr", "test_a.py::test_lasts: passed"]
    assert done.status == 0, done.text


async def test_an_interrupt_shows_where_the_case_that_ran_longest_is(fleet: Standing, suite: Path) -> None:
    words = ("run", "--data", str(fleet.data), "--", *PYTEST, "-q")
    async with started(*words, cwd=suite, env=environment()) as running:
        assert running.process.stderr is not None
        line = b""
        while b"longest: " not in line:
            line = await asyncio.wait_for(running.process.stderr.readline(), 30)
        running.signal(signal.SIGINT)
        done = await running.finished()

    assert done.status == 130, done.text
    assert "test_a.py::test_lasts [default] has been running for" in done.err
    assert "in test_lasts" in done.err


def test_memory_over_the_limit_of_a_run_is_a_verdict_with_a_name(fleet: Standing, project: Path) -> None:
    (project / "test_a.py").write_text(
        "import time\n"
        "def test_eats():\n"
        "    food = bytearray(b'x' * (300 << 20))\n"
        "    time.sleep(100)\n"
        "def test_quick(): pass\n"
    )
    done, report = fleet.report(*PYTEST, cwd=project, options=("--memory-limit", "150MiB"))
    cases = {case["id"]: case for case in report["cases"]}

    assert done.status == 1, done.text
    assert cases["test_a.py::test_quick"]["outcome"] == "passed"
    assert cases["test_a.py::test_eats"]["outcome"] == "crashed"
    assert cases["test_a.py::test_eats"]["message"].startswith("out of memory: 150 MiB limit, ")
