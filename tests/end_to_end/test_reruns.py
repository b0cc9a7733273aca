from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.commands import Finished
from tests.end_to_end.standing import PYTEST, Standing, crossfleet, outcomes
from tests.truth.subjects import environment

FLAKY = """
import os, pathlib, pytest

def first(name):
    place = pathlib.Path(__file__).with_name(name)
    if place.exists():
        return False
    place.touch()
    return True

@pytest.fixture(scope="session")
def server():
    if first("server"):
        raise OSError("connection reset")

def test_fails_once():
    print("printed at first")
    assert not first("fails"), "the first time"
def test_dies_once():
    if first("dies"):
        os._exit(3)
def test_errs_once(server): pass
def test_always(): assert 0
def test_fine(): pass
@pytest.mark.flaky(reruns=1)
def test_marked(): assert not first("marked")
"""
MARKS = """
import pytest
tries = []
@pytest.mark.flaky({mark})
def test_later():
    tries.append(0)
    ready = len(tries) > 2
    assert ready, "not yet"
@pytest.mark.flaky({mark})
def test_never():
    assert 0, "never"
"""


@pytest.fixture
def flaky(project: Path) -> Path:
    (project / "test_flaky.py").write_text(FLAKY)
    return project


def test_a_case_that_passes_on_another_host_is_flaky_in_every_report(fleet: Standing, flaky: Path) -> None:
    options = ("--reruns", "2", "--rerun-on", "host", "--junit", "out.xml")
    done, report = fleet.report(*PYTEST, cwd=flaky, options=options)

    found = {name.partition("::")[2]: outcome for name, outcome in outcomes(report).items()}
    assert found == {
        "test_fails_once": "flaky",
        "test_dies_once": "flaky",
        "test_errs_once": "flaky",
        "test_always": "failed",
        "test_fine": "passed",
        "test_marked": "flaky",
    }, done.text
    assert "4 flaky" in done.out
    assert "printed at first" in done.out
    assert "crossfleet cases --flaky" in done.out
    case = next(case for case in report["cases"] if case["id"].endswith("test_fails_once"))
    (earlier,) = case["earlier"]
    assert {earlier["worker"], case["worker"]} == {"left", "right"}
    assert "the first time" in earlier["details"]
    root = ET.parse(flaky / "out.xml").getroot()
    tags = {
        each.get("name"): [child.tag for child in each if child.tag != "properties"] for each in root.iter("testcase")
    }
    assert "flakyFailure" in tags["test_fails_once"]
    assert "flakyError" in tags["test_dies_once"]
    assert tags["test_always"][:3] == ["failure", "rerunFailure", "rerunFailure"]
    assert root.get("failures") == "1"

    cases = json.loads(fleet.ask("cases", "--flaky", "--suite", flaky.name, "--output", "json").out)["cases"]
    assert {each["case_id"].partition("::")[2] for each in cases} >= {"test_fails_once", "test_marked"}
    shown = fleet.ask("show", report["run"]["run_id"], "--case", "test_fails_once")
    assert "the first time" in shown.out, shown.text


def _override(fleet: Standing, worker: str, word: str) -> Finished:
    return crossfleet("devices", "override", "--data", str(fleet.data), worker, "cpu-0", word, cwd=fleet.data)


def test_a_case_that_failed_waits_for_another_model_of_device_and_the_report_names_both(
    fleet: Standing, flaky: Path
) -> None:
    models = {"left": "rack-a", "right": "rack-b"}
    for worker, model in models.items():
        given = _override(fleet, worker, f"model={model}")
        assert given.status == 0, given.text
    options = ("--target", 'any=device.class == "cpu"', "--reruns", "1", "--rerun-on", "model", "--junit", "out.xml")
    try:
        done, report = fleet.report(*PYTEST, "-k", "fails_once", cwd=flaky, options=options)
    finally:
        for worker in models:
            _override(fleet, worker, "--clear")

    assert done.status == 0, done.text
    (case,) = report["cases"]
    (earlier,) = case["earlier"]
    assert (earlier["device_model"], case["device_model"]) == (models[earlier["worker"]], models[case["worker"]])
    told = f"failed on {earlier['device_model']}, passed on {case['device_model']}"
    assert {earlier["device_model"], case["device_model"]} == set(models.values()), done.text
    assert told in done.out
    assert "1 flaky case failed on one model of device and passed on another" in done.out
    assert told in (flaky / "out.xml").read_text()
    shown = fleet.ask("show", report["run"]["run_id"], "--case", "test_fails_once", "--output", "json")
    assert json.loads(shown.out)["case"]["device_model"] == case["device_model"], shown.text


def test_a_run_with_flaky_cases_passes_unless_it_says_otherwise(fleet: Standing, flaky: Path) -> None:
    select = (*PYTEST, "-k", "fails_once or fine")
    passed, _ = fleet.report(*select, cwd=flaky, options=("--reruns", "1"))
    (flaky / "fails").unlink()
    failed, report = fleet.report(*select, cwd=flaky, options=("--reruns", "1", "--fail-on-flaky"))

    assert (passed.status, failed.status) == (0, 1), passed.text + failed.text
    assert "1 flaky case counts as a failure here" in failed.out
    assert report["run"]["counts"]["flaky"] == 1


def test_pytests_own_option_for_reruns_works_without_its_plugin(fleet: Standing, flaky: Path) -> None:
    done, report = fleet.report(*PYTEST, "--reruns", "1", "--only-rerun=^Assert", "-k", "once", cwd=flaky)

    found = {name.partition("::")[2]: outcome for name, outcome in outcomes(report).items()}
    assert found == {"test_fails_once": "flaky", "test_dies_once": "crashed", "test_errs_once": "error"}, done.text


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("plugin", "mark"), [("pytest-rerunfailures==16.7", "reruns=2"), ("flaky==3.8.1", "max_runs=3, min_passes=1")]
)
def test_marks_are_heeded_by_the_suites_own_plugin_and_never_twice(
    fleet: Standing, project: Path, plugin: str, mark: str
) -> None:
    name = plugin.partition("==")[0]
    python = environment(name, "pytest==9.0.2", plugin)
    (project / "test_marks.py").write_text(MARKS.format(mark=mark))
    words = (str(python), "-m", "pytest", "-p", "no:cacheprovider")
    done, report = fleet.report(*words, cwd=project, options=("--reruns", "5"), seconds=60)

    assert outcomes(report) == {"test_marks.py::test_later": "flaky", "test_marks.py::test_never": "failed"}, done.text
    later, never = report["cases"]
    assert [one["message"] for one in later["earlier"]] == ["AssertionError: not yet"] * 2
    assert len(never["earlier"]) == 2, "the plugin's two, none of the fleet's five"
