"""Traces as text, and a planner of a few lines: what is played without a scheduler's process."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from crossfleet.matching.fit import fit
from crossfleet.matching.free import Fit
from crossfleet.simulation.core.model import Plan, Proposal
from crossfleet.simulation.core.simulation import Simulation
from crossfleet.simulation.telling import Rows
from crossfleet.simulation.trace.reading import happenings, head

Row = dict[str, Any]


def trace(*rows: Row, **first: object) -> bytes:
    """A trace as a file has it."""
    return b"\n".join(json.dumps(row).encode() for row in ({"type": "trace", **first}, *rows)) + b"\n"


def worker(name: str, slots: int = 2, at: float = 0.0, **more: object) -> Row:
    return {"type": "worker", "at": at, "worker_id": name, "slots": slots, **more}


def group(name: str, cases: Sequence[Any], at: float = 0.0, **more: object) -> Row:
    return {"type": "group", "at": at, "group_id": name, "cases": cases, **more}


def lost(name: str, at: float) -> Row:
    return {"type": "worker_lost", "at": at, "worker_id": name}


def back(name: str, at: float) -> Row:
    return {"type": "worker_back", "at": at, "worker_id": name}


def simulation(text: bytes, grace: float | None = None) -> Simulation:
    """One at its beginning."""
    file = io.BytesIO(text)
    first = head(file)
    file.seek(0)
    rows = Rows(happenings(file), first.priority_classes)
    return Simulation(rows.arrivals(), first.project_weights, first.share_half_life_seconds, grace)


def greedy(played: Simulation) -> Plan:
    """First come, first served, on whatever is free."""
    free = {name: one.free() for name, one in played.fleet.workers.items()}
    proposals: list[Proposal] = []
    for one in played.fleet.groups.values():
        wanted, gang = one.wanted(), max(one.request.gang, 1)
        found: list[tuple[str, Fit]] = []
        for name, view in ((name, each.view) for name, each in played.fleet.workers.items()):
            each = max(one.request.slots_min, 1) if gang > 1 else 1
            most = each if gang > 1 else wanted - sum(fits.slots for _, fits in found)
            fits = fit(one.request, view, free[name], played.selectors, least=each, most=most) if most > 0 else None
            if isinstance(fits, Fit) and (gang == 1 or len(found) < gang):
                found.append((name, fits))
        if wanted and (gang == 1 or len(found) == gang):
            for name, fits in found:
                slots, devices, view = fits.slots, fits.device_ids, played.fleet.workers[name].view
                proposals.append(Proposal(one.id, name, slots, devices, one.id if gang > 1 else ""))
                free[name] = free[name].minus(one.request, slots, devices, view, fits.taken)
    return Plan("greedy", tuple(proposals))


def play(played: Simulation) -> None:
    """To the end, planned at each event."""
    while (due := played.due()) is not None:
        played.advance(due)
        played.apply(greedy(played))


def nonsense(random: Random, played: Simulation) -> Plan:
    """Proposals of whatever is there for whatever is there, and some of what is held taken back."""
    workers, groups = [*played.fleet.workers, "nobody"], [*played.fleet.groups, "nothing"]
    devices = [one.id for each in played.fleet.workers.values() for one in each.view.devices]
    proposals = [
        Proposal(
            random.choice(groups),
            random.choice(workers),
            random.randint(-1, 6),
            tuple(random.sample(devices, random.randint(0, min(2, len(devices))))),
            random.choice(("", "", "gang-1", "gang-2")),
        )
        for _ in range(random.randint(0, 6))
    ]
    held = [*played.fleet.allocations, "no allocation"]
    return Plan("nonsense", tuple(proposals), tuple(random.sample(held, random.randint(0, min(2, len(held))))))


def seconds(cases: Sequence[Any]) -> Iterator[float]:
    """Of each case of a row."""
    for one in cases:
        yield from [one[0]] * one[1] if isinstance(one, list) else [one]
