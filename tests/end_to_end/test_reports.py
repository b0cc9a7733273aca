from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.end_to_end.standing import PYTEST, Standing, outcomes

MIXED = """
import os, pathlib
import pytest

@pytest.mark.parametrize("number", range(8))
def test_passes(number): pass

class TestKinds:
    def test_fails(self):
        print("printed by the test")
        assert 1 == 2, "one is not two"
    def test_skips(self): pytest.skip("not here")
    @pytest.mark.xfail
    def test_xfails(self): assert 0
    @pytest.mark.xfail
    def test_xpasses(self): pass

@pytest.fixture
def broken(): raise OSError("no such thing")
def test_errors(broken): pass

def test_leaves_a_picture():
    folder = pathlib.Path(os.environ["CROSSFLEET_ARTIFACTS"])
    (folder / "sub").mkdir(parents=True, exist_ok=True)
    (folder / "sub" / "picture.bin").write_bytes(bytes(range(256)) * 400)

def test_writes_past_the_capture():
    os.write(2, b"")
"""


@pytest.fixture
def mixed(project: Path) -> Path:
    (project / "test_mixed.py").write_text(MIXED)
    return project


def test_json_and_junit_name_every_case_once(fleet: Standing, mixed: Path) -> None:
    done, report = fleet.report(*PYTEST, cwd=mixed, options=("--junit", "out/junit.xml"))

    assert done.status == 1, done.text
    found = outcomes(report)
    expected = {f"test_mixed.py::test_passes[{number}]": "passed" for number in range(8)} | {
        "test_mixed.py::TestKinds::test_fails": "failed",
        "test_mixed.py::TestKinds::test_skips": "skipped",
        "test_mixed.py::TestKinds::test_xfails": "xfailed",
        "test_mixed.py::TestKinds::test_xpasses": "xpassed",
        "test_mixed.py::test_errors": "error",
        "test_mixed.py::test_leaves_a_picture": "passed",
        "test_mixed.py::test_writes_past_the_capture": "passed",
    }
    assert found == expected
    root = ET.parse(mixed / "out" / "junit.xml").getroot()
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(names) == len(set(names)) == len(expected)
    assert ("test_mixed.TestKinds", "test_fails") in names
    (suite,) = root.iter("testsuite")
    assert [suite.get(key) for key in ("tests", "failures", "errors", "skipped")] == ["15", "1", "1", "2"]
    failed = next(case for case in root.iter("testcase") if case.get("name") == "test_fails")
    assert "one is not two" in str(failed.find("failure").attrib)  # type: ignore[union-attr]
    assert "printed by the test" in (failed.findtext("system-out") or "")


def test_what_a_test_records_is_in_the_reports_also_where_it_passes(fleet: Standing, project: Path) -> None:
    (project / "test_speed.py").write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('number', range(1100))\n"
        "def test_it(number, record_property):\n"
        "    if number % 520 == 0: record_property('speed', number)\n"
    )
    done, report = fleet.report(*PYTEST, cwd=project, options=("--junit", "junit.xml"))

    assert done.status == 0, done.text
    noted = {f"test_speed.py::test_it[{number}]": {"speed": str(number)} for number in (0, 520, 1040)}
    assert {case["id"]: case["properties"] for case in report["cases"] if "properties" in case} == noted
    root = ET.parse(project / "junit.xml").getroot()
    written = {case.get("name"): one.get("value") for case in root.iter("testcase") for one in case.iter("property")}
    assert written == {f"test_it[{number}]": str(number) for number in (0, 520, 1040)}
    again = fleet.ask("show", report["run"]["run_id"], "--json", "-")
    assert json.loads(again.out)["cases"] == report["cases"]


def test_a_run_in_ci_folds_annotates_and_writes_every_report(fleet: Standing, mixed: Path) -> None:
    files = {kind: mixed / f"report.{kind}" for kind in ("xml", "json", "html", "md")}
    options = ("--junit", str(files["xml"]), "--json", str(files["json"]), "--html", str(files["html"]))
    step = mixed / "step.md"
    step.write_text("of another step\n")
    ci = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(step)}

    done = fleet.run(*PYTEST, cwd=mixed, options=(*options, "--summary", str(files["md"])), env=ci)

    assert done.status == 1, done.text
    lines = done.out.splitlines()
    assert lines.count("::endgroup::") == sum(line.startswith("::group::") for line in lines) >= 2
    errors = [line for line in lines if line.startswith("::error ")]
    assert "::error file=test_mixed.py,line=11,title=FAILED test_mixed.py%3A%3ATestKinds%3A%3Atest_fails::" in errors[0]
    assert len(errors) == 2
    assert step.read_text() == "of another step\n" + files["md"].read_text()
    assert "printed by the test" in files["md"].read_text()
    assert "printed by the test" in files["html"].read_text()
    assert ET.parse(files["xml"]).getroot().get("tests") == "15"
    assert (json.loads(files["json"].read_text()))["run"]["verdict"] == "failed"


