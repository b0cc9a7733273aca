"""Targets that need others, semaphores, quotas, schedules and reservations, as a user types them."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.commands import Finished
from tests.end_to_end.standing import PYTEST, Standing, crossfleet, outcomes

SIDES = (
    *("--target", 'left=worker.labels["side"] == "left"'),
    *("--target", 'right=worker.labels["side"] == "right"'),
)


@pytest.fixture
def suite(project: Path) -> Path:
    (project / "test_side.py").write_text(
        "import os\ndef test_somewhere(): pass\ndef test_side(): assert os.environ['CROSSFLEET_WORKER'] == 'left'\n"
    )
    return project


def ask(fleet: Standing, *words: str, cwd: Path | None = None) -> Finished:
    """A command that other commands hold."""
    return crossfleet(words[0], words[1], "--data", str(fleet.data), *words[2:], cwd=cwd or fleet.data)


def test_a_target_whose_need_failed_is_skipped_and_every_report_says_why(fleet: Standing, suite: Path) -> None:
    junit = suite / "out.xml"
    options = (*SIDES, "--needs", "left=right", "--junit", str(junit))
    done, report = fleet.report(*PYTEST, cwd=suite, options=options)

    assert done.status == 1, done.text
    assert "target left: skipped: it needs right, which did not pass" in done.out
    assert {case["target"] for case in report["cases"]} == {"right"}
    states = {target["name"]: (target["state"], target["cause"]) for target in report["run"]["targets"]}
    assert states["left"] == ("skipped", "skipped: it needs right, which did not pass")
    skipped = [one.get("message") for one in ET.parse(junit).iter("skipped")]
    assert skipped == ["skipped: it needs right, which did not pass"]


def test_a_target_begins_when_what_it_needs_is_over(fleet: Standing, suite: Path) -> None:
    with (suite / "test_side.py").open("a") as file:
        file.write("def test_long():\n    import time\n    time.sleep(0.8)\n")
    done, report = fleet.report(*PYTEST, cwd=suite, options=(*SIDES, "--needs", "left=right:finished"))
    assert done.status == 1, done.text
    assert set(outcomes(report, "left").values()) == {"passed"}
    assert "left: waits: right must end first" in done.err


def test_one_run_has_several_suites_in_the_order_in_which_they_need_each_other(fleet: Standing, suite: Path) -> None:
    (suite / "ci.toml").write_text(
        '[[target]]\nname = "lint"\ncommand = ["python3", "-c", "raise SystemExit(3)"]\n'
        f'[[target]]\nname = "unit"\ncommand = {json.dumps([*PYTEST, "-k", "somewhere"])}\n'
        'needs = [{ target = "lint", when = "finished" }]\n'
        '[[target]]\nname = "deploy"\ncommand = ["python3", "-c", "print(1)"]\nneeds = ["unit", "lint"]\n'
    )
    words = ("run", "--data", str(fleet.data), "--matrix", "ci.toml", "--json", "report.json")
    done = crossfleet(*words, cwd=suite)
    report = json.loads((suite / "report.json").read_text())

    assert done.status == 1, done.text
    assert outcomes(report, "unit") == {"test_side.py::test_somewhere": "passed"}
    assert set(outcomes(report, "lint").values()) == {"failed"}
    assert not outcomes(report, "deploy")
    assert "target deploy: skipped: it needs lint, which did not pass" in done.out


def test_a_target_is_skipped_while_what_it_needs_leaves_the_same_and_every_report_says_since_when(
    fleet: Standing, suite: Path
) -> None:
    (suite / "build.sh").write_text(
        'mkdir -p "$CROSSFLEET_ARTIFACTS/dist"\ncat source > "$CROSSFLEET_ARTIFACTS/dist/a.whl"\n'
        'date +%N > "$CROSSFLEET_ARTIFACTS/log"\n'
    )
    (suite / "ci.toml").write_text(
        '[[target]]\nname = "build"\ncommand = ["sh", "build.sh"]\n'
        f'[[target]]\nname = "tests"\ncommand = {json.dumps([*PYTEST, "-k", "somewhere"])}\n'
        'needs = [{ target = "build", when = "changed", artifacts = ["*.whl"] }]\n'
    )

    def carried_out(source: str, *options: str) -> tuple[str, dict[str, str], str]:
        (suite / "source").write_text(source)
        words = ("run", "--data", str(fleet.data), "--matrix", "ci.toml", "--json", "report.json", *options)
        done = crossfleet(*words, cwd=suite)
        assert done.status == 0, done.text
        run = json.loads((suite / "report.json").read_text())["run"]
        (tests,) = (target for target in run["targets"] if target["name"] == "tests")
        return run["run_id"], tests, done.out

    first, tests, out = carried_out("one")
    assert tests["state"] == "finished"
    assert "target tests runs, since no earlier run can stand for it" in out
    foreseen = crossfleet("estimate", "--data", str(fleet.data), "--matrix", "ci.toml", cwd=suite)
    assert f"tests: or nothing, if build leaves what it left in {first}" in foreseen.out, foreseen.text
    _, tests, out = carried_out("one")
    assert (tests["state"], tests["unchanged_since"]) == ("skipped", first)
    assert f"target tests: skipped: nothing that it needs has changed since {first}, in which it passed" in out
    second, tests, out = carried_out("two")
    assert tests["state"] == "finished"
    assert f"runs, since what it needs has changed, or the target itself, since {first}" in out
    _, tests, out = carried_out("two", "--unchanged-too")
    assert tests["state"] == "finished"
    assert f"runs though nothing that it needs has changed since {second}" in out


@pytest.mark.parametrize(
    ("needs", "said"),
    [
        ("left=rihgt", "there is no such target: did you mean 'right'?"),
        ("lfet=right", "there is no target lfet; the targets are left, right"),
        ("left=right:finished:*.whl", "artifacts are compared only where a target must have changed"),
        ("left=right:changed:/tmp/*.whl", "paths begin below CROSSFLEET_ARTIFACTS"),
        ("left", "write NAME=OTHER"),
    ],
)
def test_a_need_that_cannot_be_is_refused_with_a_way_out(fleet: Standing, suite: Path, needs: str, said: str) -> None:
    done = fleet.run(*PYTEST, cwd=suite, options=(*SIDES, "--needs", needs))
    assert done.status == 2
    assert said in done.err


def test_a_semaphore_is_set_held_by_a_run_and_removed(fleet: Standing, suite: Path) -> None:
    done = fleet.run(*PYTEST, cwd=suite, options=("--semaphore", "e2e-seat"))
    assert done.status == 2, done.text
    assert "`crossfleet admin semaphore set e2e-seat N` makes it" in done.err
    assert ask(fleet, "admin", "semaphore", "set", "e2e-seat", "1").status == 0

    (suite / "test_side.py").write_text("import time\ndef test_one(): pass\ndef test_two(): pass\n")
    done, report = fleet.report(*PYTEST, cwd=suite, options=("--semaphore", "e2e-seat"))
    assert done.status == 0, done.text
    assert len({(case["worker"], case["slot"]) for case in report["cases"]}) == 1
    too_many = fleet.run(*PYTEST, cwd=suite, options=("--semaphore", "e2e-seat=2"))
    assert "it needs 2 of semaphore e2e-seat at once, and there is 1" in too_many.err
    again = crossfleet("admin", "semaphore", "set", "--data", str(fleet.data), "e2e-seat", "2", cwd=suite)
    assert again.status == 0, again.text
    listed = ask(fleet, "admin", "semaphore", "list")
    assert "e2e-seat" in listed.out
    assert ask(fleet, "admin", "semaphore", "remove", "e2e-seat").out == "removed e2e-seat\n"


def test_a_project_is_kept_to_its_quota_whatever_is_free(fleet: Standing, suite: Path) -> None:
    made = ask(fleet, "admin", "quota", "set", "limited", "--slots", "1", "--devices", "gpu=2")
    assert made.status == 0, made.text
    assert "0 of 2 gpu" in made.out
    (suite / "test_side.py").write_text("import time\ndef test_one(): pass\ndef test_two(): pass\n")
    done, report = fleet.report(*PYTEST, cwd=suite, options=("--project", "limited"))
    assert done.status == 0, done.text
    assert len({(case["worker"], case["slot"]) for case in report["cases"]}) == 1
    (suite / "ci.toml").write_text('[[target]]\nname = "wide"\nrequest = { slots_min = 2 }\n')
    wide = fleet.run(*PYTEST, cwd=suite, options=("--project", "limited", "--matrix", "ci.toml"))
    assert "target wide needs 2 slots at once, and the quota of project limited is 1" in wide.err
    assert "--wait waits for a larger quota" in wide.err
    assert wide.status == 2
    assert ask(fleet, "admin", "quota", "set", "limited", "--slots", "0").status == 0
    stopped = ("--project", "limited", "--wait", "--timeout", "2")
    assert "the quota of project limited is 0: nobody holds any" in fleet.run(*PYTEST, cwd=suite, options=stopped).err
    nothing = ask(fleet, "admin", "quota", "set", "limited")
    assert "at least one of them" in nothing.err
    assert ask(fleet, "admin", "quota", "remove", "limited").out == "removed the quota of limited\n"


def test_a_schedule_is_made_shown_paused_and_deleted(fleet: Standing, suite: Path) -> None:
    create = ("schedule", "create", "nightly", "--cron", "0 3 * * *", "--timezone", "Europe/Berlin", "--")
    made = ask(fleet, *create, *PYTEST, cwd=suite)
    assert made.status == 0, made.text
    assert "03:00:00+0" in made.out
    other = ask(fleet, *create, "--priority", "3", "--", *PYTEST, cwd=suite)
    assert other.status == 2, other.text
    assert "replace or delete it" in other.err

    shown = json.loads(ask(fleet, "schedule", "show", "nightly", "--output", "json").out)["schedule"]
    assert shown["spec"]["workspace"]["local_path"] == str(suite)
    assert len(shown["next_times"]) == 5
    assert f"{suite}, as it is then" in ask(fleet, "schedule", "show", "nightly").out
    assert ask(fleet, "schedule", "pause", "nightly").out == "nightly: paused\n"
    assert "paused" in ask(fleet, "schedule", "list").out
    assert ask(fleet, "schedule", "resume", "nightly").status == 0
    assert ask(fleet, "schedule", "delete", "nightly").out == "deleted nightly\n"
    gone = ask(fleet, "schedule", "show", "nightly")
    assert gone.status == 2
    assert "`crossfleet schedule list`" in gone.err


def test_what_only_someone_who_waits_can_use_is_refused_for_a_schedule(fleet: Standing, suite: Path) -> None:
    words = ("schedule", "create", "x", "--cron", "0 3 * * *", "--", "--junit", "out.xml", "--", *PYTEST)
    done = ask(fleet, *words, cwd=suite)
    assert done.status == 2
    assert "--junit: nobody waits for a scheduled run" in done.err

    day = ("schedule", "create", "x", "--cron", "0 3 * * *", "--", "--deadline", "18:00", "--", *PYTEST)
    assert "--deadline: each run of a schedule has its own" in ask(fleet, *day, cwd=suite).err


def test_a_reserved_worker_works_for_its_project_alone_until_that_is_cancelled(fleet: Standing, suite: Path) -> None:
    made = fleet.ask(
        "reserve",
        *("--project", "ml", "--for", "1h", "--selector", 'worker.labels["side"] == "left"', "--output", "json"),
    )
    assert made.status == 0, made.text
    (reserved,) = json.loads(made.out)["reservations"]
    try:
        assert reserved["worker_ids"] == ["left"]
        assert "left" in fleet.ask("reserve").out
        _, others = fleet.report(*PYTEST, cwd=suite)
        assert {case["worker"] for case in others["cases"]} == {"right"}
        _, own = fleet.report(*PYTEST, cwd=suite, options=("--project", "ml", *SIDES[:2]))
        assert {case["worker"] for case in own["cases"]} == {"left"}
    finally:
        cancelled = fleet.ask("reserve", "--cancel", reserved["reservation_id"])
    assert cancelled.status == 0, cancelled.text
    assert fleet.ask("reserve").out == "nothing is reserved\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--project", "ml"), "name the project and how long"),
        (("--project", "ml", "--for", "1h", "--from", "tomorrow"), "write a time such as"),
        (("--project", "ml", "--for", "1h", "--from", "2020-01-01"), "a time to come"),
        (("--project", "ml", "--for", "1h", "--selector", "worker.nme == 1"), "did you mean 'name'?"),
        (("--cancel", "nothing"), "no reservation 'nothing'"),
    ],
)
def test_a_reservation_that_cannot_be_is_refused(fleet: Standing, words: tuple[str, ...], said: str) -> None:
    done = fleet.ask("reserve", *words)
    assert done.status == 2, done.text
    assert said in done.err
