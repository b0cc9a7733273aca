"""What is free while a plan is being made: the snapshot, less what this plan has given away so far."""

from __future__ import annotations

from collections import Counter

from crossfleet.matching.fit import place
from crossfleet.matching.free import Fit, Free
from crossfleet.matching.model import Request
from crossfleet.scheduler.core.eligibility import Eligibility, Row
from crossfleet.scheduler.core.model import Group, Proposal
from crossfleet.scheduler.core.snapshot import Snapshot


class Candidates:
    """The workers that have room for a request at this moment of a plan, best first."""

    def __init__(self, ground: Ground, row: Row) -> None:
        """Order them: least wanted by others, then fullest, then by name."""
        self._ground = ground
        self._row = row
        self._rooms: dict[str, int] = {}
        self._names = [name for name in row.able if self.room(name)]
        self._names.sort(key=lambda name: (ground.rivals[name], ground.free[name].slots, name))

    def names(self) -> list[str]:
        """Those that still have room."""
        self._names = [name for name in self._names if self.room(name)]
        return self._names

    def room(self, name: str) -> int:
        """How many slots of the request a worker has room for now."""
        slots = self._rooms.get(name)
        if slots is None:
            slots = self._row.room(self._ground.snapshot.workers[name], self._ground.free[name])
            self._rooms[name] = slots
        return slots

    def roomiest(self, names: list[str], least: int, most: int) -> str | None:
        """The first of ``names`` with room for ``most`` slots, else the first of those with the most room."""
        best, best_room = None, least - 1
        rooms = self._rooms
        for name in names:
            room = rooms.get(name, -1)
            if room < 0:
                room = self.room(name)
            if room > best_room:
                best, best_room = name, room
                if room >= most:
                    break
        return best

    def forget(self, name: str) -> None:
        """Count a worker's room again when it is asked for next: something was taken from it."""
        self._rooms.pop(name, None)

    def fit(self, name: str, least: int, most: int) -> Fit | None:
        """Slots and devices of a worker for the request."""
        worker, free = self._ground.snapshot.workers[name], self._ground.free[name]
        found = place(self._row.request, worker, free, self._row.able[name], least, most)
        return found if isinstance(found, Fit) else None


class Ground:
    """Free slots by worker, candidates by request, and the proposals made."""

    def __init__(self, snapshot: Snapshot, eligibility: Eligibility, groups: list[Group]) -> None:
        """Begin with what the snapshot leaves free.

        ``rivals`` counts the groups that want each worker: what few can use is left to the few.
        """
        self.snapshot = snapshot
        self.eligibility = eligibility
        self.free: dict[str, Free] = {name: snapshot.free(name) for name in snapshot.workers}
        self.proposals: dict[tuple[str, str], Proposal] = {}
        self.rivals: Counter[str] = Counter()
        self._candidates: dict[Request, Candidates] = {}
        for request, count in Counter(group.request for group in groups).items():
            for name in eligibility.row(request, snapshot).able:
                self.rivals[name] += count

    def candidates(self, request: Request) -> Candidates:
        """The workers with room for a request."""
        found = self._candidates.get(request)
        if found is None:
            found = self._candidates[request] = Candidates(self, self.eligibility.row(request, self.snapshot))
        return found

    def take(self, group: Group, name: str, fit: Fit) -> None:
        """Give it to the group; twice on one worker makes one larger proposal."""
        worker = self.snapshot.workers[name]
        self.free[name] = self.free[name].minus(group.request, fit.slots, fit.device_ids, worker)
        for candidates in self._candidates.values():
            candidates.forget(name)
        before = self.proposals.get((group.id, name))
        slots = fit.slots + (before.slots if before else 0)
        devices = tuple(dict.fromkeys((*(before.device_ids if before else ()), *fit.device_ids)))
        self.proposals[group.id, name] = Proposal(group.id, name, slots, devices)
