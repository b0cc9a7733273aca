"""Errors and failures as pytest shows them: title, traceback, captured output of each phase."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from crossfleet.api.types.v1 import result_pb2
from crossfleet.cli.reporting.captured import decoded, indented
from crossfleet.cli.reporting.case_lines import line_of
from crossfleet.cli.reporting.earlier import earlier_lines
from crossfleet.cli.reporting.headlines import headline, target_mark
from crossfleet.cli.reporting.locations import last_location
from crossfleet.cli.reporting.paint import Paint
from crossfleet.cli.reporting.part import Part, ruler
from crossfleet.cli.reporting.style import ReportStyle
from crossfleet.cli.running.progress import BAD
from crossfleet.cli.running.results import MOST_DETAILS, RunResults

MOST_TRACEBACKS = 100
MOST_FLAKY = 10


def failure_sections(results: RunResults, paint: Paint, style: ReportStyle) -> Iterator[Part]:
    """The sections FLAKY, ERRORS and FAILURES; the first MOST_TRACEBACKS cases, with -v all that were fetched."""
    bad = results.failures()
    if style.traceback_style == "no":
        return
    if style.traceback_style != "line" and (flaky := results.flaky()):
        yield Part(_heading("FLAKY", style))
        yield from (case_part(results, case, paint, style) for case in flaky[:MOST_FLAKY])
    if not bad:
        return
    most = MOST_DETAILS if style.verbosity > 0 else MOST_TRACEBACKS
    shown = bad[:most]
    errors = [case for case in shown if case.outcome == result_pb2.OUTCOME_ERROR]
    failed = [case for case in shown if case.outcome != result_pb2.OUTCOME_ERROR]
    if style.traceback_style == "line":
        yield Part(_heading("FAILURES", style))
        yield Part("\n".join(_one_line(results, case) for case in [*errors, *failed]))
    else:
        for title, cases in (("ERRORS", errors), ("FAILURES", failed)):
            if cases:
                yield Part(_heading(title, style))
                yield from (case_part(results, case, paint, style) for case in cases)
    if len(bad) > most:
        more = "-v shows more of them here, " if most < MOST_DETAILS else ""
        yield Part(f"\n{len(bad) - most} more failures: {more}`crossfleet show RUN --case ID` shows any")


def output_sections(results: RunResults, paint: Paint, style: ReportStyle) -> Iterator[Part]:
    """What cases printed that did not fail: PASSES with -rP and -rA, XPASSES with -rX."""
    for letter, title, outcome in (
        ("P", "PASSES", result_pb2.OUTCOME_PASSED),
        ("X", "XPASSES", result_pb2.OUTCOME_XPASSED),
    ):
        if letter not in style.show_reasons or style.traceback_style == "no":
            continue
        printed = [
            (case, lines)
            for case in results.cases
            if case.outcome == outcome and (lines := captured_lines(results.detail(case), style))
        ]
        if printed:
            text = [_heading(title, style)]
            for case, lines in printed:
                text += [paint(ruler(headline(results, case), style.width, "_"), "green"), *lines]
            yield Part("\n".join(text), fold=f"{title}: output of {len(printed)} cases")


def captured_lines(detail: result_pb2.CaseResult | None, style: ReportStyle) -> list[str]:
    """Captured output, each section under its title, as far as --show-capture wants it."""
    lines: list[str] = []
    for section in detail.sections if detail is not None else ():
        if _is_shown(section.title, style.show_capture):
            lines += [ruler(section.title, style.width, "-"), decoded(section.content)]
    return lines


def case_part(results: RunResults, case: result_pb2.CaseRecord, paint: Paint, style: ReportStyle) -> Part:
    """One case: its title, what was tried before, traceback, captured output, and the files that it left."""
    detail = results.detail(case)
    traceback = decoded(detail.details) if detail is not None else ""
    flaky = case.outcome == result_pb2.OUTCOME_FLAKY
    colour = "yellow" if flaky else "red" if case.outcome in BAD else "bold"
    lines = [paint(ruler(headline(results, case), style.width, "_"), colour)]
    if case.earlier and (flaky or not traceback):
        lines += earlier_lines(case, style.width)
        return Part("\n".join(lines), fold=line_of(case, target_mark(results, case.target)))
    if "\n" in traceback:
        lines.append("")
    lines += _painted(indented(traceback).splitlines() or [case.message], paint)
    lines += captured_lines(detail, style)
    lines += _artifact_lines(results, case)
    return Part("\n".join(lines), fold=line_of(case, target_mark(results, case.target)))


def _artifact_lines(results: RunResults, case: result_pb2.CaseRecord) -> list[str]:
    """The files that the case left, as far as it is known which did."""
    left = [each for each in results.artifacts if (each.target, each.case_id) == (case.target, case.case_id)]
    return [f"left a file: {each.name} ({each.size_bytes} bytes)" for each in left]


def _one_line(results: RunResults, case: result_pb2.CaseRecord) -> str:
    place = last_location(case, results.detail(case))
    return f"{place}: {case.message}{target_mark(results, case.target)}"


def _heading(title: str, style: ReportStyle) -> str:
    return "\n" + ruler(title, style.width)


def _is_shown(title: str, wanted: str) -> bool:
    """Sections of plugins show with `all` alone, as with pytest."""
    return wanted == "all" or (wanted != "no" and wanted in title)


def _painted(lines: Sequence[str], paint: Paint) -> list[str]:
    """Errors red and the failing source line bold, as pytest marks them by `E` and `>`."""
    return [
        paint(line, "red") if line.startswith("E  ") else paint(line, "bold") if line.startswith(">") else line
        for line in lines
    ]
