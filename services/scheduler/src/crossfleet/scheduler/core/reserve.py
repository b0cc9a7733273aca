"""Workers kept for requests that do not fit yet, so that small work does not keep them out for ever.

EASY backfill (Lifka 1995): who does not fit keeps the workers that are expected to be free first. Others may still use
them if they are expected to end before the last of these is free. Requests keep workers in the order of the plan, whole
sets of them, and no worker is kept twice: two halves of gangs never wait for each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from heapq import nsmallest
from math import inf

from crossfleet.scheduler.core.fleet import Fleet
from crossfleet.scheduler.core.queue import Entry

_NOBODY: frozenset[str] = frozenset()
# Of so many workers for each one needed the earliest is kept: nearly as good as the best of all, and soon found.
_LOOKED_AT = 32


@dataclass(frozen=True, slots=True)
class Reservation:
    """Workers kept for a group. ``seconds`` from now until all are expected to be free; infinite: unknown.

    ``strict``: nothing passes it any more, since it has waited too long for what was expected.
    """

    group_id: str
    workers: frozenset[str]
    seconds: float
    strict: bool


class Reservations:
    """Those of one plan; ``possible``: one more may be made. ``drained`` answers in how many seconds a worker is expected to be idle."""

    def __init__(self, fleet: Fleet, most: int, strict_since: float, drained: Callable[[str], float]) -> None:
        """None yet, at most ``most``. Nothing passes groups that were submitted before ``strict_since``."""
        self._strict_since = strict_since
        self.made: dict[str, Reservation] = {}
        self._fleet = fleet
        self._left = most
        self.possible = most > 0
        self._drained = drained
        self._kept: frozenset[str] = _NOBODY

    def make(self, entry: Entry) -> None:
        """Keep the workers that are free first; none where too few could ever do.

        Where nothing may pass, those of which most is free already: they only get emptier, so they stay the ones.
        """
        shape, strict = entry.shape, entry.group.submitted_at <= self._strict_since
        candidates = self._fleet.emptiest(shape.demand, shape.least, _LOOKED_AT * shape.hosts)
        alone = shape.demand.request.exclusive
        wait = self._busy if strict else self._free
        times = ((wait(name, entry), name) for name in candidates if name not in self._kept)
        chosen = self._one_a_host(sorted(times), shape.hosts) if alone else nsmallest(shape.hosts, times)
        if len(chosen) < shape.hosts:
            return
        self._left -= 1
        self.possible = self._left > 0
        names = frozenset(name for _, name in chosen)
        names = names.union(*(self._fleet.sharing(name, shape.demand) for name in names))
        self._kept |= names
        self.made[entry.group.id] = Reservation(entry.group.id, names, chosen[-1][0], strict=strict)

    def closed_to(self, entry: Entry) -> frozenset[str]:
        """The kept workers that a group may not use: what it would run there does not surely end before."""
        if not self.made:
            return _NOBODY
        group, closed = entry.group, _NOBODY
        lasts = group.estimated_seconds / max(entry.held, 1) if group.estimated_seconds > 0 else inf
        for one in self.made.values():
            if one.group_id != group.id and (one.strict or one.seconds == inf or lasts > one.seconds):
                closed = closed | one.workers if closed else one.workers
        return closed

    def _free(self, name: str, entry: Entry) -> float:
        if self._fleet.room(name, entry.shape.demand) >= entry.shape.least:
            return 0.0
        return max(map(self._drained, self._host(name, entry)))

    def _busy(self, name: str, entry: Entry) -> float:
        """How many slots have to be given back at most."""
        return self._fleet.held_slots(self._host(name, entry))

    def _host(self, name: str, entry: Entry) -> list[str]:
        """The workers of which something has to be free."""
        return [name, *self._fleet.sharing(name, entry.shape.demand)]

    def _one_a_host(self, times: list[tuple[float, str]], most: int) -> list[tuple[float, str]]:
        chosen, closed = list[tuple[float, str]](), set[str]()
        for seconds, name in times:
            if name not in closed and len(chosen) < most:
                chosen.append((seconds, name))
                closed.update(self._fleet.neighbours(name))
        return chosen
