"""Histories of cases as a table: a row a case and target, or a row a place of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from crossfleet.api.coordinator.v1 import run_service_pb2 as wire
from crossfleet.cli.reporting.paint import Paint
from crossfleet.cli.reporting.table import shorten, table
from crossfleet.cli.reporting.times import local

_ID, _MESSAGE = 70, 110
_WHOLE_WORKER = -1


def by_target(cases: Sequence[wire.CaseHistory], paint: Paint) -> str:
    """A row a case and target; below it what the last failure said."""
    differing = _differing(cases)
    heads = ("runs", "failed", "flaky", "differed", "rate", "median", "last runs", "last failure")
    rows = [(*_names(case, differing), *_case_row(case)) for case in cases]
    first = 2 + len(differing)
    head, *lines = table(
        ("case", "target", *differing, *heads), rows, right=frozenset(range(first, first + 6)), paint=paint
    ).split("\n")
    told = [head]
    for line, case in zip(lines, cases, strict=True):
        told.append(line)
        if case.last_failure.message:
            told.append(paint(f"    {shorten(case.last_failure.message, _MESSAGE)}", "dim"))
    return "\n".join(told)


def by_place(cases: Sequence[wire.CaseHistory], paint: Paint, *, slots: bool) -> str:
    """A row a case, target and worker, or also slot: single executions."""
    differing = _differing(cases)
    heads = ("case", "target", *differing, "host", *(("slot",) if slots else ()), "executions", "failed", "rate")
    rows = [(*_names(case, differing), *row) for case in cases for row in _place_rows(case, slots=slots)]
    return table(heads, rows, right=frozenset(range(3 + len(differing), len(heads))), paint=paint)


def rate(tally: wire.Tally) -> str:
    """`3 % (1-8)`: how many did not simply pass, and the bounds of that rate; `-` where nothing is known."""
    if not tally.total:
        return "-"
    share = (tally.failed + tally.flaky) / tally.total
    return f"{100 * share:.0f} % ({100 * tally.low:.0f}-{100 * tally.high:.0f})"


def _differing(cases: Sequence[wire.CaseHistory]) -> tuple[str, ...]:
    """Of what tells histories apart besides case and target: what is not the same of all that are shown."""
    return tuple(name for name in ("project", "suite", "runner") if len({getattr(case, name) for case in cases}) > 1)


def _names(case: wire.CaseHistory, differing: Sequence[str]) -> tuple[str, ...]:
    return (shorten(case.case_id, _ID), case.target, *(getattr(case, name) for name in differing))


def _case_row(case: wire.CaseHistory) -> tuple[str, ...]:
    runs = case.runs
    return (
        str(runs.total),
        str(runs.failed),
        str(runs.flaky),
        str(case.contradictions),
        rate(runs),
        f"{case.median_seconds:.2f} s",
        case.recent,
        local(case.last_failure.at)[:16],
    )


def _place_rows(case: wire.CaseHistory, *, slots: bool) -> Iterator[tuple[str, ...]]:
    for place in case.places:
        if (place.slot == _WHOLE_WORKER) == slots:
            continue
        tally = place.executions
        where = (place.worker_id, *((str(place.slot),) if slots else ()))
        yield (*where, str(tally.total), str(tally.failed), rate(tally))
