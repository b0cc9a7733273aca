"""Cases that were measured while their host was not quiet. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from crossfleet.api.types.v1 import result_pb2
from crossfleet.cli.reporting.headlines import target_mark
from crossfleet.cli.reporting.paint import Paint
from crossfleet.cli.reporting.part import Part, ruler
from crossfleet.cli.reporting.style import ReportStyle
from crossfleet.cli.running.results import RunResults

_MARK = "noisy: "
_MOST = 20


def noisy_cases(results: RunResults) -> list[result_pb2.CaseRecord]:
    """Those whose result stands although a gate was broken."""
    return [case for case in results.cases if case.message.startswith(_MARK)]


def noisy(results: RunResults, paint: Paint, style: ReportStyle) -> Iterator[Part]:
    """The section, where there is one: nobody should take such a number for a measurement."""
    found = noisy_cases(results)
    lines = [
        paint(f"NOISY {case.case_id}{target_mark(results, case.target)} - {case.message.removeprefix(_MARK)}", "yellow")
        for case in found[:_MOST]
    ]
    if len(found) > _MOST:
        lines.append(f"... and {len(found) - _MOST} more")
    if lines:
        yield Part("\n".join(["\n" + ruler("measured on a host that was not quiet", style.width), *lines]))
