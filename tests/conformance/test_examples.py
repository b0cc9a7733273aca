"""The example schedulers: they pass the kit, and a real run is placed by them."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crossfleet.client.conformance.kit import Verdict, examine
from crossfleet.foundation.channel import open_channel
from tests.commands import crossfleet

EXAMPLES = Path(__file__).parents[2] / "examples" / "schedulers"


@pytest.fixture
def python_example() -> Iterator[str]:
    """The address at which it serves."""
    command = [sys.executable, str(EXAMPLES / "python" / "scheduler.py"), "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[1]
        process.kill()


@pytest.mark.soak
@pytest.mark.timeout(180)
async def test_the_python_example_fails_no_check(python_example):
    async with open_channel(python_example) as channel:
        report = await examine(channel)
    assert [(one.check.name, one.wrongs) for one in report.findings if one.verdict is Verdict.FAILED] == []
    warned = {one.check.name for one in report.findings if one.verdict is Verdict.WARNED}
    assert warned <= {"order.projects", "order.weights", "refusal.seldom", "scale.groups-prompt", "scale.next"}


def test_the_python_example_is_as_short_as_it_is_told_to_be():
    assert len((EXAMPLES / "python" / "scheduler.py").read_text().splitlines()) < 200


async def test_a_fleet_lets_the_scheduler_decide_that_it_is_given(python_example, tmp_path):
    (tmp_path / "test_it.py").write_text("def test_one(): pass\ndef test_two(): pass\n")
    data = ("--data", str(tmp_path / "data"))
    async with crossfleet("up", *data, "--slots", "2", "--scheduler", python_example, cwd=tmp_path) as up:
        assert python_example in await up.line("scheduler")
        async with crossfleet("run", *data, "--", "pytest", "-q", "test_it.py", cwd=tmp_path) as run:
            finished = await run.finished()
        async with crossfleet("doctor", *data, cwd=tmp_path) as doctor:
            found = await doctor.finished()
    assert finished.status == 0, finished.text
    assert re.search(r"2 passed", finished.out), finished.text
    assert "first-come-first-served" in found.out, found.text


async def test_a_wrong_address_of_a_scheduler_is_refused_before_anything_starts(tmp_path):
    async with crossfleet("up", "--data", "data", "--scheduler", "nonsense", cwd=tmp_path) as up:
        finished = await up.finished()
    assert (finished.status, "neither unix:/PATH nor HOST:PORT" in finished.err) == (2, True), finished.text
