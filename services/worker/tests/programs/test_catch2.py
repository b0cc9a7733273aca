"""What Catch2 binaries of both versions print, and how they are told which cases to execute."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfleet.worker.shim.programs.catch2 import Catch2
from crossfleet.worker.shim.programs.program import Command, Listing, Output
from services.worker.tests.programs.reading import ended, heard, outcomes, started

VERSION_3 = """<?xml version="1.0" encoding="UTF-8"?>
<MatchingTests>
  <TestCase><Name>adds, with a comma</Name><Tags>[a]</Tags><SourceInfo><File>a.cc</File></SourceInfo></TestCase>
  <TestCase><Name>a &lt; b</Name></TestCase>
</MatchingTests>
"""
VERSION_2 = "All available test cases:\n  adds, with a comma\n      [a]\n1 test case\n"
REPORT = """<?xml version="1.0" encoding="UTF-8"?>
<Catch name="t"><Group name="t">
  <TestCase name="passes" filename="a.cc" line="1">
    <OverallResult success="true" durationInSeconds="0.5"><StdOut>
said
    </StdOut></OverallResult>
  </TestCase>
  <TestCase name="fails" filename="a.cc" line="2">
    <Section name="one"><Info>about a</Info>
      <Expression success="false" type="CHECK" filename="a.cc" line="3">
        <Original>a &lt; 2</Original><Expanded>3 &lt; 2</Expanded>
      </Expression>
      <OverallResults successes="0" failures="1" expectedFailures="0"/>
    </Section>
    <OverallResult success="false" durationInSeconds="0.1"/>
  </TestCase>
  <TestCase name="skips"><Skip filename="a.cc" line="9">no device</Skip><OverallResult success="true" skips="1"/></TestCase>
  <TestCase name="dies">
    <FatalErrorCondition filename="a.cc" line="4">SIGSEGV - bad</FatalErrorCondition>
    <OverallResult success="false"/>
  </TestCase>
  <TestCase name="exits" filename="a.cc" line="5">
"""


@given(st.lists(st.integers(0, 2000), max_size=8))
def test_results_are_the_same_however_the_report_is_cut(cuts: list[int]) -> None:
    reader = Catch2(["./t"], "/").batch(["passes"], "/r").reader

    events = heard(reader, REPORT, stream="results", cuts=cuts)

    assert outcomes(events) == {"passes": "passed", "fails": "failed", "skips": "skipped", "dies": "crashed"}
    assert started(events) == ["passes", "fails", "skips", "dies", "exits"]
    assert ended(events, "passes").sections == [("Captured stdout", "said")]
    assert ended(events, "passes").seconds == 0.5
    assert ended(events, "fails").message == "a.cc:3: CHECK( a < 2 ) with expansion: 3 < 2"
    assert "about a" in ended(events, "fails").details
    assert ended(events, "skips").message == "no device"
    assert "SIGSEGV" in ended(events, "dies").message


def test_version_3_is_listed_from_xml() -> None:
    found = Catch2(["./t"], "/").listed(Output(0, VERSION_3, "", ""))

    assert isinstance(found, Listing)
    assert [name for name, _ in found.cases] == ["adds, with a comma", "a < b"]


def test_version_2_is_asked_for_names_whose_number_is_its_exit_code() -> None:
    program = Catch2(["./t", "[a]"], "/")

    following = program.listed(Output(0, VERSION_2, "", ""))
    found = program.listed(Output(2, "adds, with a comma\nother\n", "", ""))

    assert isinstance(following, Command)
    assert following.argv == ["./t", "[a]", "--list-test-names-only"]
    assert isinstance(found, Listing)
    assert [name for name, _ in found.cases] == ["adds, with a comma", "other"]


def test_words_that_are_refused_are_refused_by_the_run() -> None:
    found = Catch2(["./t"], "/").listed(Output(255, "", "Unrecognised token: --bogus", ""))

    assert isinstance(found, Listing)
    assert "--bogus" in found.refused


@pytest.mark.parametrize(
    ("name", "word"),
    [("a, b", r"a\, b"), ("x [y]", r"x \[y\]"), ("*star*", r"\*star\*"), ("back\\slash", r"back\\slash")],
)
def test_names_are_escaped_as_catch2_reads_them(name: str, word: str) -> None:
    assert word in Catch2(["./t"], "/").batch([name], "/r").command.argv


def test_options_stay_and_tests_of_the_words_are_replaced() -> None:
    argv = Catch2(["./t", "--order", "rand", "[tag]", "-s", "-r", "junit"], "/").batch(["a"], "/r").command.argv

    assert list(argv)[:5] == ["./t", "--order", "rand", "-s", "a"]
    assert "[tag]" not in argv
    assert "junit" not in argv


def test_a_report_that_is_no_xml_is_an_error_that_says_so() -> None:
    reader = Catch2(["./t"], "/").batch(["a"], "/r").reader

    with pytest.raises(ValueError, match="no XML"):
        list(reader.take("results", "<Catch><<"))
