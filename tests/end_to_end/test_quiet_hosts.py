"""Targets with gates, as a user types them: a neighbour on the host, and what reports say of noise."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.worker.tests.gauges.trees import PROC, RYZEN, lay_out
from tests.end_to_end.standing import PYTEST, crossfleet

SENSOR = "sys/class/hwmon/hwmon3/temp1_input"
BURN = "import os\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\nprint(flush=True)\nwhile True: pass"


@contextmanager
def neighbours(count: int) -> Iterator[None]:
    """Processes of nobody's that keep one core busy and wait for it."""
    burning = [subprocess.Popen([sys.executable, "-c", BURN], stdout=subprocess.PIPE) for _ in range(count)]
    try:
        for one in burning:
            assert one.stdout is not None
            one.stdout.readline()
        yield
    finally:
        for one in burning:
            one.kill()
            one.communicate()


def run(folder: Path, *options: str, host: Path | None = None, text: str = "def test_it(): pass\n"):
    """`crossfleet run` of one file on a fleet of its own; `host` has the gauges that its worker reads."""
    (folder / "suite").mkdir()
    (folder / "suite" / "test_it.py").write_text(text)
    env = {"CROSSFLEET_WORKER_HOST_ROOT": str(host)} if host else {}
    words = ("run", "--data", str(folder / "data"), *options, "--", *PYTEST, "test_it.py")
    return crossfleet(*words, cwd=folder / "suite", env={**env, "HOST": str(host)})


def test_a_host_with_a_neighbour_that_burns_a_core_is_not_measured_on(tmp_path: Path) -> None:
    with neighbours(3):
        done = run(tmp_path, "--gate", "load=0.5", "--gate", "pressure=0.2", "--gate", "wait=1")
    assert done.status == 3, done.text
    assert "INFRASTRUCTURE" in done.out
    assert "not quiet. the host was not quiet within 1 s: load " in done.err
    assert "cores of others, more than 0.5; pressure " in done.err


def test_a_result_of_a_disturbed_case_is_called_noisy_in_every_report(tmp_path: Path) -> None:
    host = lay_out(tmp_path / "host", PROC, RYZEN)
    heats = f"import os, pathlib\ndef test_it(): pathlib.Path(os.environ['HOST'], '{SENSOR}').write_text('95000')\n"
    files = ("--junit", "quiet.xml", "--json", "quiet.json")
    done = run(tmp_path, "--gate", "temperature=80", "--gate", "repeats=0", *files, host=host, text=heats)

    assert done.status == 0, done.text
    assert "NOISY test_it.py::test_it - temperature 95 °C, more than 80" in done.out
    (case,) = json.loads((tmp_path / "suite" / "quiet.json").read_text())["cases"]
    told = {"host_temperature_before": "47.38", "host_temperature": "95", "noisy": "temperature 95 °C, more than 80"}
    assert {name: case["properties"].get(name) for name in told} == told
    junit = (tmp_path / "suite" / "quiet.xml").read_text()
    assert '<property name="noisy" value="temperature 95 °C, more than 80"' in junit


def test_a_gate_that_no_host_can_measure_fails_at_once_and_says_so(tmp_path: Path) -> None:
    done = run(tmp_path, "--gate", "clock=0.9", host=lay_out(tmp_path / "host", PROC))
    assert done.status == 3, done.text
    assert "clock cannot be measured on" in done.text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--gate", "lod=1"], "there is no gate 'lod'; there are temperature, clock, load"),
        (["--gate", "load"], "write NAME=VALUE"),
        (["--gate", "load=quiet"], "'quiet' is no number"),
        (["--gate", "wait=5m"], "name a limit beside wait and repeats"),
        (["--gate", "load=1", "--gate", "wait=soon"], "'soon' is no time"),
        (["--gate", "load=-1"], "gates.load"),
    ],
)
def test_mistakes_in_gates_are_named(words: list[str], said: str, tmp_path: Path) -> None:
    done = run(tmp_path, *words)
    assert done.status == 2, done.text
    assert said in done.text
