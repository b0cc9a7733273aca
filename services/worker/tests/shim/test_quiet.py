"""Cases wait until their host is quiet, are executed again when it was not, and say so where that did not help."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from crossfleet.worker.shim import processes
from services.worker.tests.gauges.trees import PROC, RYZEN, lay_out
from services.worker.tests.shim.driver import Message, Shim, gone, pause, suite

SENSOR = "sys/class/hwmon/hwmon3/temp1_input"
SUITE = """
    import pathlib, time
    def execute(name):
        with open("began", "a") as file:
            file.write(name + " ")
        while not pathlib.Path("release").exists():
            time.sleep(0.002)
    def test_one(): execute("one")
    def test_two(): execute("two")
    """


class Host:
    """The host whose heat a test decides; its other gauges stand still."""

    def __init__(self, root: Path) -> None:
        self.root = lay_out(root, PROC, RYZEN)
        self.heat(50)

    def heat(self, degrees: float) -> None:
        """Be so hot from now on."""
        path = self.root / SENSOR
        path.with_suffix(".new").write_text(f"{round(degrees * 1000)}\n")
        path.with_suffix(".new").rename(path)

    def gates(self, *, wait: float = 20.0, repeats: int = 1, **limits: float) -> dict[str, Any]:
        """What a target may ask of it."""
        limits = limits or {"temperature": 80.0}
        return {"limits": limits, "wait": wait, "repeats": repeats, "devices": [], "root": str(self.root)}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "host")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return suite(tmp_path / "suite", test_a=SUITE)


def began(folder: Path, count: int) -> list[str]:
    """Wait until so many executions have begun."""
    path = folder / "began"
    while not path.exists() or len(path.read_text().split()) < count:
        pause()
    return path.read_text().split()


def below(shim: Shim, *, gauge: bool) -> int:
    """The process that reads the gauges, or the one that is executed."""
    pids = [pid for pid in processes.tree(shim.process.pid) if pid != shim.process.pid]
    (found,) = [pid for pid in pids if (b"worker.gauges" in Path(f"/proc/{pid}/cmdline").read_bytes()) is gauge]
    return found


def told(result: Message) -> dict[str, str]:
    return dict(result.get("properties") or ())


def said(shim: Shim, word: str) -> Message:
    return shim.wait(lambda m: m["op"] == "log" and word in m["data"])


def test_cases_of_a_quiet_host_run_one_after_the_other_and_tell_what_was_measured(
    shim: Shim, folder: Path, host: Host
) -> None:
    (folder / "release").touch()
    collected = shim.open(folder, gates=host.gates(temperature=80.0, load=1e6))
    results, finished = shim.finish(0, 1, [0, 1])

    assert all(case["exclusive"] for case in collected["cases"])
    assert finished["cause"] == "done"
    assert [one["outcome"] for one in results] == ["passed", "passed"]
    for one in results:
        assert told(one)["host_temperature_before"] == told(one)["host_temperature"] == "50"
        assert {"host_load_before", "host_load", "host_pressure"} <= told(one).keys()
        assert "noisy" not in told(one)
    assert shim.close()["cause"] == "done"


def test_a_case_waits_until_its_host_is_cool_and_the_log_says_for_what(shim: Shim, folder: Path, host: Host) -> None:
    host.heat(91)
    shim.open(folder, gates=host.gates())
    shim.run(0, 1, [0])
    assert "temperature 91 °C, more than 80" in said(shim, "waits for its host")["data"]
    assert not (folder / "began").exists()

    host.heat(70)
    (folder / "release").touch()
    shim.op("finished", attempt=1, cause="done")
    assert told(shim.op("result"))["host_temperature_before"] == "70"
    assert said(shim, "goes on")


def test_a_case_that_was_disturbed_is_executed_again_and_only_that_counts(shim: Shim, folder: Path, host: Host) -> None:
    shim.open(folder, gates=host.gates())
    shim.run(0, 1, [0, 1])
    began(folder, 1)
    host.heat(95)
    (folder / "release").touch()
    said(shim, "executes a case again: temperature 95 °C")
    host.heat(60)

    shim.op("finished", attempt=1, cause="done")
    assert began(folder, 3) == ["one", "one", "two"]
    first, second = shim.all("result", attempt=1)
    assert (first["case"], told(first)["host_repeats"], told(first)["host_temperature"]) == (0, "1", "60")
    assert "noisy" not in told(first)
    assert "host_repeats" not in told(second)


def test_a_case_that_is_disturbed_too_often_keeps_its_result_and_is_called_noisy(
    shim: Shim, folder: Path, host: Host
) -> None:
    shim.open(folder, gates=host.gates(repeats=0))
    shim.run(0, 1, [0])
    began(folder, 1)
    host.heat(95)
    (folder / "release").touch()

    result = shim.op("result")
    assert result["outcome"] == "passed"
    assert told(result)["noisy"] == "temperature 95 °C, more than 80"
    assert result["message"] == "noisy: temperature 95 °C, more than 80"


def test_a_host_that_does_not_become_quiet_in_time_gives_everything_back(shim: Shim, folder: Path, host: Host) -> None:
    host.heat(90)
    shim.open(folder, gates=host.gates(wait=1.0))
    shim.run(0, 1, [0, 1])
    closed = shim.op("closed")
    assert (closed["cause"], closed["message"]) == (
        "not_quiet",
        "the host was not quiet within 1 s: temperature 90 °C, more than 80",
    )
    assert not (folder / "began").exists()
    assert not shim.all("result")
    # The coordinator ends them with the allocation: an end of their own would only bring new ones here.
    assert not shim.all("finished")


def test_a_cancelled_case_waits_no_longer_and_the_next_may_begin(shim: Shim, folder: Path, host: Host) -> None:
    host.heat(90)
    shim.open(folder, gates=host.gates())
    shim.run(0, 1, [0], last=False)
    said(shim, "waits for its host")
    shim.run(0, 2, [1])
    shim.send(op="cancel", attempts=[1], grace=1)
    assert shim.op("finished", attempt=1)["cause"] == "cancelled"
    host.heat(50)
    (folder / "release").touch()
    assert shim.op("finished", attempt=2)["cause"] == "done"
    assert began(folder, 1) == ["two"]


def test_an_allocation_that_is_closed_while_a_case_waits_ends_at_once(shim: Shim, folder: Path, host: Host) -> None:
    host.heat(90)
    shim.open(folder, gates=host.gates())
    shim.run(0, 1, [0])
    said(shim, "waits for its host")
    assert shim.close()["cause"] == "done"
    assert shim.op("finished", attempt=1)["cause"] == "cancelled"


def test_a_case_that_dies_is_a_verdict_beside_gates_too(shim: Shim, tmp_path: Path, host: Host) -> None:
    place = suite(
        tmp_path / "suite",
        test_a="""
            import os
            def test_dies(): os.kill(os.getpid(), 9)
            def test_lives(): pass
            """,
    )
    collected = shim.open(place, gates=host.gates())
    shim.run(0, 1, [0, 1])
    shim.op("finished", attempt=1)
    shim.run(0, 2, [1])
    shim.op("finished", attempt=2, cause="done")
    assert shim.outcomes(collected) == {"test_a.py::test_dies": "crashed", "test_a.py::test_lives": "passed"}


def test_the_last_failure_that_a_run_may_have_holds_cases_back_beside_gates_too(
    shim: Shim, tmp_path: Path, host: Host
) -> None:
    place = suite(tmp_path / "suite", test_a="def test_fails(): assert 0\ndef test_behind(): open('began', 'w')\n")
    shim.acknowledge = False
    shim.open(place, gates=host.gates(), limits={"max_failures": 1})
    shim.run(0, 1, [0, 1])
    sequence = shim.op("result", case=0)["sequence"]
    shim.send(op="ack", sequence=sequence)
    shim.op("result", case=1)
    assert (place / "began").exists()


def test_a_command_waits_and_is_executed_again_as_a_case_is(shim: Shim, folder: Path, host: Host) -> None:
    host.heat(90)
    code = "import test_a; test_a.test_one()"
    collected = shim.open(folder, sys.executable, "-c", code, runner="command", gates=host.gates())
    assert collected["cases"][0]["exclusive"]
    shim.run(0, 1, [0])
    said(shim, "waits for its host")
    host.heat(50)
    began(folder, 1)
    host.heat(95)
    (folder / "release").touch()
    said(shim, "executes a case again")
    host.heat(50)
    assert shim.op("finished", attempt=1)["cause"] == "done"
    (result,) = shim.all("result")
    assert (result["outcome"], told(result)["host_repeats"]) == ("passed", "1")
    assert began(folder, 2) == ["one", "one"]
    assert shim.close()["cause"] == "done"


def test_a_command_that_is_cancelled_while_it_is_judged_is_not_executed_again(
    shim: Shim, folder: Path, host: Host
) -> None:
    code = "import test_a; test_a.test_one()"
    shim.open(folder, sys.executable, "-c", code, runner="command", gates=host.gates())
    shim.run(0, 1, [0])
    began(folder, 1)
    gauge, command = below(shim, gauge=True), below(shim, gauge=False)
    os.kill(gauge, signal.SIGSTOP)
    host.heat(95)
    (folder / "release").touch()
    assert gone(command)
    (slot,) = shim.attach()["allocations"][0]["slots"]
    assert [one["attempt"] for one in slot["attempts"]] == [1]
    shim.send(op="cancel", attempts=[1], grace=1)
    assert shim.op("finished", attempt=1)["cause"] == "cancelled"
    os.kill(gauge, signal.SIGCONT)
    assert shim.close()["cause"] == "done"
    assert began(folder, 1) == ["one"]
    assert not shim.all("result")


def test_a_command_whose_host_stays_hot_is_given_back(shim: Shim, folder: Path, host: Host) -> None:
    host.heat(90)
    shim.open(folder, "true", runner="command", gates=host.gates(wait=0.5))
    shim.run(0, 1, [0])
    assert shim.op("closed")["cause"] == "not_quiet"


def test_each_case_of_a_program_has_a_process_and_a_judgement_of_its_own(shim: Shim, folder: Path, host: Host) -> None:
    program = "crossfleet.worker.shim.programs.unittests:Unittest"
    (folder / "test_u.py").write_text(
        "import unittest, test_a\n"
        "class T(unittest.TestCase):\n"
        "    def test_one(self): test_a.test_one()\n"
        "    def test_two(self): test_a.test_two()\n"
    )
    collected = shim.open(folder, "test_u", runner="program", program=program, gates=host.gates())
    assert all(case["exclusive"] for case in collected["cases"])
    shim.run(0, 1, [0, 1])
    began(folder, 1)
    host.heat(95)
    (folder / "release").touch()
    said(shim, "executes a case again")
    host.heat(50)
    assert shim.op("finished", attempt=1)["cause"] == "done"
    assert [told(one).get("host_repeats") for one in shim.all("result")] == ["1", None]
    assert began(folder, 3) == ["one", "one", "two"]
    assert shim.close()["cause"] == "done"


def test_gauges_that_die_close_the_gates_and_the_reason_is_told(shim: Shim, folder: Path, host: Host) -> None:
    shim.open(folder, gates={**host.gates(wait=0.5), "root": "\0"})
    shim.run(0, 1, [0])
    closed = shim.op("closed")
    assert closed["cause"] == "not_quiet"
    assert "the gauges cannot be asked" in closed["message"]
