"""What `pytest --fleet` makes of arguments and verdicts, without a fleet."""

from __future__ import annotations

import pytest

from crossfleet.api.types.v1 import result_pb2
from crossfleet.cli.handover.arguments import for_fleet
from crossfleet.cli.handover.reports import Gateway, SlotNode, case_reports, location_of

NODE = SlotNode(Gateway("w1/0"))


def made(outcome: str, details: str = "", message: str = "said", **result):
    value = result_pb2.Outcome.Value(f"OUTCOME_{outcome.upper()}")
    case = result_pb2.CaseRecord(
        case_id="d/test_a.py::TestX::test_y[a::b]", outcome=value, seconds=2.0, message=message
    )
    return case_reports(case, result_pb2.CaseResult(details=details.encode(), **result), NODE)


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (["--fleet", "-q", "tests"], ["-q", "tests"]),
        (["--fleet-slots", "3", "--fleet-slots=4", "-x"], ["-x"]),
        (["-p", "vscode_pytest", "--rootdir", "/x"], ["--rootdir", "/x"]),
        (["-p", "no:randomly", "-pteamcity.pytest", "-pmine"], ["-p", "no:randomly", "-pmine"]),
        (["-p"], ["-p"]),
    ],
)
def test_the_fleet_gets_what_is_meant_for_the_suite(words, left):
    assert for_fleet(words) == tuple(left)


@pytest.mark.parametrize(
    ("outcome", "phases"),
    [
        ("passed", [("setup", "passed"), ("call", "passed"), ("teardown", "passed")]),
        ("flaky", [("setup", "passed"), ("call", "passed"), ("teardown", "passed")]),
        ("failed", [("setup", "passed"), ("call", "failed"), ("teardown", "passed")]),
        ("crashed", [("setup", "passed"), ("call", "failed"), ("teardown", "passed")]),
        ("timed_out", [("setup", "passed"), ("call", "failed"), ("teardown", "passed")]),
        ("error", [("setup", "failed"), ("teardown", "passed")]),
        ("xfailed", [("setup", "passed"), ("call", "skipped"), ("teardown", "passed")]),
        ("xpassed", [("setup", "passed"), ("call", "passed"), ("teardown", "passed")]),
        ("skipped", [("setup", "skipped"), ("teardown", "passed")]),
        ("not_run", []),
        ("cancelled", []),
    ],
)
def test_a_verdict_is_told_phase_by_phase(outcome, phases):
    assert [(report.when, report.outcome) for report in made(outcome)] == phases


def test_an_error_of_the_tear_down_leaves_the_call_what_it_showed():
    told = made("error", properties={"call_outcome": "passed", "mine": "1"})
    assert [(r.when, r.outcome) for r in told] == [("setup", "passed"), ("call", "passed"), ("teardown", "failed")]
    assert told[-1].user_properties == [("mine", "1")]


def test_a_failure_carries_its_text_its_line_and_its_output():
    sections = [
        result_pb2.OutputSection(title="Captured stdout call", content=b"out \xff"),
        result_pb2.OutputSection(title="Captured stdout teardown", content=b"late"),
    ]
    _, call, teardown = made("failed", "def test_y():\n>   x\nE   said\n\nd/test_a.py:7: ValueError", sections=sections)
    assert call.longrepr.reprcrash.message == "said"
    assert (call.longrepr.reprcrash.path, call.longrepr.reprcrash.lineno) == ("d/test_a.py", 7)
    assert "def test_y():" in call.longreprtext
    assert call.sections == [("Captured stdout call", "out \\xff")]
    assert len(teardown.sections) == 2
    assert (call.location, call.node.gateway.id) == (("d/test_a.py", None, "TestX.test_y[a::b]"), "w1/0")


def test_a_skip_keeps_its_place_and_its_reason():
    assert made("skipped", "/x/test_a.py:12: Skipped: why: not", call_seconds=0.1)[1].longrepr == (
        "/x/test_a.py",
        12,
        "Skipped: why: not",
    )
    assert made("skipped", "", "why")[0].longrepr == ("d/test_a.py", None, "Skipped: why")


def test_a_case_that_is_no_python_has_a_location_too():
    assert location_of("data/a.yaml") == ("data/a.yaml", None, "")
