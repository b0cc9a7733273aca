"""An administrator's word on a device, as it is typed, and what becomes of runs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from crossfleet.foundation.wait import eventually
from tests.commands import Finished
from tests.end_to_end.standing import PYTEST, Standing, crossfleet


def _devices(fleet: Standing, *words: str) -> Finished:
    return crossfleet("devices", words[0], "--data", str(fleet.data), *words[1:], cwd=fleet.data)


def test_a_run_is_placed_by_what_an_administrator_added_and_no_longer_when_that_is_taken_back(
    fleet: Standing, project: Path
) -> None:
    (project / "test_one.py").write_text("def test_one(): pass\n")
    wanted = ("--target", 'board=device.board == "revision-c" && device.quiet')
    said = _devices(fleet, "override", "left", "cpu-0", "board=revision-c", "quiet=true", "--reason", "the new one")
    assert 'device.board = "revision-c"   added' in said.out, said.text
    assert "device.quiet = true   added" in said.out
    assert "overridden: board, quiet (" in said.out
    assert said.out.rstrip().endswith(": the new one)")

    done, report = fleet.report(*PYTEST, cwd=project, options=wanted)
    assert done.status == 0, done.text
    assert {case["worker"] for case in report["cases"]} == {"left"}
    listed = json.loads(_devices(fleet, "list", "--worker", "left", "--output", "json").out)
    (cpu,) = listed["devices"]
    assert cpu["override"]["reason"] == "the new one"

    cleared = _devices(fleet, "override", "left", "cpu-0", "--clear")
    assert "overridden" not in cleared.out, cleared.text
    assert not cleared.err
    again = _devices(fleet, "override", "left", "cpu-0", "--clear")
    assert (again.status, again.err) == (
        0,
        "crossfleet devices override: nothing was said of cpu-0 before: there was nothing to take back\n",
    )
    refused = fleet.run(*PYTEST, cwd=project, options=wanted)
    assert refused.status == 3, refused.text
    assert "missing: board" in refused.text


async def test_a_run_that_needs_a_hidden_device_waits_for_it(fleet: Standing, project: Path) -> None:
    (project / "test_one.py").write_text("def test_one(): pass\n")
    hidden = _devices(fleet, "override", "left", "cpu-0", "--hide", "board=b", "--reason", "for Anna")
    try:
        assert "device.conditions = [hidden]" in hidden.out, hidden.text
        assert "hidden; overridden: board (" in _devices(fleet, "list").out
        wanted = ("--target", 'b=device.board == "b"')
        waiting = asyncio.create_task(asyncio.to_thread(fleet.run, *PYTEST, cwd=project, options=wanted))

        def explained() -> str:
            runs = json.loads(fleet.ask("runs", "--output", "json").out)["runs"]
            return fleet.ask("explain", runs[0]["run_id"]).out

        await eventually(lambda: waiting.done() or "hidden by an administrator" in explained(), deadline=40)
        assert not waiting.done(), waiting.result().text
    finally:
        assert _devices(fleet, "override", "left", "cpu-0", "--unhide").status == 0
    done = await waiting
    assert done.status == 0, done.text
    assert _devices(fleet, "override", "left", "cpu-0", "--clear").status == 0


def test_mistakes_are_told_with_what_is_right(fleet: Standing) -> None:
    def told(*words: str) -> str:
        done = _devices(fleet, "override", *words)
        assert done.status != 0, done.text
        return done.err

    assert "NAME=VALUE" in told("left", "cpu-0")
    assert "cores is a whole number, such as 16Gi" in told("left", "cpu-0", "cores=many")
    assert "'board' must have the form NAME=VALUE" in told("left", "cpu-0", "board")
    assert "did you mean 'cpu-0'?" in told("left", "cpu-1", "--hide")
    assert "crossfleet workers" in told("nobody", "cpu-0", "--hide")
    assert "is none of class, attributes" in told("left", "cpu-0", "class=gpu")
