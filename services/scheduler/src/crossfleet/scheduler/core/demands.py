"""Distinct requests, and what each kind of worker has for them: asked of matching once for each pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossfleet.matching.cel import SelectorError
from crossfleet.matching.fit import Eligible, eligible
from crossfleet.matching.free import millicores
from crossfleet.matching.model import Request, WorkerView
from crossfleet.matching.preferences import burden, score
from crossfleet.matching.selectors import Selectors

if TYPE_CHECKING:
    from crossfleet.scheduler.core.fillings import Filling

Places = tuple[tuple[int, ...], ...]
"""For each device request the positions, on a worker, of the devices that satisfy it."""

Choice = tuple[int, Places, int]
"""Of a demand by its number, the devices that it chooses of a worker, and how much of what it prefers that worker has."""

Key = tuple[str, tuple[Choice, ...]]
"""What workers of one kind have in common: their signature, and what particular demands choose of them."""


class Demand:
    """One distinct request. ``particular``: it may choose among workers of one signature, by name or by identity.

    ``waiting`` counts the groups that want slots of it.
    """

    def __init__(self, request: Request, number: int, selectors: Selectors) -> None:
        """Nobody waits for it yet."""
        self.request = request
        self.number = number
        self.particular = _particular(request, selectors)
        self.waiting = 0
        self._selectors = selectors

    def able(self, worker: WorkerView) -> Eligible | None:
        """The devices of a worker that satisfy it; None if it does not, even when idle."""
        found = eligible(self.request, worker, self._selectors)
        return found if isinstance(found, Eligible) else None

    def choice(self, worker: WorkerView) -> Choice | None:
        """What it chooses of one worker, None if that does not satisfy it."""
        found = self.able(worker)
        if found is None:
            return None
        at = {device.id: index for index, device in enumerate(worker.devices)}
        places = tuple(tuple(at[one] for one in ids) for ids in found.candidates)
        return (self.number, places, self.score(worker))

    def score(self, worker: WorkerView) -> int:
        """How much of what it prefers a worker has."""
        return score(self.request, worker, self._selectors)

    @property
    def wishes(self) -> bool:
        """Whether it likes some workers better than others."""
        return bool(self.request.preferred or self.request.prefer_least)

    def burden(self, worker: WorkerView) -> float:
        """How much a slot of a worker has of what it wants least; the same for all where it names nothing."""
        return burden(self.request.prefer_least, worker) if self.request.prefer_least else 0.0

    def large(self, model: WorkerView) -> bool:
        """Whether a slot takes so much that small work could keep it out for ever: more than a slot's share."""
        request, slots = self.request, max(model.slots_total, 1)
        return (
            millicores(request.cpu_cores) > millicores(model.cpu_cores) // slots
            or request.memory_bytes * slots > model.memory_bytes
            or any(one.count > 1 for one in request.devices)
        )


@dataclass(eq=False, slots=True)
class Shape:
    """What groups wait for alike: slots of a demand, ``least`` of them at once on each of ``hosts`` workers.

    ``shut``: no worker has room for it, until one of them gets more; ``witness``: how full one is that had room when
    last asked. ``rests``: so many of its groups got nothing in this round, though there is room, that no more are tried.
    """

    demand: Demand
    least: int
    hosts: int
    shut: bool = False
    rests: bool = False
    waiting: int = 0
    witness: Filling | None = None


def _particular(request: Request, selectors: Selectors) -> bool:
    try:
        texts = [request.selector, *(one.selector for one in request.devices)]
        texts += [one.selector for one in request.preferred]
        return any(selectors.compile(text).uses_identity for text in texts)
    except SelectorError:
        return False
