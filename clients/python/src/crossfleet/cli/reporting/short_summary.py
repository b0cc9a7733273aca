"""Pytest's short test summary: a line a case, for those kinds that -r asks for. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from crossfleet.api.types.v1 import result_pb2
from crossfleet.cli.reporting.captured import decoded
from crossfleet.cli.reporting.case_lines import line_of
from crossfleet.cli.reporting.earlier import again
from crossfleet.cli.reporting.headlines import target_mark
from crossfleet.cli.reporting.locations import places_in
from crossfleet.cli.reporting.paint import Paint
from crossfleet.cli.reporting.part import Part, ruler
from crossfleet.cli.reporting.style import ReportStyle
from crossfleet.cli.running.results import RunResults

# The letters of -r, and the outcomes that each shows; what only a fleet tells apart fails in pytest's eyes.
_LETTERS = {
    "x": (result_pb2.OUTCOME_XFAILED,),
    "X": (result_pb2.OUTCOME_XPASSED,),
    "f": (result_pb2.OUTCOME_FAILED, result_pb2.OUTCOME_CRASHED, result_pb2.OUTCOME_TIMED_OUT),
    "E": (result_pb2.OUTCOME_ERROR,),
    "p": (result_pb2.OUTCOME_PASSED,),
}
_COLOURS = {"x": "yellow", "X": "yellow", "f": "red", "E": "red", "p": "green"}


def short_summary(results: RunResults, paint: Paint, style: ReportStyle) -> Iterator[Part]:
    """The section, where it has a line. Flaky cases are in it whatever is asked for: nobody should overlook them."""
    lines = [
        paint(line_of(case, target_mark(results, case.target)) + again(case), "yellow") for case in results.flaky()
    ]
    for letter in style.show_reasons:
        if letter == "s":
            lines += [paint(line, "yellow") for line in _skipped(results)]
        else:
            wanted = _LETTERS.get(letter, ())
            lines += [
                paint(line_of(case, target_mark(results, case.target)) + again(case), _COLOURS[letter])
                for case in results.cases
                if case.outcome in wanted
            ]
    if lines:
        yield Part("\n".join(["\n" + ruler("short test summary info", style.width), *lines]))


def _skipped(results: RunResults) -> Iterator[str]:
    """Skips of one place for one reason in one line, with their number."""
    folded = Counter(
        (_skip_place(case, results.detail(case)), case.message, target_mark(results, case.target))
        for case in results.cases
        if case.outcome == result_pb2.OUTCOME_SKIPPED
    )
    for (place, reason, mark), count in folded.items():
        yield f"SKIPPED [{count}] {place}: {reason}{mark}"


def _skip_place(case: result_pb2.CaseRecord, detail: result_pb2.CaseResult | None) -> str:
    own = case.case_id.partition("::")[0]
    places = places_in(decoded(detail.details)) if detail is not None else []
    if not places:
        return own
    file = own if f"/{places[0].file}".endswith(f"/{own}") else places[0].file
    return f"{file}:{places[0].line}"
