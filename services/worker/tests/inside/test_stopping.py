"""What a worker does when its own failures are enough to end a run."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from services.worker.tests.shim.driver import Shim, pause, suite

SUITE = """
    import pathlib, time
    def begin(number):
        pathlib.Path("began-%d" % number).touch()
    def test_fails(): begin(0); assert 0
    def test_behind(): begin(1)
    def test_runs():
        begin(2)
        while not pathlib.Path("release").exists():
            time.sleep(0.002)
    def test_waits(): begin(3)
    def test_late(): begin(4)
    """


def begin(shim: Shim, folder: Path, limit: int) -> int:
    """A failure on slot 0 with one case behind it, while slot 1 runs a case with one behind it; the failure's sequence."""
    shim.acknowledge = False
    shim.open(suite(folder, test_a=SUITE), slots=3, limits={"max_failures": limit})
    shim.run(1, 2, [2, 3], case_seconds={"3": 0.3})
    while not (folder / "began-2").exists():
        pause()
    shim.run(0, 1, [0, 1])
    sequence = shim.op("result", case=0)["sequence"]
    (folder / "release").touch()
    shim.op("result", case=2)
    return int(sequence)


def test_no_case_begins_behind_the_failure_that_ends_the_run(shim: Shim, tmp_path: Path) -> None:
    begin(shim, tmp_path, limit=1)
    shim.send(op="cancel", attempts=[1, 2], grace=5)

    assert shim.op("finished", attempt=1)["left"] == [1]
    assert shim.op("finished", attempt=2)["left"] == [3]
    shim.acknowledge = True
    shim.close()
    assert not (tmp_path / "began-1").exists()
    assert not (tmp_path / "began-3").exists()


def test_slots_go_on_when_a_failure_was_acknowledged_and_the_run_was_not_stopped(shim: Shim, tmp_path: Path) -> None:
    sequence = begin(shim, tmp_path, limit=1)
    # A slot that is born meanwhile waits too; and no time limit (of 0.3 s here) hits a case that waits.
    shim.run(2, 3, [4])
    deadline = time.monotonic() + 1.0
    while time.monotonic() < deadline:
        pause()
    shim.send(op="ack", sequence=sequence)

    for case in (1, 3, 4):
        assert shim.op("result", case=case)["outcome"] == "passed"
    assert [m["case"] for m in shim.all("result")][:2] == [0, 2]


@pytest.mark.parametrize("limit", [0, 2])
def test_a_failure_that_does_not_end_the_run_holds_nothing_up(shim: Shim, tmp_path: Path, limit: int) -> None:
    begin(shim, tmp_path, limit)

    assert shim.op("result", case=1)["outcome"] == "passed"
    assert shim.op("result", case=3)["outcome"] == "passed"


DYING = """
    import os, pathlib, pytest
    @pytest.mark.parametrize("number", range(4))
    def test_it(number):
        pathlib.Path("began-%d" % number).touch()
        if number in (0, 2):
            os._exit(1)
    """


def test_a_case_that_kills_its_process_counts_as_a_failure(shim: Shim, tmp_path: Path) -> None:
    shim.acknowledge = False
    shim.open(suite(tmp_path, test_a=DYING), limits={"max_failures": 2})
    shim.run(0, 1, [0], last=False)
    shim.run(0, 2, [1], last=False)
    shim.run(0, 3, [2], last=False)
    shim.run(0, 4, [3], last=True)

    assert shim.op("result", case=1)["outcome"] == "passed"
    shim.op("result", case=2)
    shim.send(op="cancel", attempts=[4], grace=5)
    assert shim.op("finished", attempt=4)["left"] == [3]
    shim.acknowledge = True
    shim.close()
    assert not (tmp_path / "began-3").exists()
