"""What is read of a host, on trees that were recorded, and on this machine."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from crossfleet.worker.gauges import occupation, processors
from crossfleet.worker.gauges.host import measurable, read
from services.worker.tests.gauges.trees import CPUS, INTEL_LAPTOP, PROC, RASPBERRY, RYZEN, THREADRIPPER, lay_out


@pytest.mark.parametrize(
    ("tree", "degrees"),
    [(INTEL_LAPTOP, 62.0), (THREADRIPPER, 53.625), (RYZEN, 47.375), (RASPBERRY, 48.312)],
    ids=["intel", "threadripper", "ryzen", "raspberry"],
)
def test_the_hottest_sensor_of_a_processor_counts_and_no_other_device(tree, degrees, tmp_path: Path) -> None:
    assert processors.temperature(lay_out(tmp_path, tree) / "sys") == degrees


def test_a_sensor_that_refuses_to_be_read_is_passed_over(tmp_path: Path) -> None:
    system = lay_out(tmp_path, RASPBERRY, {"sys/class/thermal/thermal_zone1/type": "cpu-thermal"}) / "sys"
    (system / "class/thermal/thermal_zone1/temp").mkdir()  # reading it fails, as it does for a zone that is disabled
    assert processors.temperature(system) == 48.312


def test_clocks_are_parts_of_the_highest_that_a_processor_can_have(tmp_path: Path) -> None:
    laptop, board = lay_out(tmp_path / "a", INTEL_LAPTOP) / "sys", lay_out(tmp_path / "b", RASPBERRY) / "sys"
    assert (processors.clock(laptop), processors.clock_allowed(laptop)) == (0.9, 1.0)
    assert (processors.clock(board), processors.clock_allowed(board)) == (0.4, 0.8)


def test_throttling_is_counted_over_all_processors_where_the_kernel_counts_it(tmp_path: Path) -> None:
    system = lay_out(tmp_path, INTEL_LAPTOP) / "sys"
    before = processors.throttles(system)
    (system / CPUS / "cpu1/thermal_throttle/core_throttle_count").write_text("2\n")
    assert before is not None
    assert processors.throttles(system) == before + 2
    assert processors.throttles(lay_out(tmp_path / "b", RASPBERRY) / "sys") is None


def test_time_that_a_hypervisor_takes_away_is_somebody_elses_and_that_of_guests_is_not_counted_twice(
    tmp_path: Path,
) -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    assert occupation.busy_seconds(lay_out(tmp_path, PROC) / "proc") == pytest.approx(1500 / ticks)
    assert occupation.pressed_seconds(tmp_path / "proc") == 2.5


def test_a_host_says_which_gates_it_can_measure(tmp_path: Path) -> None:
    assert measurable(tmp_path) == []
    assert measurable(lay_out(tmp_path, PROC)) == ["load", "pressure"]
    assert measurable(lay_out(tmp_path, RYZEN)) == ["load", "pressure", "temperature"]
    assert measurable(lay_out(tmp_path, INTEL_LAPTOP)) == ["clock", "load", "pressure", "temperature"]


def test_what_cannot_be_read_is_left_out_of_a_reading(tmp_path: Path) -> None:
    assert set(read(lay_out(tmp_path, RYZEN), os.getpid(), None)) == {"at", "own", "temperature"}


def test_this_machine_tells_the_load_and_how_much_of_it_is_ones_own() -> None:
    """Only what must hold on any Linux: what this process burns is busy time, and its own."""
    first = read(Path("/"), os.getpid(), None)
    until = time.process_time() + 0.3
    while time.process_time() < until:
        sum(range(1000))
    last = read(Path("/"), os.getpid(), None)
    assert "load" in measurable(Path("/"))
    assert 0.2 < last["own"] - first["own"] < 0.6
    assert last["busy"] - first["busy"] > 0.2
