"""What is foreseen, on real fleets: before a run, and while it waits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crossfleet.foundation.wait import eventually
from tests.commands import crossfleet as started
from tests.end_to_end.standing import PYTEST, Standing, crossfleet, environment


@pytest.fixture
def suite(project: Path) -> Path:
    (project / "test_naps.py").write_text(
        "import pytest, time\n@pytest.mark.parametrize('number', range(6))\ndef test_nap(number): time.sleep(0.2)\n"
    )
    return project


def busy(fleet: Standing) -> int:
    workers = json.loads(fleet.ask("workers", "--output", "json").out)["workers"]
    return sum(worker["busy_slots"] for worker in workers)


def estimate(data: Path, suite: Path, *words: str) -> dict:
    done = crossfleet("estimate", "--data", str(data), "--output", "json", *words, "--", *PYTEST, cwd=suite)
    assert done.status == 0, done.text
    return json.loads(done.out)["estimate"]


def test_a_suite_is_estimated_by_its_last_run_also_where_no_fleet_is_up(folder: Path, suite: Path) -> None:
    data = folder / "data"
    before = estimate(data, suite, "--slots", "2")
    ran = crossfleet("run", "--data", str(data), "--slots", "2", "-qq", "--", *PYTEST, cwd=suite)
    after = estimate(data, suite, "--slots", "2")

    assert ran.status == 0, ran.text
    assert (before["targets"][0]["cases"], "end_seconds" in before) == (0, False)
    (target,) = after["targets"]
    assert (target["cases"], target["unseen_cases"], target["slots"]) == (6, 0, 2)
    assert after["start_seconds"]["high"] == 0
    # Six naps of a fifth of a second on two slots, after the collection.
    assert 0.6 < after["end_seconds"]["middle"] < 10
    assert target["work_seconds"]["low"] < 1.6
    assert target["work_seconds"]["high"] > 1.2


def test_cases_that_are_collected_here_and_were_never_run_are_counted(fleet: Standing, suite: Path) -> None:
    assert fleet.run(*PYTEST, cwd=suite).status == 0
    (suite / "test_new.py").write_text(
        "import pytest\n@pytest.mark.parametrize('n', [1, 1])\ndef test_new(n): pass\ndef test_other(): pass\n"
    )

    (last,) = estimate(fleet.data, suite)["targets"]
    (now,) = estimate(fleet.data, suite, "--collect")["targets"]
    broken = crossfleet("estimate", "--data", str(fleet.data), "--collect", "--", *PYTEST, "nowhere.py", cwd=suite)

    assert (last["cases"], last["unseen_cases"], last["source"]) == (6, 0, "last_run")
    assert (now["cases"], now["unseen_cases"], now["source"]) == (9, 3, "named")
    assert (broken.status, "nowhere.py" in broken.err) == (2, True), broken.text


async def test_a_run_that_waits_is_told_its_place_and_an_interval(fleet: Standing, suite: Path) -> None:
    first = fleet.run(*PYTEST, cwd=suite)
    gate = suite / "gate"
    for name in "abcdef":
        (suite / f"test_long_{name}.py").write_text(
            f"import pathlib, time\ndef test_long_{name}():\n    while not pathlib.Path('gate').exists(): time.sleep(0.02)\n"
        )
    words = ("run", "--data", str(fleet.data), "-qq", "--", *PYTEST)
    async with started(*words, "-k", "long", cwd=suite, env=environment()) as holding:

        def newest() -> dict:
            return json.loads(fleet.ask("runs", "--output", "json").out)["runs"][0]

        await eventually(lambda: busy(fleet) == 2, deadline=40, what="the slots are held")
        holder = newest()["run_id"]
        async with started(*words, "test_naps.py", cwd=suite, env=environment()) as waiting:
            await eventually(lambda: newest()["run_id"] != holder, deadline=40, what="another run is there")

            def explained() -> str:
                return fleet.ask("explain", newest()["run_id"]).out

            await eventually(lambda: "waits: " in explained(), deadline=40, what="it waits")
            told = explained()
            foreseen = estimate(fleet.data, suite)
            gate.touch()
            done = [await one.finished() for one in (holding, waiting)]

    assert first.status == 0, first.text
    assert [one.status for one in done] == [0, 0]
    assert "next in the queue: 1 group running with about " in told
    assert "0 of 2 slots that it could use are free" in told
    assert "\n  begins " in told
    assert "\n  ends " in told
    assert foreseen["targets"][0]["queue"]["groups_ahead"] == 1
    assert foreseen["targets"][0]["queue"]["groups_running"] == 1
    assert foreseen["start_seconds"]["high"] > 0
