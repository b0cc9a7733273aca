"""What people know from pytest's own report is here too: sections, short summary, durations, warnings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.python.tests.sample_run import case, finished
from crossfleet.cli.reporting.last_words import LastWords, last_words
from crossfleet.cli.reporting.locations import location_of
from crossfleet.cli.reporting.paint import plain
from crossfleet.cli.reporting.style import ReportStyle, reasons
from crossfleet.cli.reporting.text import report
from crossfleet.cli.running.results import RunResults

TRACEBACK = b"def test_b():\n>       assert 0\nE       assert 0\n\ntest_a.py:6: AssertionError"
OUTPUT = (
    ("Captured stdout setup", b"from set-up"),
    ("Captured stdout call", b"from the call\n"),
    ("Captured log call", b"WARNING logged"),
    ("Captured stderr teardown", b"from tear-down"),
)
FAILED = case("test_a.py::T::test_b", "failed", message="assert 0", details=TRACEBACK, sections=OUTPUT)
MIXED = finished(
    case("test_a.py::test_fine", "passed", sections=[("Captured stdout call", b"all is well")]),
    FAILED,
    case("test_a.py::test_setup", "error", message="OSError", details=b"E   OSError", phases=(0.1, 0, 0)),
    case("test_a.py::test_end", "error", details=b"E   OSError", properties={"call_outcome": "passed"}),
    case("test_c.py", "error", message="ImportError", details=b"E   ImportError", added=True),
    case("test_a.py::test_die", "crashed", message="killed by SIGSEGV", details=b"killed by SIGSEGV"),
    case("test_a.py::test_x", "skipped", message="not here", details=b"/srv/test_a.py:9: Skipped: not here"),
    case("test_a.py::test_y", "skipped", message="not here", details=b"/srv/test_a.py:9: Skipped: not here"),
    case("test_a.py::test_known", "xfailed", message="known"),
    case("test_a.py::test_mended", "xpassed", sections=[("Captured stdout call", b"mended")]),
)


def told(found: RunResults, **style: Any) -> str:
    return "\n".join(part.text for part in report(found, plain, ReportStyle(**style)))


def test_errors_stand_before_failures_each_under_the_title_that_pytest_gives_it() -> None:
    lines = told(MIXED).splitlines()
    titles = [line.strip("_= ") for line in lines if line.startswith(("===", "___"))]
    assert titles[:8] == [
        "ERRORS",
        "ERROR at setup of test_setup",
        "ERROR at teardown of test_end",
        "ERROR collecting test_c.py",
        "FAILURES",
        "T.test_b",
        "test_die",
        "short test summary info",
    ]


def test_captured_output_follows_the_traceback_phase_by_phase() -> None:
    text = told(finished(FAILED))
    parts = [
        "    def test_b():\n>       assert 0",
        "test_a.py:6: AssertionError\n",
        "Captured stdout setup",
        "from set-up",
    ]
    parts += [
        "Captured stdout call",
        "from the call\n",
        "Captured log call",
        "Captured stderr teardown",
        "from tear-down",
    ]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        ("no", []),
        ("stdout", ["from set-up", "from the call"]),
        ("stderr", ["from tear-down"]),
        ("log", ["WARNING logged"]),
        ("all", ["from set-up", "from the call", "WARNING logged", "from tear-down"]),
    ],
)
def test_show_capture_chooses_among_captured_output(wanted: str, shown: list[str]) -> None:
    text = told(finished(FAILED), show_capture=wanted)
    said = ("from set-up", "from the call", "WARNING logged", "from tear-down")
    assert [each for each in said if each in text] == shown


def test_tracebacks_can_be_a_line_each_or_none() -> None:
    line = told(MIXED, traceback_style="line")
    assert "\ntest_a.py:6: assert 0\n" in line
    assert ">       assert 0" not in line
    none = told(MIXED, traceback_style="no")
    assert "FAILURES" not in none
    assert "FAILED test_a.py::T::test_b - assert 0" in none


@pytest.mark.parametrize(
    ("letters", "meaning"),
    [
        ("fE", "fE"),
        ("a", "sxXEf"),
        ("A", "PpsxXEf"),
        ("AN", ""),
        ("Ns", "s"),
        ("FS", "fs"),
        ("ff", "f"),
        ("aP", "sxXEfP"),
    ],
)
def test_the_letters_of_r_mean_what_they_mean_to_pytest(letters: str, meaning: str) -> None:
    assert reasons(letters) == meaning


def test_the_short_summary_has_a_line_for_what_r_asks_for_in_its_order() -> None:
    summary = told(MIXED, show_reasons="psxXEf", verbosity=-1).split("short test summary info")[1].splitlines()
    assert [line.split(" - ")[0] for line in summary[1:-1]] == [
        "PASSED test_a.py::test_fine",
        "SKIPPED [2] test_a.py:9: not here",
        "XFAIL test_a.py::test_known",
        "XPASS test_a.py::test_mended",
        "ERROR test_a.py::test_setup",
        "ERROR test_a.py::test_end",
        "ERROR test_c.py",
        "FAILED test_a.py::T::test_b",
        "CRASHED test_a.py::test_die",
    ]
    assert "short test summary info" not in told(MIXED, show_reasons="")


def test_output_of_cases_that_passed_is_shown_where_it_is_asked_for() -> None:
    assert "all is well" not in told(MIXED)
    text = told(MIXED, show_reasons=reasons("A"))
    assert all(part in text for part in ("PASSES", "all is well", "XPASSES", "mended"))


def test_targets_are_named_only_where_there_are_several() -> None:
    one = finished(case("t.py::a", "failed", target="gpu", details=b"E   x"))
    assert "[gpu]" not in told(one)
    two = finished(case("t.py::a", "failed", target="gpu", details=b"E   x"), case("t.py::a", "passed", target="cpu"))
    assert "FAILED t.py::a [gpu]" in told(two)
    assert " a [gpu] " in told(two).replace("_", "")


def test_durations_are_listed_by_phase_longest_first() -> None:
    found = finished(
        case("t.py::a", "passed", seconds=0.31, phases=(0.2, 0.1, 0.01)),
        case("t.py::b", "passed", seconds=0.15),
        case("t.py::c", "passed", seconds=0.001),
    )
    lines = told(found, durations=0).split("slowest durations")[1].splitlines()[1:7]
    assert lines == [
        "0.20s setup    t.py::a",
        "0.15s call     t.py::b",
        "0.10s call     t.py::a",
        "0.01s teardown t.py::a",
        "",
        "(1 durations < 0.005s hidden.  Use -vv to show these durations.)",
    ]
    assert "slowest 1 durations" in told(found, durations=1)
    assert "0.00s call     t.py::c" in told(found, durations=0, verbosity=2)


SESSION = """============================= test session starts ==============================
collected 3 items