def test_a_run_that_is_over_is_shown_watched_and_written_as_it_was_reported(fleet: Standing, mixed: Path) -> None:
    _, found = fleet.report(*PYTEST, cwd=mixed)
    run = found["run"]["run_id"]

    shown = fleet.ask("show", run, "--tb", "line", "-rsx", "--durations", "3")
    watched = fleet.ask("watch", run, "-v", "--html", str(mixed / "again.html"), "--tb=no")

    assert "test_mixed.py:11: AssertionError: one is not two\n" in shown.out, shown.text
    assert "SKIPPED [1] test_mixed.py:12: not here" in shown.out
    assert "slowest 3 durations" in shown.out
    assert watched.status == 1, watched.text
    assert sum(line.startswith("PASSED test_mixed.py::test_passes[") for line in watched.out.splitlines()) == 8
    assert "FAILURES" not in watched.out
    assert run in (mixed / "again.html").read_text()


def test_pytests_own_options_shape_the_report(fleet: Standing, mixed: Path) -> None:
    (mixed / "test_warns.py").write_text(
        "import warnings\ndef test_w(): print('out of test_w'); warnings.warn('old')\n"
    )

    done = fleet.run(*PYTEST, "-v", "-rA", "--tb=short", "--show-capture=no", cwd=mixed)

    assert done.status == 1, done.text
    assert "test_mixed.py:11: in test_fails\n" in done.out
    assert "printed by the test" not in done.out
    assert "PASSED test_warns.py::test_w " in done.out
    assert "UserWarning: old" in done.out
    assert "1 warning " in done.out.splitlines()[-1]
    loud = fleet.run(*PYTEST, "-q", "-rP", "test_warns.py", cwd=mixed)
    assert "out of test_w" in loud.out, loud.text


def test_json_on_standard_output_is_json_alone(fleet: Standing, mixed: Path) -> None:
    done = fleet.run(*PYTEST, "-k", "passes", cwd=mixed, options=("--json", "-"))

    report = json.loads(done.out)
    assert (done.status, report["schema"], report["run"]["verdict"]) == (0, 1, "passed")
    assert len(report["cases"]) == 9


def test_a_run_can_be_shown_again_with_its_cases_logs_and_artifacts(fleet: Standing, mixed: Path) -> None:
    _, report = fleet.report(*PYTEST, cwd=mixed)
    run = report["run"]["run_id"]

    shown = fleet.ask("show", run)
    case = fleet.ask("show", run, "--case", "test_mixed.py::TestKinds::test_fails")
    listed = fleet.ask("runs", "--output", "json")
    logs = fleet.ask("logs", run)
    artifacts = json.loads(fleet.ask("artifacts", "list", run, "--output", "json").out)["artifacts"]
    got = fleet.ask("artifacts", "get", run, "--into", str(mixed / "got"))

    assert "one is not two" in shown.out, shown.text
    assert "printed by the test" in case.out, case.text
    assert run in listed.out
    assert "collected 15 items" in logs.out, logs.text
    (picture,) = artifacts
    assert (picture["name"].endswith("/sub/picture.bin"), picture["size_bytes"]) == (True, 102400)
    assert got.status == 0, got.text
    assert (mixed / "got" / "default" / picture["name"]).read_bytes() == bytes(range(256)) * 400


@pytest.mark.parametrize("command", ["show", "logs", "watch", "cancel", "explain"])
def test_a_run_that_does_not_exist_is_named(fleet: Standing, project: Path, command: str) -> None:
    done = fleet.ask(command, "run-nonsense", cwd=project)

    assert done.status == 2, done.text
    assert "run-nonsense" in done.err


@pytest.mark.parametrize(("code", "status"), [("pass", 0), ("raise SystemExit(7)", 1), ("import os; os.abort()", 1)])
def test_a_commands_exit_status_is_its_verdict(fleet: Standing, project: Path, code: str, status: int) -> None:
    done, report = fleet.report(sys.executable, "-c", f"print('said'); {code}", cwd=project)

    assert done.status == status, done.text
    assert len(report["cases"]) == 1


def test_a_command_that_does_not_exist_says_so(fleet: Standing, project: Path) -> None:
    done = fleet.run("no-such-program", cwd=project)

    assert done.status in (1, 2, 3), done.text
    assert "no-such-program" in done.out + done.err


def test_junit_files_that_a_command_leaves_become_cases(fleet: Standing, mixed: Path) -> None:
    command = (*PYTEST, "-q", "-k", "passes or fails", "--junitxml=reports/own.xml")
    script = f"import subprocess, sys; sys.exit(subprocess.call({command!r}))"

    done, report = fleet.report(sys.executable, "-c", script, cwd=mixed, options=("--collect-junit", "reports/*.xml"))

    found = outcomes(report)
    assert sum(outcome == "passed" for outcome in found.values()) == 9, found
    assert [outcome for name, outcome in found.items() if name.endswith("test_fails")] == ["failed"]
    assert done.status == 1, done.text
