"""What a person at a terminal sees when coordinators go away."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.python.tests.coordinators import coordinators
from clients.python.tests.scripted_fleet import Script
from clients.python.tests.test_commands import Ended, Shell
from crossfleet.api.types.v1 import result_pb2
from crossfleet.cli.advice import advise
from crossfleet.foundation.errors import CrossfleetError, Unauthenticated, Unavailable
from crossfleet.foundation.wait import eventually

ONE = {"t.py::a": result_pb2.OUTCOME_PASSED}
RUN = ("run", "--", "pytest", "t.py")


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cf-") as name:
        yield Path(name)


async def test_a_run_whose_coordinator_is_lost_goes_on_with_another_and_says_so(folder: Path) -> None:
    script = Script(ONE, hold=True)
    async with coordinators(folder, script) as several:
        leader = await several.add()
        successor = await several.add(leader.address)
        process = await Shell(folder, several.addresses).start(*RUN)
        await eventually(lambda: "WatchEvents" in leader.calls, deadline=40, what="the run is watched")
        await leader.stop()
        successor.names, script.hold = None, False
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert f"the coordinator was lost; following {successor.address}" in err.decode()
    assert "PASSED" in out.decode()


async def test_a_run_all_of_whose_coordinators_are_gone_ends_with_three_after_the_time_that_it_says(
    folder: Path,
) -> None:
    async with coordinators(folder, Script(ONE, hold=True)) as several:
        one, two = await several.add(), await several.add()
        shell = Shell(folder, several.addresses)
        shell.environment["CROSSFLEET_OUTAGE_SECONDS"] = "2"
        process = await shell.start(*RUN)
        await eventually(lambda: "WatchEvents" in one.calls, deadline=40, what="the run is watched")
        await one.stop()
        await two.stop()
        _, err = await process.communicate()
    ended = Ended(process.returncode or 0, "", err.decode())
    assert ended.status == 3
    assert f"the coordinator at {one.address} is away; trying for 2 s" in ended.err
    assert "no coordinator answered for 2 s" in ended.err
    assert f"{one.address}, {two.address}" in ended.err


async def test_doctor_says_of_each_coordinator_what_it_does(folder: Path) -> None:
    async with coordinators(folder) as several:
        leader, gone = await several.add(), await several.add()
        await gone.stop()
        ended = await Shell(folder, several.addresses)("doctor", "--output", "json")
    found = {each["subject"]: each for each in json.loads(ended.out)["findings"]}
    assert found[f"coordinator {leader.address}"]["text"].startswith("leads")
    assert found[f"coordinator {gone.address}"]["status"] == "warn"


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (
            Unavailable("SSL_ERROR_SSL: CERTIFICATE_VERIFY_FAILED: unable to get local issuer"),
            "CROSSFLEET_TLS_AUTHORITY",
        ),
        (Unavailable("Hostname Verification Check failed: c1 is not in peer certificate"), "host name"),
        (Unauthenticated("the token is not the one of this fleet"), "CROSSFLEET_TOKEN_FILE"),
        (Unavailable("connection refused"), "Is the fleet up?"),
    ],
)
def test_what_is_advised_is_what_mends_it(error: CrossfleetError, word: str) -> None:
    assert word in advise(error)


@pytest.mark.parametrize("seconds", ["soon", "-1", "inf", "nan"])
async def test_an_outage_that_is_no_number_of_seconds_is_refused(folder: Path, seconds: str) -> None:
    shell = Shell(folder, "unix:/nowhere")
    shell.environment["CROSSFLEET_OUTAGE_SECONDS"] = seconds
    ended = await shell("workers")
    assert ended.status == 2
    assert "CROSSFLEET_OUTAGE_SECONDS" in ended.err


@pytest.mark.parametrize("addresses", ["unix:/a,", "a:1,,b:2", "a:1,b"])
async def test_a_list_with_a_hole_or_a_wrong_address_is_refused(folder: Path, addresses: str) -> None:
    ended = await Shell(folder, addresses)("workers")
    assert ended.status == 2, ended
