"""The figures of a simulation: names, values and how people read them."""

from __future__ import annotations

from collections.abc import Sequence

from crossfleet.simulation.core.measures import Spread
from crossfleet.simulation.core.standing import Standing
from crossfleet.simulation.playing import Played


def figures(played: Played) -> list[tuple[str, str]]:
    """One line for each figure but the distributions, always the same lines."""
    results = played.results
    measures = results.measures
    refused = sum(measures.refused.values())
    why = f" ({', '.join(f'{name} {number}' for name, number in measures.refused.most_common(2))})" if refused else ""
    left = f", {results.stuck} left waiting" if results.stuck else ""
    left += f", {results.unsatisfiable} unsatisfiable" if results.unsatisfiable else ""
    return [
        ("groups finished", f"{measures.finished} of {measures.submitted}{left}"),
        ("cases", str(measures.cases)),
        ("makespan", duration(results.makespan)),
        ("slots executing", percent(results.utilisation)),
        ("slots held", percent(results.occupation)),
        ("fairness (Jain)", f"{results.fairness:.3f}" if results.contended else "not contended"),
        ("contended for", duration(results.contended)),
        ("slowdown p50 / p90", _slowdown(Spread.of(measures.slowdowns))),
        ("wide work placed", f"{len(measures.wide)}, p90 {duration(Spread.of(measures.wide).p90)}"),
        ("deadlines missed", _deadlines([*measures.standings.values()])),
        ("taken back", f"{measures.revoked}, in {duration(measures.closing)} together"),
        ("lost work", f"{measures.lost_cases} cases, {duration(measures.lost)}"),
        ("workers lost", str(measures.workers_lost)),
        ("proposals", f"{measures.granted} granted, {refused} refused{why}"),
        ("plan p50 / p99 / most", " / ".join(f"{1e3 * one:.1f} ms" for one in _latency(played.latency))),
    ]


CLASS_HEADS = ("groups", "wait p50", "p90", "longest", "deadlines missed", "late p90", "taken back", "lost work")
"""What stands over `class_figures`."""


def class_figures(played: Played) -> dict[str, tuple[str, ...]]:
    """By priority class, `-` for groups without one; empty where no group has any."""
    found = played.results.measures.standings
    return {name or "-": _class(found[name]) for name in sorted(found)} if any(found) else {}


def _class(one: Standing) -> tuple[str, ...]:
    waited = Spread.of(one.waits)
    late = duration(Spread.of(one.late).p90) if one.late else "-"
    missed = f"{one.missed} of {one.due}" if one.due else "-"
    spans = (duration(each) for each in (waited.p50, waited.p90, waited.most))
    return (str(one.groups), *spans, missed, late, str(one.revoked), duration(one.lost))


def _deadlines(standings: Sequence[Standing]) -> str:
    due, missed = sum(one.due for one in standings), sum(one.missed for one in standings)
    late = [seconds for one in standings for seconds in one.late]
    by = f", by p90 {duration(Spread.of(late).p90)}" if late else ""
    return f"{missed} of {due}{by}" if due else "nobody had one"


def waits(played: Played) -> dict[str, Spread]:
    """How long groups waited for their first slots, by class."""
    return {kind: Spread.of(values) for kind, values in sorted(played.results.measures.waits.items())}


def duration(seconds: float) -> str:
    """`0`, `0.35 s`, `12.4 s`, `7:05 min`, `3:20 h`."""
    if seconds <= 0:
        return "0"
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02} h"


def percent(part: float) -> str:
    """`83.1 %`."""
    return f"{100 * part:.1f} %"


def _slowdown(spread: Spread) -> str:
    return f"{spread.p50:.2f} / {spread.p90:.2f}"


def _latency(spread: Spread) -> tuple[float, float, float]:
    return spread.p50, spread.p99, spread.most
