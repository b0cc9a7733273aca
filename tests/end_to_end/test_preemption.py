"""Urgent work takes the slot of a long case, which saves what it has and begins again later."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from crossfleet.foundation.wait import eventually
from tests.commands import Finished
from tests.end_to_end.standing import PYTEST, Standing, crossfleet, up

LONG = """
import pathlib, time

HERE = pathlib.Path(__file__).parent

def test_long():
    with (HERE / "begun").open("a") as file:
        file.write("x")
    if not (HERE / "saved").exists():
        time.sleep(600)
"""
HOOK = """
import pathlib

def pytest_crossfleet_checkpoint(item, seconds):
    pathlib.Path(__file__).with_name("saved").write_text(f"{item.name} {seconds:g}")
"""


def admin(fleet: Standing, *words: str) -> Finished:
    return crossfleet("admin", "priority", "--data", str(fleet.data), *words, cwd=fleet.data)


@pytest.fixture
def long(tmp_path: Path) -> Path:
    place = tmp_path / "long"
    place.mkdir()
    (place / "test_long.py").write_text(LONG)
    (place / "conftest.py").write_text(HOOK)
    return place


async def test_a_case_that_makes_room_is_told_and_runs_again_without_a_trace(
    folder: Path, long: Path, project: Path
) -> None:
    (project / "test_quick.py").write_text("def test_quick(): pass\n")
    with up(folder / "data", "--worker", "only", "--slots", "1") as fleet:
        for words in (("batch", "-10", "--preemptible", "--grace", "1s"), ("urgent", "100", "--preempts")):
            made = admin(fleet, "set", *words)
            assert made.status == 0, made.text
        ended: list[tuple[Finished, dict[str, Any]]] = []
        batch = threading.Thread(
            target=lambda: ended.append(fleet.report(*PYTEST, cwd=long, options=("--priority", "batch")))
        )
        batch.start()
        await eventually((long / "begun").exists, deadline=30, what="the long case has begun")
        asked = ("estimate", "--data", str(fleet.data), "--priority")
        taking = crossfleet(*asked, "urgent", "--output", "json", "--", *PYTEST, cwd=project)
        giving = crossfleet(*asked, "batch", "--", *PYTEST, cwd=project)
        urgent = fleet.run(*PYTEST, cwd=project, options=("--priority", "urgent"))
        batch.join(40)
        listed = admin(fleet, "list")
        unknown = fleet.run(*PYTEST, cwd=project, options=("--priority", "urgnt"))

    assert json.loads(taking.out)["estimate"]["start_seconds"]["high"] <= 2.0, taking.text
    assert json.loads(taking.out)["preemption"]["takes_from"] == ["batch"]
    assert "may be preempted by runs of urgent; a case then may go on for 1 s" in giving.out, giving.text
    assert urgent.status == 0, urgent.text
    ((done, report),) = ended
    assert done.status == 0, done.text
    assert (long / "saved").read_text() == "test_long 1"
    assert (long / "begun").read_text() == "xx"
    assert [(case["outcome"], "earlier" in case) for case in report["cases"]] == [("passed", False)]
    assert "urgent       100  yes" in listed.out
    assert (unknown.status, "did you mean 'urgent'?" in unknown.err) == (2, True), unknown.text


def test_a_deadline_is_told_where_people_look(fleet: Standing, project: Path) -> None:
    (project / "test_nap.py").write_text("import time\ndef test_nap(): time.sleep(0.3)\n")
    met = fleet.run(*PYTEST, cwd=project, options=("--deadline", "1h"))
    late, report = fleet.report(*PYTEST, cwd=project, options=("--deadline", "0.1"))
    wrong = fleet.run(*PYTEST, cwd=project, options=("--deadline", "2020-01-01 12:00+01:00"))
    estimated = fleet.ask("estimate", "--deadline", "0.1", "--", *PYTEST, cwd=project)

    assert met.status == 0, met.text
    assert "before its deadline, 20" in met.out
    assert late.status == 0, late.text
    assert "missed its deadline, 20" in late.out
    assert report["run"]["deadline"] < report["run"]["finished_at"]
    assert (wrong.status, "has passed: it is 20" in wrong.err) == (2, True), wrong.text
    assert "deadline in 0.1 s: will probably be missed" in estimated.out, estimated.text
