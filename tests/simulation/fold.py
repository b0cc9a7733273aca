"""Compares the state in memory with the one that is folded from what is stored."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from crossfleet.coordinator.core.model import State, Worker
from crossfleet.coordinator.core.queue import CaseQueue

_FACTS = (
    "next_attempt",
    "next_task",
    "next_allocation",
    "requests",
    "past_runs",
    "semaphores",
    "sharing",
    "schedules",
    "reservations",
    "quotas",
    "tallies",
)
_TABLES = ("runs", "groups", "allocations", "attempts")


def difference(stored: State, live: State) -> str:
    """What differs, with its place; empty when nothing does. Sessions of workers are memory only."""
    for name in _FACTS:
        if getattr(stored, name) != getattr(live, name):
            return f"{name}: stored {getattr(stored, name)}, live {getattr(live, name)}"
    for name in _TABLES:
        left, right = getattr(stored, name), getattr(live, name)
        if left.keys() != right.keys():
            return f"{name}: stored {sorted(left)}, live {sorted(right)}"
        for key, one in left.items():
            found = _records(one, right[key])
            if found:
                return f"{name}[{key}].{found}"
    if stored.workers.keys() != live.workers.keys():
        return f"workers: stored {sorted(stored.workers)}, live {sorted(live.workers)}"
    for key, worker in stored.workers.items():
        if _known_of(worker) != _known_of(live.workers[key]):
            return f"workers[{key}]"
    return ""


def _known_of(worker: Worker) -> tuple[Any, ...]:
    return worker.allocations, worker.drained, worker.health, worker.overrides, worker.gone_at, worker.has_left


def _records(stored: Any, live: Any) -> str:
    for one in fields(stored):
        if not one.compare:
            continue  # a memory, not a fact
        left, right = getattr(stored, one.name), getattr(live, one.name)
        if isinstance(left, CaseQueue):
            left, right = (left.pending(), left.estimates), (right.pending(), right.estimates)
        if left != right:
            return f"{one.name}: stored {left!r}, live {right!r}"[:300]
    return ""