=============================== warnings summary ===============================
test_a.py::test_b
  /srv/test_a.py:3: DeprecationWarning: old

-- Docs: https://docs.pytest.org/en/stable/how-to/capture-warnings.html
================================ tests coverage ================================
_______________ coverage: platform linux, python 3.11.7-final-0 ________________

a.py      10      0   100%
=========================== short test summary info ============================
FAILED test_a.py::test_b
=================== 1 failed, 2 passed, 1 warning in 0.02s ====================
"""


@pytest.mark.parametrize("coloured", [False, True])
def test_the_end_of_a_session_gives_its_warnings_and_the_sections_of_plugins(coloured: bool) -> None:
    text = "".join(f"\x1b[33m{line}\x1b[0m\n" for line in SESSION.splitlines()) if coloured else SESSION
    found = last_words("t", "w", text)
    assert found.warnings == 1
    assert [title for title, _ in found.sections] == ["warnings summary", "tests coverage"]
    assert found.sections[1][1].endswith("a.py      10      0   100%")


@pytest.mark.parametrize(
    "counts",
    ["1 failed, 1 warning in 0.02s", "!!!! Interrupted: 1 error !!!!", "3 subtests passed in 61.02s (0:01:01)"],
)
def test_the_counts_of_a_quiet_session_are_no_part_of_its_last_section(counts: str) -> None:
    text = f"==== warnings summary ====\nold\n\n-- Docs: here\n{counts}\n"
    assert last_words("t", "w", text).sections == (("warnings summary", "old\n\n-- Docs: here"),)


def test_warnings_are_shown_once_and_counted_in_the_verdict() -> None:
    session = LastWords("default", "w1", 2, (("warnings summary", "x.py:1: DeprecationWarning: old"),))
    text = told(replace(finished(FAILED), last_words=(session, session)))
    assert text.count("x.py:1: DeprecationWarning: old") == 1
    assert "4 warnings  [run-1]" in text.splitlines()[-1]


@given(st.text())
def test_whatever_a_session_prints_can_be_read(text: str) -> None:
    assert last_words("t", "w", text).warnings >= 0


@pytest.mark.parametrize(
    ("root", "case_id", "details", "place"),
    [
        ("", "t.py::a", TRACEBACK.replace(b"test_a", b"t"), "t.py:6"),
        ("sub", "t.py::a", b"E  x\n\nt.py:6: AssertionError", "sub/t.py:6"),
        ("sub", "sub/t.py::a", b"E  x\n\nt.py:6: AssertionError", "sub/t.py:6"),
        ("", "t.py::a", b"t.py:3: \n\nE  x\n\n../lib/x.py:6: ValueError", "t.py:3"),
        ("", "t.py::a", b"E  x\n\nlib/x.py:6: ValueError", "lib/x.py:6"),
        ("", "t.py::a", b'Traceback:\n  File "/srv/t.py", line 7, in a\n    x', "t.py:7"),
        ("", "t.py::a", b"t.py:3: ValueError\n____ ERROR at teardown of a ____\nt.py:9: OSError", "t.py:3"),
        ("", "t.py::a", b"killed", "t.py"),
    ],
)
def test_a_failure_points_into_its_own_file(root: str, case_id: str, details: bytes, place: str) -> None:
    (record,) = (found := finished(case(case_id, "failed", details=details))).cases
    assert str(location_of(record, found.detail(record), root)) == place
