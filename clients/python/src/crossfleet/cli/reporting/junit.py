"""The JUnit XML report: one suite a target, in pytest's dialect."""

from __future__ import annotations

import re
from pathlib import Path

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite
from junitparser.xunit2 import FlakyError, FlakyFailure, InterimResult, RerunError, RerunFailure

from crossfleet.api.types.v1 import result_pb2
from crossfleet.cli.reporting.times import utc
from crossfleet.cli.running.results import RunResults

# XML 1.0 has no place for these, whatever the escaping.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SKIPPED = {
    result_pb2.OUTCOME_SKIPPED: "skipped",
    result_pb2.OUTCOME_XFAILED: "xfail",
    result_pb2.OUTCOME_CANCELLED: "cancelled",
    result_pb2.OUTCOME_PREEMPTED: "preempted",
    result_pb2.OUTCOME_NOT_RUN: "not run",
    result_pb2.OUTCOME_UNSPECIFIED: "not run",
}
_ERRORS = frozenset((result_pb2.OUTCOME_ERROR, result_pb2.OUTCOME_CRASHED, result_pb2.OUTCOME_TIMED_OUT))


def write(results: RunResults, path: Path) -> None:
    """Writes the report in one step, its folder too. Raises OSError."""
    report = JUnitXml("crossfleet")
    many = len(results.run.targets) > 1
    for target in results.run.targets:
        suite = TestSuite(
            _clean(f"{results.run.spec.suite.name} [{target.name}]" if many else results.run.spec.suite.name)
        )
        suite.timestamp = utc(results.run.created_at) or ""
        suite.add_property("target", target.name)
        suite.add_property("run", results.run.run_id)
        # All at once: add_testcase counts the whole suite anew each time.
        suite.add_testcases([_case(case, results.detail(case)) for case in results.cases if case.target == target.name])
        report.add_testsuite(suite)
    report.update_statistics()  # type: ignore[no-untyped-call]
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.part")
    report.write(str(staged), pretty=False)
    staged.replace(path)


def _case(case: result_pb2.CaseRecord, detail: result_pb2.CaseResult | None) -> TestCase:
    file, _, name = case.case_id.partition("::")
    classes, _, last = name.rpartition("::")
    module = file.removesuffix(".py").replace("/", ".")
    written = TestCase(
        _clean(last or file), _clean(".".join(filter(None, (module, classes.replace("::", "."))))), case.seconds
    )
    message = _clean(case.message)
    if case.outcome in _SKIPPED:
        written.result = [Skipped(message or _SKIPPED[case.outcome], _SKIPPED[case.outcome])]
    elif case.outcome == result_pb2.OUTCOME_FAILED:
        written.result = [Failure(message)]
    elif case.outcome in _ERRORS:
        kind = result_pb2.Outcome.Name(case.outcome).removeprefix("OUTCOME_").lower()
        written.result = [Error(message or kind, kind)]
    if detail is not None and written.result:
        written.result[0].text = _decoded(detail.details)
    for one in case.earlier:
        written.append(_earlier(one, flaky=case.outcome == result_pb2.OUTCOME_FLAKY))  # type: ignore[no-untyped-call]
    if detail is not None:
        _add_output(written, detail)
    return written


def _earlier(one: result_pb2.EarlierResult, *, flaky: bool) -> InterimResult:
    """As the schema of Surefire reports has it: what failed before a success, or before a last failure."""
    kinds = (FlakyError, FlakyFailure) if flaky else (RerunError, RerunFailure)
    kind = result_pb2.Outcome.Name(one.outcome).removeprefix("OUTCOME_").lower()
    written: InterimResult = kinds[one.outcome == result_pb2.OUTCOME_FAILED](_clean(one.message), kind)
    written.stack_trace = _decoded(one.details)
    _add_output(written, one)
    return written


def _add_output(written: TestCase | InterimResult, detail: result_pb2.CaseResult | result_pb2.EarlierResult) -> None:
    printed = {"stdout": "", "stderr": ""}
    for section in detail.sections:
        where = "stderr" if "stderr" in section.title else "stdout"
        printed[where] += f"{'-' * 5} {section.title} {'-' * 5}\n{_decoded(section.content)}\n"
    if printed["stdout"]:
        written.system_out = printed["stdout"]
    if printed["stderr"]:
        written.system_err = printed["stderr"]


def _decoded(content: bytes) -> str:
    return _clean(content.decode("utf-8", "backslashreplace"))


def _clean(text: str) -> str:
    return _UNWRITABLE.sub(lambda found: f"#x{ord(found[0]):02X}", text)
