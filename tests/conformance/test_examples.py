"""The example schedulers: they pass the kit, and a real run is placed by them."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crossfleet.client.conformance.kit import Verdict, chosen, examine
from crossfleet.foundation.channel import open_channel
from tests.commands import crossfleet, run_crossfleet
from tests.integration.processes import start_service

EXAMPLES = Path(__file__).parents[2] / "examples" / "schedulers"
_BUILD_SECONDS = 240
_BRIEFLY = ("describe", "first", "capacity", "host", "device", "selector")
"""Families of checks in which an implementation is likely to err, and that take no time when it does not."""


@dataclass(frozen=True)
class Example:
    """Its folder, the command that serves at an address, what it calls itself, and what it is known not to do."""

    folder: str
    command: tuple[str, ...]
    name: str
    warned: frozenset[str]

    @property
    def place(self) -> Path:
        """Where it lies."""
        return EXAMPLES / self.folder


_SHARES = frozenset(("order.projects", "order.weights"))
_STATELESS = _SHARES | {"refusal.seldom", "refusal.elsewhere"}
_SLOW = frozenset(("scale.groups-prompt", "scale.next"))

PYTHON = Example(
    "python",
    (sys.executable, "scheduler.py"),
    "first-come-first-served",
    _SHARES | _SLOW | {"refusal.seldom"},
)
GO = Example("go", ("build/first-fit",), "first-fit", _STATELESS)
TYPESCRIPT = Example("typescript", ("node", "build/scheduler.js"), "spread", _STATELESS | {"gang.not-starved"})
JAVA = Example("java", ("java", "-jar", "target/best-fit.jar"), "best-fit", _STATELESS)

ALL = [
    pytest.param(PYTHON, id="python"),
    pytest.param(GO, id="go", marks=pytest.mark.needs_go),
    pytest.param(TYPESCRIPT, id="typescript", marks=[pytest.mark.needs_npm, pytest.mark.soak]),
    pytest.param(JAVA, id="java", marks=[pytest.mark.needs_mvn, pytest.mark.soak]),
]


@pytest.fixture
def served(example: Example) -> Iterator[str]:
    """The address at which an example serves that was built before, or is now."""
    if (example.place / "Makefile").exists():
        built = subprocess.run(
            ["make", "--silent", "-C", example.place],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_BUILD_SECONDS,
            check=False,
        )
        assert built.returncode == 0, built.stdout
    command = (*example.command, "127.0.0.1:0")
    with subprocess.Popen(command, cwd=example.place, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[1]
        process.kill()


async def wrong_by(address: str, *families: str) -> tuple[list[tuple[str, tuple[str, ...]]], set[str]]:
    """What fails with why, and what is warned of."""
    async with open_channel(address) as channel:
        report = await examine(channel, chosen(families))
    failed = [(one.check.name, one.wrongs) for one in report.findings if one.verdict is Verdict.FAILED]
    return failed, {one.check.name for one in report.findings if one.verdict is Verdict.WARNED}


@pytest.mark.soak
@pytest.mark.timeout(_BUILD_SECONDS + 180)
@pytest.mark.parametrize("example", ALL)
async def test_an_example_fails_no_check(example, served):
    failed, warned = await wrong_by(served)
    assert failed == []
    assert warned <= example.warned


@pytest.mark.timeout(_BUILD_SECONDS + 60)
@pytest.mark.parametrize("example", ALL[1:])
async def test_an_example_in_another_language_counts_and_reads_selectors_as_the_coordinator_does(example, served):
    failed, warned = await wrong_by(served, *_BRIEFLY)
    assert (failed, warned) == ([], set())


@pytest.mark.soak
@pytest.mark.timeout(180)
async def test_the_slurm_bridge_fails_no_check_where_the_scheduler_behind_it_fails_none(tmp_path):
    behind = await start_service("scheduler", "--listen", f"unix:{tmp_path}/s", log=tmp_path / "log")
    flags = ("--scheduler", f"unix:{tmp_path}/s", "--coordinator", "unix:/nowhere", "--poll-seconds", "0.1")
    bridge = await start_service("slurm", "--listen", f"unix:{tmp_path}/b", *flags, log=tmp_path / "log")
    try:
        failed, _ = await wrong_by(f"unix:{tmp_path}/b")
    finally:
        await bridge.end()
        await behind.end()
    assert failed == []


async def standing(data: tuple[str, str], place: Path) -> dict[str, Any]:
    """How the scheduler that was given stands, once it is connected."""
    async with asyncio.timeout(20):
        while True:
            asked = await run_crossfleet("scheduler", "status", *data, "--output", "json", cwd=place)
            (given,) = (one for one in json.loads(asked.out)["schedulers"] if one["name"] != "default")
            if given["connected"]:
                return given


@pytest.mark.timeout(_BUILD_SECONDS + 60)
@pytest.mark.parametrize("example", ALL)
async def test_a_fleet_lets_the_scheduler_decide_that_it_is_given(example, served, tmp_path):
    (tmp_path / "test_it.py").write_text("def test_one(): pass\ndef test_two(): pass\n")
    data = ("--data", str(tmp_path / "data"))
    given = f"example={served} deadline=10"  # of a virtual machine that is still warming up
    async with crossfleet("up", *data, "--slots", "2", "--scheduler", given, cwd=tmp_path) as up:
        assert served in await up.line("scheduler")
        before = await standing(data, tmp_path)
        finished = await run_crossfleet("run", *data, "--", "pytest", "-q", "test_it.py", cwd=tmp_path)
        after = await standing(data, tmp_path)
    assert (finished.status, "2 passed" in finished.out) == (0, True), finished.text
    assert (before["described_name"], before["accepted"]) == (example.name, 0)
    assert after["accepted"] > 0
    assert after["refused"] == 0


@pytest.mark.parametrize("example", [pytest.param(one.values[0], id=one.id) for one in ALL])
def test_an_example_is_as_short_as_it_is_told_to_be(example):
    written = [
        path
        for ending in ("py", "go", "ts", "java")
        for path in example.place.rglob(f"*.{ending}")
        if not {"gen", "build", "target", "node_modules"}.intersection(path.relative_to(example.place).parts)
    ]
    assert 0 < sum(len(path.read_text().splitlines()) for path in written) < 200


async def test_a_wrong_address_of_a_scheduler_is_refused_before_anything_starts(tmp_path):
    async with crossfleet("up", "--data", "data", "--scheduler", "nonsense", cwd=tmp_path) as up:
        finished = await up.finished()
    assert (finished.status, "neither unix:/PATH nor HOST:PORT" in finished.err) == (2, True), finished.text
