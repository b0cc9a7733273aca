"""The results of a simulation as a JSON document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from crossfleet.cli.reporting import documents
from crossfleet.cli.simulating.figures import waits
from crossfleet.simulation.core.curve import Level
from crossfleet.simulation.core.measures import Spread
from crossfleet.simulation.core.standing import Standing
from crossfleet.simulation.playing import Played


def document(title: str, played: Mapping[str, Played]) -> dict[str, Any]:
    """Everything, the curves too. Seconds are numbers, parts lie between 0 and 1."""
    return documents.envelope("simulations", [_one(name, one) for name, one in played.items()]) | {"trace": title}


def _one(name: str, played: Played) -> dict[str, Any]:
    results = played.results
    measures = results.measures
    standings = measures.standings
    return {
        "name": name,
        "scheduler": documents.plain(played.described),
        "groups": {
            "submitted": measures.submitted,
            "finished": measures.finished,
            "unsatisfiable": results.unsatisfiable,
            "stuck": results.stuck,
        },
        "cases": measures.cases,
        "makespan_seconds": _rounded(results.makespan),
        "utilisation": _rounded(results.utilisation),
        "occupation": _rounded(results.occupation),
        "fairness": _rounded(results.fairness),
        "contended_seconds": _rounded(results.contended),
        "waits": {kind: _spread(spread) for kind, spread in waits(played).items()},
        "wide_waits": _spread(Spread.of(measures.wide)),
        "slowdown": _spread(Spread.of(measures.slowdowns)),
        "projects": [{key: _rounded(value) for key, value in asdict(one).items()} for one in results.projects],
        "deadlines": {
            "due": sum(one.due for one in standings.values()),
            "missed": sum(one.missed for one in standings.values()),
            "late": _spread(Spread.of([seconds for one in standings.values() for seconds in one.late])),
        },
        "priority_classes": [_class(name, standings[name]) for name in sorted(standings)] if any(standings) else [],
        "revoked": measures.revoked,
        "closing_seconds": _rounded(measures.closing),
        "lost_seconds": _rounded(measures.lost),
        "lost_cases": measures.lost_cases,
        "workers_lost": measures.workers_lost,
        "plans": measures.plans,
        "granted": measures.granted,
        "refused": dict(measures.refused),
        "last_refusal": measures.last_refusal,
        "plan_seconds": _spread(played.latency),
        "curves": {
            "busy_slots": _curve(measures.busy),
            "held_slots": _curve(measures.held),
            "slots": _curve(measures.slots),
            "waiting_groups": _curve(measures.queue),
        },
    }


def _class(name: str, one: Standing) -> dict[str, Any]:
    """Of groups without a class the name is empty."""
    return {
        "name": name,
        "groups": one.groups,
        "waits": _spread(Spread.of(one.waits)),
        "deadlines": {"due": one.due, "missed": one.missed, "late": _spread(Spread.of(one.late))},
        "revoked": one.revoked,
        "lost_seconds": _rounded(one.lost),
    }


def _spread(spread: Spread) -> dict[str, Any]:
    return {key: _rounded(value) for key, value in asdict(spread).items()}


def _curve(level: Level) -> dict[str, Any]:
    return {"span_seconds": level.curve.span, "means": [_rounded(one) for one in level.curve.means()]}


def _rounded(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value
