"""Results of a fleet as the reports that pytest's own reporters understand."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from _pytest._code.code import ReprFileLocation, TerminalRepr
from _pytest.reports import CollectErrorRepr, CollectReport, TestReport

from crossfleet.api.types.v1 import result_pb2

_SKIPPED = re.compile(r"(?P<path>.+?):(?P<line>\d+): (?P<reason>.*)", re.DOTALL)
_CRASH = re.compile(r"(?P<path>[^\s:][^:\n]*):(?P<line>\d+): ")
_SOURCE = ("def ", "async def ", "class ", "@")
_OWN_PROPERTIES = frozenset(("call_outcome", "teardown_outcome", "reruns"))
_REPORTED = frozenset(
    result_pb2.Outcome.Value(f"OUTCOME_{name}")
    for name in ("PASSED", "FAILED", "ERROR", "SKIPPED", "XFAILED", "XPASSED", "CRASHED", "TIMED_OUT", "FLAKY")
)
_PASSED = (result_pb2.OUTCOME_PASSED, result_pb2.OUTCOME_FLAKY)


class FailureText(TerminalRepr):
    """A traceback that was rendered by a slot's pytest."""

    def __init__(self, text: str, message: str) -> None:
        self.text = text
        places = _CRASH.findall(text)
        path, line = places[-1] if places else ("", "0")
        self.reprcrash = ReprFileLocation(path, int(line), message)

    def toterminal(self, tw: Any) -> None:
        """Writes it as it came; the lines that pytest marks with `E` in red."""
        # Pytest strips the text of a failure as a whole, and with it the indentation of a first line of source.
        text = f"\n    {self.text}" if self.text.startswith(_SOURCE) else self.text
        for line in text.split("\n"):
            tw.line(line, bold=line.startswith("E   "), red=line.startswith("E   "))


@dataclass(frozen=True)
class Gateway:
    """Names a slot where xdist names its gateway."""

    id: str


@dataclass(frozen=True)
class SlotNode:
    """The slot that executed a case, as reporters know it from xdist."""

    gateway: Gateway
    _workerinfocache: str = ""
    """What pytest would print above each failure of a worker of xdist."""


def needs_result(case: result_pb2.CaseRecord) -> bool:
    """Whether its reports say more than its verdict does."""
    return case.outcome in _REPORTED and case.outcome not in _PASSED


def location_of(case_id: str) -> tuple[str, int | None, str]:
    """File, line (not known) and name of a case, from its id."""
    file, _, rest = case_id.partition("::")
    name, bracket, parameters = rest.partition("[")
    return file, None, name.replace("::", ".") + bracket + parameters


def collect_report(case: result_pb2.CaseRecord, result: result_pb2.CaseResult) -> CollectReport:
    """What could not be collected, or skipped itself."""
    if case.outcome == result_pb2.OUTCOME_SKIPPED:
        skipped = (case.case_id.partition("::")[0], None, f"Skipped: {case.message}")
        return CollectReport(case.case_id, "skipped", skipped, [])  # type: ignore[arg-type]  # a line that is not known
    return CollectReport(case.case_id, "failed", CollectErrorRepr(_text(result.details) or case.message), [])


def case_reports(case: result_pb2.CaseRecord, result: result_pb2.CaseResult, node: SlotNode) -> list[TestReport]:
    """Set-up, call and tear-down of one case; empty for one that was not executed."""
    if case.outcome not in _REPORTED:
        return []
    seconds = {"setup": result.setup_seconds, "call": result.call_seconds, "teardown": result.teardown_seconds}
    if not result.ByteSize():
        seconds["call"] = case.seconds
    sections = [(section.title, _text(section.content)) for section in result.sections]
    phases = [_report(case, result, when, outcome) for when, outcome in _phases(case, result)]
    for report in phases:
        report.duration = seconds[str(report.when)]
        report.sections = [each for each in sections if report.when == "teardown" or "teardown" not in each[0]]
        report.user_properties = [(name, v) for name, v in result.properties.items() if name not in _OWN_PROPERTIES]
        report.node = node  # type: ignore[attr-defined]  # reporters look for it, as xdist sets it
    return phases


def _phases(
    case: result_pb2.CaseRecord, result: result_pb2.CaseResult
) -> Iterable[tuple[str, result_pb2.Outcome.ValueType]]:
    passed = result_pb2.OUTCOME_PASSED
    if case.outcome == result_pb2.OUTCOME_ERROR:
        in_call = result.properties.get("call_outcome", "")
        if in_call:
            call = result_pb2.Outcome.Value(f"OUTCOME_{in_call.upper()}")
            return [("setup", passed), ("call", call), ("teardown", result_pb2.OUTCOME_ERROR)]
        return [("setup", result_pb2.OUTCOME_ERROR), ("teardown", passed)]
    if case.outcome == result_pb2.OUTCOME_SKIPPED and not result.call_seconds:
        return [("setup", case.outcome), ("teardown", passed)]
    return [("setup", passed), ("call", case.outcome), ("teardown", passed)]


def _report(
    case: result_pb2.CaseRecord, result: result_pb2.CaseResult, when: str, outcome: result_pb2.Outcome.ValueType
) -> TestReport:
    expected = outcome in (result_pb2.OUTCOME_XFAILED, result_pb2.OUTCOME_XPASSED)
    skipped = outcome in (result_pb2.OUTCOME_SKIPPED, result_pb2.OUTCOME_XFAILED)
    word = "skipped" if skipped else "passed" if outcome in _PASSED or expected else "failed"
    longrepr: Any = None
    if outcome == result_pb2.OUTCOME_SKIPPED:
        found = _SKIPPED.fullmatch(_text(result.details))
        reason = found["reason"] if found else f"Skipped: {case.message}"
        file = case.case_id.partition("::")[0]
        longrepr = (found["path"], int(found["line"]), reason) if found else (file, None, reason)
    elif word == "failed" or outcome == result_pb2.OUTCOME_XFAILED:
        longrepr = FailureText(_text(result.details) or case.message, case.message)
    report = TestReport(case.case_id, location_of(case.case_id), {}, word, longrepr, when)  # type: ignore[arg-type]
    if expected:
        report.wasxfail = case.message
    return report


def _text(content: bytes) -> str:
    return content.decode("utf-8", "backslashreplace")
