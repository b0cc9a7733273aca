"""The report of a finished run for people."""

from __future__ import annotations

from collections.abc import Iterator

from crossfleet.api.types.v1 import result_pb2, run_pb2
from crossfleet.cli.reporting.deadlines import kept, late
from crossfleet.cli.reporting.durations import durations
from crossfleet.cli.reporting.earlier import of_models
from crossfleet.cli.reporting.failures import failure_sections, output_sections
from crossfleet.cli.reporting.headlines import several_targets
from crossfleet.cli.reporting.matrix import matrix
from crossfleet.cli.reporting.noisy import noisy
from crossfleet.cli.reporting.paint import Paint
from crossfleet.cli.reporting.part import Part, ruler
from crossfleet.cli.reporting.short_summary import short_summary
from crossfleet.cli.reporting.style import ReportStyle
from crossfleet.cli.reporting.table import table
from crossfleet.cli.reporting.times import span
from crossfleet.cli.running.conclusion import nothing_to_execute
from crossfleet.cli.running.results import RunResults
from crossfleet.cli.running.view import duration
from crossfleet.foundation.words import word

CAUSE_LINES = 30
_STYLES = {
    run_pb2.RUN_VERDICT_PASSED: "green",
    run_pb2.RUN_VERDICT_FAILED: "red",
    run_pb2.RUN_VERDICT_INFRASTRUCTURE: "red",
    run_pb2.RUN_VERDICT_CANCELLED: "yellow",
}


def report(results: RunResults, paint: Paint, style: ReportStyle | None = None) -> Iterator[Part]:
    """The parts of the report in pytest's order, then what only a fleet has; the verdict is the last."""
    style = style or ReportStyle()
    if style.verbosity > -2:
        if style.show_summary:
            yield from failure_sections(results, paint, style)
            yield from _last_words(results, paint, style)
            yield from output_sections(results, paint, style)
        if style.verbosity >= 0:
            targets = [target.name for target in results.run.targets] or sorted({case.target for case in results.cases})
            heads, rows = matrix(results.cases, targets)
            yield Part("\n" + table(heads, rows, right=frozenset(range(1, len(heads))), paint=paint))
        if style.show_summary:
            yield from durations(results, paint, style)
            yield from noisy(results, paint, style)
            yield from short_summary(results, paint, style)
        yield from _by_model(results, paint)
        yield from _alternatives(results.run, paint)
        yield from _comparisons(results.run, paint)
        yield from _troubles(results.run, paint)
        if results.run.HasField("cost"):
            yield Part(f"cost {results.run.cost:.2g}, by the label cost_per_hour of its workers")
        if kept(results.run):
            yield Part(paint(kept(results.run), "yellow" if late(results.run) else "green"))
        if results.hint:
            yield Part(paint(results.hint, "yellow"))
    yield Part(verdict_line(results.run, paint, results.warnings()))


def _last_words(results: RunResults, paint: Paint, style: ReportStyle) -> Iterator[Part]:
    """Warnings, and what plugins say at the end; what several sessions say alike is said once."""
    told = set()
    for session in results.last_words:
        for title, body in session.sections:
            if (session.target, title, body) in told:
                continue
            told.add((session.target, title, body))
            mark = f" [{session.target}]" if several_targets(results) else ""
            colour = "yellow" if title.startswith("warnings") else "bold"
            yield Part("\n" + paint(ruler(title + mark, style.width), colour) + "\n" + body, fold=title + mark)


def verdict_line(run: run_pb2.Run, paint: Paint, warnings: int = 0) -> str:
    """`PASSED in 12 s: 4981 cases, 4900 passed, 81 skipped (run-...)`."""
    counts = run.counts
    words = [
        f"{getattr(counts, field)} {called if getattr(counts, field) > 1 else called.removesuffix('s')}"
        for field, called in (
            ("passed", "passed"),
            ("flaky", "flaky"),
            ("failed", "failed"),
            ("errors", "errors"),
            ("crashed", "crashed"),
            ("timed_out", "timed out"),
            ("skipped", "skipped"),
            ("xfailed", "xfailed"),
            ("xpassed", "xpassed"),
            ("cancelled", "cancelled"),
            ("not_run", "not run"),
            ("pending", "pending"),
        )
        if getattr(counts, field)
    ]
    words += [f"{warnings} warning{'s' * (warnings != 1)}"] if warnings else []
    name = word(run_pb2.RunVerdict, run.verdict).upper().replace("UNSPECIFIED", "UNFINISHED")
    if nothing_to_execute(run) and run.verdict == run_pb2.RUN_VERDICT_PASSED:
        name = "NO TESTS"
    took = f" in {duration(span(run.created_at, run.finished_at))}" if run.verdict else ""
    told = any(target.cause for target in run.targets)  # the report shows each target's own
    cause = f" ({run.cause})" if run.cause and not told else ""
    cases = "1 case" if counts.total == 1 else f"{counts.total} cases"
    text = f"{name}{took}: {cases}, {', '.join(words) or 'none ran'}{cause}  [{run.run_id}]"
    return paint(text, _STYLES.get(run.verdict, "yellow"))


def _by_model(results: RunResults, paint: Paint) -> Iterator[Part]:
    """What may be of the device is not to pass for an accident."""
    count = sum(bool(of_models(case)) for case in results.flaky())
    if count:
        cases = "case" if count == 1 else "cases"
        yield Part(paint(f"{count} flaky {cases} failed on one model of device and passed on another", "yellow"))


def _alternatives(run: run_pb2.Run, paint: Paint) -> Iterator[Part]:
    """By which alternative a target ran: a result from elsewhere than was wanted most is to be seen as such."""
    for target in run.targets:
        if target.alternatives:
            first = [use.number for use in target.alternatives] == [1]
            yield Part(paint(f"target {target.name} ran on {used(target)}", "green" if first else "yellow"))


def _comparisons(run: run_pb2.Run, paint: Paint) -> Iterator[Part]:
    """Why a target ran that runs only when something has changed: one for which nothing can be compared runs for ever."""
    for target in run.targets:
        if target.comparison:
            yield Part(paint(f"target {target.name} {target.comparison}", "yellow"))


def used(target: run_pb2.TargetStatus) -> str:
    """`alternative 2 (device.model == "A100")`, or several with the slots that each gave."""
    several = len(target.alternatives) > 1
    parts = [
        f"alternative {use.number} ({use.selector or 'any worker'}"
        + (f", {use.slots} slot{'s' * (use.slots != 1)})" if several else ")")
        for use in target.alternatives
    ]
    return " and ".join(parts)


def _troubles(run: run_pb2.Run, paint: Paint) -> Iterator[Part]:
    for target in run.targets:
        if target.cause:
            details = target.cause_details.splitlines()[-CAUSE_LINES:]
            harmless = run.verdict == run_pb2.RUN_VERDICT_PASSED or target.state == run_pb2.TARGET_STATE_SKIPPED
            style = "yellow" if harmless else "red"
            nothing = target.ending == result_pb2.SUITE_ENDING_NO_CASES and target.deselected
            left_out = f", {target.deselected} deselected" if nothing else ""
            yield Part("\n".join([paint(f"target {target.name}: {target.cause}{left_out}", style), *details]))
        elif target.waiting_reason and run.verdict != run_pb2.RUN_VERDICT_PASSED:
            yield Part(paint(f"target {target.name} waited: {target.waiting_reason}", "yellow"))


def outcome_word(outcome: result_pb2.Outcome.ValueType) -> str:
    """`timed_out` of OUTCOME_TIMED_OUT."""
    return word(result_pb2.Outcome, outcome)
