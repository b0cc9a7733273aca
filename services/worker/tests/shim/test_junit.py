"""JUnit files that commands leave, with the elements that Surefire's schema has for reruns."""

from __future__ import annotations

from pathlib import Path

from crossfleet.worker.shim.junit import read_cases

REPORT = """<testsuite>
  <testcase classname="a" name="fine"/>
  <testcase classname="a" name="flaky">
    <flakyFailure message="first" type="failed"><stackTrace>the stack</stackTrace>
      <system-out>printed then</system-out></flakyFailure>
    <flakyError message="second" type="crashed">plain text</flakyError>
    <system-out>printed now</system-out>
  </testcase>
  <testcase classname="a" name="bad">
    <failure message="last">the last stack</failure>
    <rerunFailure message="first"><stackTrace>the first stack</stackTrace></rerunFailure>
  </testcase>
</testsuite>"""


def test_reruns_in_a_report_are_flaky_cases_and_earlier_failures(tmp_path: Path) -> None:
    (tmp_path / "out.xml").write_text(REPORT)

    fine, flaky, bad = read_cases(tmp_path / "out.xml")

    assert (fine["outcome"], fine.get("earlier")) == ("passed", None)
    assert (flaky["outcome"], flaky["message"]) == ("flaky", "first")
    assert [(one["outcome"], one["details"]) for one in flaky["earlier"]] == [
        ("failed", "the stack"),
        ("error", "plain text"),
    ]
    assert flaky["earlier"][0]["sections"] == [["Captured stdout", "printed then"]]
    assert flaky["sections"] == [["Captured stdout", "printed now"]]
    assert (bad["outcome"], bad["message"], bad["details"]) == ("failed", "last", "the last stack")
    assert [one["details"] for one in bad["earlier"]] == ["the first stack"]
