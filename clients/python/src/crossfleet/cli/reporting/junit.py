"""The JUnit XML report: one suite a target, in pytest's dialect."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

from junitparser import Error, Failure, JUnitXml, Properties, Property, Skipped, TestCase, TestSuite
from junitparser.xunit2 import FlakyError, FlakyFailure, InterimResult, RerunError, RerunFailure

from crossfleet.api.types.v1 import result_pb2, run_pb2
from crossfleet.cli.reporting.captured import written
from crossfleet.cli.reporting.deadlines import kept
from crossfleet.cli.reporting.earlier import of_models
from crossfleet.cli.reporting.headlines import target_mark
from crossfleet.cli.reporting.locations import Location, location_of
from crossfleet.cli.reporting.suites import suite_on
from crossfleet.cli.reporting.text import used
from crossfleet.cli.reporting.times import utc
from crossfleet.cli.reporting.whole import write_whole
from crossfleet.cli.running.results import RunResults
from crossfleet.foundation.words import word

_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(?=:|$)")
_SKIPPED = {
    result_pb2.OUTCOME_SKIPPED: "skipped",
    result_pb2.OUTCOME_XFAILED: "xfail",
    result_pb2.OUTCOME_CANCELLED: "cancelled",
    result_pb2.OUTCOME_PREEMPTED: "preempted",
    result_pb2.OUTCOME_NOT_RUN: "not run",
    result_pb2.OUTCOME_UNSPECIFIED: "not run",
}
_GOOD = frozenset((result_pb2.OUTCOME_PASSED, result_pb2.OUTCOME_XPASSED, result_pb2.OUTCOME_FLAKY))


def write(results: RunResults, path: Path) -> None:
    """Writes the report in one step, its folder too. Raises OSError."""
    report = JUnitXml("crossfleet")
    cases: dict[str, list[TestCase]] = {target.name: [] for target in results.run.targets}
    for case in results.cases:
        cases.setdefault(case.target, []).append(_case(results, case))
    for skipped in results.run.targets:
        if skipped.state == run_pb2.TARGET_STATE_SKIPPED and not cases[skipped.name]:
            cases[skipped.name].append(_whole_target(skipped))
    for target, its_cases in cases.items():
        suite = TestSuite(written(f"{suite_on(results.run, target).name}{target_mark(results, target)}"))
        suite.timestamp = utc(results.run.started_at) or utc(results.run.created_at) or ""
        suite.add_property("target", written(target))
        suite.add_property("run", results.run.run_id)
        if kept(results.run):
            suite.add_property("deadline", kept(results.run))
        for status in results.run.targets:
            if status.name == target and status.alternatives:
                suite.add_property("alternative", written(used(status)))
        # All at once: add_testcase counts the whole suite anew each time.
        suite.add_testcases(its_cases)
        report.add_testsuite(suite)
    report.update_statistics()  # type: ignore[no-untyped-call]
    content = BytesIO()
    report.write(content, pretty=False)
    write_whole(path, content.getvalue())


def _whole_target(target: run_pb2.TargetStatus) -> TestCase:
    """Stands for the cases of a target that was skipped before they were known."""
    made = TestCase(written(f"target {target.name}"), written(target.name))
    made.result = [Skipped(written(target.cause), "skipped")]
    return made


def _case(results: RunResults, case: result_pb2.CaseRecord) -> TestCase:
    detail = results.detail(case)
    file, _, name = case.case_id.partition("::")
    classes, _, last = name.rpartition("::")
    module = file.removesuffix(".py").replace("/", ".")
    # The target is part of the name: of two cases of one name GitLab keeps the first alone.
    made = TestCase(
        written((last or file) + target_mark(results, case.target)),
        written(".".join(filter(None, (module, classes.replace("::", "."))))),
        round(case.seconds, 6),
    )
    if suite_on(results.run, case.target).runner == "pytest":
        _add_place(made, location_of(case, detail, results.run.spec.suite.root))
    _add_properties(made, case, detail)
    message = written(case.message)
    if case.outcome in _SKIPPED:
        made.result = [Skipped(message or _SKIPPED[case.outcome], _SKIPPED[case.outcome])]
    elif case.outcome == result_pb2.OUTCOME_FAILED:
        exception = _EXCEPTION.match(message)
        made.result = [Failure(message, exception[0] if exception else "failed")]
    elif case.outcome not in _GOOD:
        kind = word(result_pb2.Outcome, case.outcome)
        made.result = [Error(message or kind, kind)]
    if detail is not None and made.result:
        made.result[0].text = _decoded(detail.details)
    for one in case.earlier:
        made.append(_earlier(one, flaky=case.outcome == result_pb2.OUTCOME_FLAKY))  # type: ignore[no-untyped-call]
    if detail is not None and case.outcome != result_pb2.OUTCOME_PASSED:
        _add_output(made, detail)
    return made


def _add_place(made: TestCase, place: Location) -> None:
    element = made._elem  # noqa: SLF001 - it has these two for whole suites alone
    element.set("file", written(place.file))
    if place.line:
        element.set("line", str(place.line))


def _add_properties(made: TestCase, case: result_pb2.CaseRecord, detail: result_pb2.CaseResult | None) -> None:
    # A third of the file would be of those that passed.
    passed = case.outcome == result_pb2.OUTCOME_PASSED
    told = case.worker_id and (case.message or not passed)
    found = {"worker": case.worker_id, "slot": str(case.slot)} if told else {}
    if case.device_model:
        found["device_model"] = case.device_model
    models = of_models(case)
    if models:
        found["flaky_by_model"] = models
    if passed and case.message:
        found["note"] = case.message
    found |= dict(detail.properties) if detail is not None else {}
    if found:
        properties = Properties()  # type: ignore[no-untyped-call]
        for name, value in found.items():
            properties.add_property(Property(written(name), written(value)))
        made.append(properties)  # type: ignore[no-untyped-call]


def _earlier(one: result_pb2.EarlierResult, *, flaky: bool) -> InterimResult:
    """As the schema of Surefire reports has it: what failed before a success, or before a last failure."""
    kinds = (FlakyError, FlakyFailure) if flaky else (RerunError, RerunFailure)
    kind = word(result_pb2.Outcome, one.outcome)
    made: InterimResult = kinds[one.outcome == result_pb2.OUTCOME_FAILED](written(one.message), kind)
    made.stack_trace = _decoded(one.details)
    _add_output(made, one)
    return made


def _add_output(made: TestCase | InterimResult, detail: result_pb2.CaseResult | result_pb2.EarlierResult) -> None:
    printed = {"stdout": "", "stderr": ""}
    for section in detail.sections:
        where = "stderr" if "stderr" in section.title else "stdout"
        printed[where] += f"{'-' * 5} {written(section.title)} {'-' * 5}\n{_decoded(section.content)}\n"
    if printed["stdout"]:
        made.system_out = printed["stdout"]
    if printed["stderr"]:
        made.system_err = printed["stderr"]


def _decoded(content: bytes) -> str:
    return written(content.decode("utf-8", "backslashreplace"))
