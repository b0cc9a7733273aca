from __future__ import annotations

from pathlib import Path

from tests.end_to_end.standing import PYTEST, Standing, outcomes


def suite(project: Path, **files: str) -> Path:
    for name, text in files.items():
        (project / f"{name}.py").write_text(text)
    return project


CRASHES = """
import ctypes, os
import pytest

@pytest.mark.parametrize("number", range(12))
def test_well(number): pass

def test_exits(): os._exit(1)
def test_segfault(): ctypes.string_at(0)
def test_aborts(): os.abort()
def test_kills_itself(): os.kill(os.getpid(), 9)

@pytest.mark.parametrize("number", range(12))
def test_after(number): pass
"""


def test_a_case_that_dies_is_named_and_the_others_run(fleet: Standing, project: Path) -> None:
    suite(project, test_crashes=CRASHES)

    done, report = fleet.report(*PYTEST, cwd=project)

    found = outcomes(report)
    died = {"test_exits", "test_segfault", "test_aborts", "test_kills_itself"}
    assert {name.partition("::")[2] for name, outcome in found.items() if outcome == "crashed"} == died
    assert sum(outcome == "passed" for outcome in found.values()) == 24
    assert done.status == 1, done.text
    assert "SIGSEGV" in done.out, done.text


def test_a_hanging_case_is_ended_by_its_limit_with_its_stack(fleet: Standing, project: Path) -> None:
    suite(
        project,
        test_hang="import threading\ndef stuck_here(): threading.Event().wait()\n"
        "def test_hangs(): stuck_here()\ndef test_fine(): pass\n",
    )

    done, report = fleet.report(*PYTEST, cwd=project, options=("--case-timeout", "1"))

    assert outcomes(report) == {"test_hang.py::test_hangs": "timed_out", "test_hang.py::test_fine": "passed"}
    assert "stuck_here" in next(case for case in report["cases"] if "hangs" in case["id"])["details"]
    assert done.status == 1, done.text


def test_maxfail_stops_the_run(fleet: Standing, project: Path) -> None:
    suite(
        project,
        test_fails="import pytest\n@pytest.mark.parametrize('number', range(200))\ndef test_fails(number): assert 0\n",
    )

    done, report = fleet.report(*PYTEST, cwd=project, options=("--maxfail", "3"))

    found = list(outcomes(report).values())
    assert done.status == 1, done.text
    assert found.count("failed") >= 3
    assert len(found) == 200
    assert found.count("not_run") + found.count("cancelled") > 100


def test_wrong_arguments_of_pytest_show_what_pytest_says(fleet: Standing, project: Path) -> None:
    suite(project, test_it="def test_it(): pass\n")

    done = fleet.run(*PYTEST, "--no-such-option", cwd=project)

    assert done.status == 2, done.text
    assert "unrecognized arguments: --no-such-option" in done.out + done.err


def test_an_option_of_run_behind_the_dashes_is_named_with_its_place(fleet: Standing, project: Path) -> None:
    done = fleet.run(*PYTEST, "--deadline", "2h", cwd=project)
    assert done.status == 2, done.text
    assert "--deadline: of `crossfleet run`; write it before `--`" in done.err


def test_a_path_that_does_not_exist_is_wrong_usage(fleet: Standing, project: Path) -> None:
    done = fleet.run(*PYTEST, "no/such/path", cwd=project)

    assert done.status == 2, done.text
    assert "no/such/path" in done.out + done.err


def test_a_module_that_cannot_be_imported_is_an_error_and_nothing_runs(fleet: Standing, project: Path) -> None:
    suite(project, test_broken="import no_such_module\n", test_fine="def test_fine(): open('ran', 'w')\n")

    done, report = fleet.report(*PYTEST, cwd=project)

    assert outcomes(report)["test_broken.py"] == "error"
    assert "no_such_module" in done.out
    assert not (project / "ran").exists(), "plain pytest runs nothing after a collection error"
    assert done.status == 1, done.text


def test_no_tests_is_pytests_own_exit_status(fleet: Standing, project: Path) -> None:
    suite(project, test_nothing="")

    done = fleet.run(*PYTEST, cwd=project)

    assert done.status == 5, done.text


def test_output_that_is_no_utf_8_is_shown_and_harms_nothing(fleet: Standing, project: Path) -> None:
    suite(
        project,
        test_bytes="import os, sys\n"
        "def test_bytes():\n"
        "    os.write(1, b'before \\xff\\xfe\\x00 after')\n"
        "    sys.stdout.write('\\udcff lone')\n"
        "    raise ValueError('\\udc80 \\x00 \\x1b[31m in the message')\n",
    )

    done, report = fleet.report(*PYTEST, cwd=project, options=("--junit", "out.xml"))

    assert outcomes(report) == {"test_bytes.py::test_bytes": "failed"}
    case = report["cases"][0]
    assert "before" in case["sections"][0]["content"], case
    assert "after" in case["sections"][0]["content"]
    assert "in the message" in case["message"]
    assert done.status == 1, done.text


def test_a_suite_that_cannot_be_set_up_is_told_apart_from_one_that_fails(fleet: Standing, project: Path) -> None:
    (project / "conftest.py").write_text("raise RuntimeError('the conftest is broken')\n")
    suite(project, test_it="def test_it(): pass\n")

    done = fleet.run(*PYTEST, cwd=project)

    assert done.status in (1, 2), done.text
    assert "the conftest is broken" in done.out + done.err
