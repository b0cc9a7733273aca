"""What GoogleTest binaries print, and how they are told which cases to execute."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from crossfleet.worker.shim.programs.googletest import GoogleTest
from crossfleet.worker.shim.programs.program import Command, Listing, Output
from services.worker.tests.programs.reading import ended, heard, outcomes, started

LISTING = """Running main() from gtest_main.cc
Plain.
  Passes
  DISABLED_Never
DISABLED_Whole.
  Case
Typed/0.  # TypeParam = int
  Size
Some/Numbers.
  Small/0  # GetParam() = "a # b"
  Small/1  # GetParam() = 2
"""
RUN = """[==========] Running 4 tests from 1 test suite.
[ RUN      ] A.passes
printed
[       OK ] A.passes (12 ms)
[ RUN      ] A.fails
no newline a.cc:6: Failure
Expected equality of these values:
  1
  2
[  FAILED  ] A.fails, where GetParam() = 3 (1 ms)
[ RUN      ] A.skips
a.cc:9: Skipped
not here

[  SKIPPED ] A.skips (0 ms)
[ RUN      ] A.dies
last words
"""


def listed(program: GoogleTest, text: str, code: int = 0) -> Listing:
    answer = program.listed(Output(code, text, "", ""))
    assert isinstance(answer, Listing)
    return answer


def test_suites_types_and_parameters_are_listed_and_disabled_cases_are_skipped() -> None:
    found = listed(GoogleTest(["./t"], "/"), LISTING)

    assert found.cases == [
        ("Plain.Passes", "Plain"),
        ("Typed/0.Size", "Typed/0"),
        ("Some/Numbers.Small/0", "Some/Numbers"),
        ("Some/Numbers.Small/1", "Some/Numbers"),
    ]
    assert [skip.id for skip in found.skipped] == ["Plain.DISABLED_Never", "DISABLED_Whole.Case"]


def test_disabled_cases_run_where_the_words_say_so() -> None:
    found = listed(GoogleTest(["./t", "--gtest_also_run_disabled_tests"], "/"), LISTING)

    assert ("Plain.DISABLED_Never", "Plain") in found.cases
    assert not found.skipped


def test_what_is_no_googletest_binary_is_refused_with_its_own_words() -> None:
    refused = listed(GoogleTest(["/bin/ls"], "/"), "ls: unrecognized option", code=2).refused

    assert "GoogleTest" in refused
    assert "unrecognized option" in refused


def test_a_filter_of_the_words_chooses_cases_and_does_not_reach_the_batches() -> None:
    program = GoogleTest(["./t", "--gtest_filter=A.*", "--gtest_brief=1", "--own"], "/")
    listing = program.listing("/results")
    assert isinstance(listing, Command)

    batch = program.batch(["A.one", "A.two"], "/results")

    assert listing.argv == ["./t", "--gtest_filter=A.*", "--own", "--gtest_list_tests"]
    assert list(batch.command.argv)[:3] == ["./t", "--own", "--gtest_filter=A.one:A.two"]


def test_a_batch_takes_no_more_names_than_a_command_line_can_hold() -> None:
    ids = [f"Suite{number:08d}.Case" for number in range(20_000)]

    batch = GoogleTest(["./t"], "/").batch(ids, "/results")

    assert 0 < len(batch.ids) < len(ids)
    assert max(len(word) for word in batch.command.argv) < 128 * 1024


@given(st.lists(st.integers(0, 1000), max_size=8))
def test_results_are_the_same_however_the_output_is_cut(cuts: list[int]) -> None:
    reader = GoogleTest(["./t"], "/").batch(["A.passes"], "/r").reader

    events = heard(reader, RUN, cuts=cuts)

    assert outcomes(events) == {"A.passes": "passed", "A.fails": "failed", "A.skips": "skipped"}
    assert started(events) == ["A.passes", "A.fails", "A.skips", "A.dies"]
    assert reader.said() == [("Captured output before the end", "last words")]
    assert (ended(events, "A.passes").seconds, ended(events, "A.skips").message) == (0.012, "not here")
    assert "a.cc:6: Failure; Expected equality" in ended(events, "A.fails").message


def test_the_json_report_says_what_a_printer_of_the_suites_own_left_out() -> None:
    reader = GoogleTest(["./t"], "/").batch(["A.one"], "/r").reader
    cases = [
        {"name": "one", "status": "RUN", "result": "COMPLETED", "time": "0.5s"},
        {"name": "two", "status": "RUN", "time": "0s", "failures": [{"failure": "a.cc:1\nbad"}]},
        {"name": "three", "status": "NOTRUN"},
    ]

    list(reader.take("results", json.dumps({"testsuites": [{"name": "A", "testsuite": cases}]}, indent=1)))

    assert outcomes(reader.end(1)) == {"A.one": "passed", "A.two": "failed"}
