"""A few workers that stand for many."""

from __future__ import annotations

from collections.abc import Iterable

from crossfleet.matching.cel import SelectorError
from crossfleet.matching.model import Request, WorkerState, WorkerView
from crossfleet.matching.selectors import Selectors


def kinds(workers: Iterable[WorkerView]) -> list[tuple[WorkerView, int]]:
    """One worker of each signature and state, and how many there are of it."""
    found: dict[tuple[str, WorkerState], list[WorkerView]] = {}
    for one in sorted(workers, key=lambda worker: worker.name):
        found.setdefault((one.signature, one.state), []).append(one)
    return [(same[0], len(same)) for same in found.values()]


def particular(request: Request, selectors: Selectors) -> bool:
    """Whether a request may tell apart what is of one kind."""
    texts = (request.selector, *(demand.selector for demand in request.devices))
    try:
        return any(selectors.compile(text).uses_identity for text in texts)
    except SelectorError:
        return False
