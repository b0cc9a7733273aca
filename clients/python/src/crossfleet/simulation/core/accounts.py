"""What projects hold, held lately, and got of what they contended for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from crossfleet.matching.free import millicores, slot_millicores
from crossfleet.matching.portions import thousandths_by_class
from crossfleet.simulation.core.model import Allocation, Worker

CPU = "cpu"
_NEGLIGIBLE = 1e-4


@dataclass(slots=True)
class _Project:
    weight: float
    held: Counter[str] = field(default_factory=Counter)
    used: dict[str, float] = field(default_factory=dict)
    used_at: float = 0.0
    wanting: int = 0
    slots: int = 0
    slot_seconds: float = 0.0
    slots_at: float = 0.0
    got: float = 0.0
    due: float = 0.0


@dataclass(frozen=True, slots=True)
class ProjectAccount:
    """A project at the end. `got` of `due`: dominant shares times seconds, while somebody wanted more than it had."""

    project: str
    weight: float
    slot_seconds: float
    got: float
    due: float


class Accounts:
    """Shares are dominant ones: the largest part of any resource, cores (`cpu`) or a class of devices that is not shared."""

    def __init__(self, weights: Mapping[str, float], half_life: float) -> None:
        """Nobody holds anything. Projects without a weight have 1; `half_life` of what was held lately, in seconds."""
        self._weights, self._half_life = weights, half_life
        self._totals: Counter[str] = Counter()
        self._projects: dict[str, _Project] = {}
        self._wanting: dict[str, _Project] = {}
        self._at = 0.0
        self.contended = 0.0

    def came(self, worker: Worker, now: float) -> None:
        """A worker is there."""
        self._settle_all(now)
        self._totals.update(_whole(worker))

    def gone(self, worker: Worker, now: float) -> None:
        """A worker is gone; what was held of it was closed before."""
        self._settle_all(now)
        self._totals.subtract(_whole(worker))

    def opened(self, allocation: Allocation, now: float) -> None:
        """More is held."""
        self._hold(allocation, 1, now)

    def closed(self, allocation: Allocation, now: float) -> None:
        """Less is held."""
        self._hold(allocation, -1, now)

    def wants(self, project: str, more: int, now: float) -> None:
        """So many more of its groups want slots (fewer, where negative)."""
        one = self._of(project)
        if (one.wanting > 0) != (one.wanting + more > 0):
            self._settle(now)
            if one.wanting > 0:
                del self._wanting[project]
            else:
                self._wanting[project] = one
        one.wanting += more

    def shares(self, now: float) -> dict[str, tuple[float, Mapping[str, float]]]:
        """Of each project its weight, and what it held lately: parts of the fleet, 0 to 1, by resource."""
        for one in self._projects.values():
            self._fade(one, now)
        known = dict.fromkeys((*self._weights, *self._projects))
        return {
            name: (self._weights.get(name, 1.0), self._projects[name].used if name in self._projects else {})
            for name in known
        }

    def end(self, now: float) -> list[ProjectAccount]:
        """All projects, by name."""
        self._settle_all(now)
        return [
            ProjectAccount(name, one.weight, one.slot_seconds, one.got, one.due)
            for name, one in sorted(self._projects.items())
        ]

    def _hold(self, allocation: Allocation, sign: int, now: float) -> None:
        self._settle(now)
        one = self._of(allocation.group.project)
        self._fade(one, now)
        one.slot_seconds += one.slots * (now - one.slots_at)
        one.slots_at = now
        one.slots += sign * len(allocation.slots)
        for resource, amount in _cost(allocation).items():
            one.held[resource] += sign * amount

    def _of(self, project: str) -> _Project:
        found = self._projects.get(project)
        if found is None:
            found = self._projects[project] = _Project(self._weights.get(project, 1.0))
        return found

    def _settle(self, now: float) -> None:
        """Count what each project got of its due while somebody wanted more than it had; with one alone nothing is contended."""
        seconds, self._at = now - self._at, now
        if not self._wanting or seconds <= 0:
            return
        shares = {name: self._dominant(one) for name, one in self._projects.items() if one.slots or one.wanting > 0}
        if len(shares) < 2:
            return
        self.contended += seconds
        for name, due in self._dues(shares).items():
            self._projects[name].got += shares[name] * seconds
            self._projects[name].due += due * seconds

    def _dues(self, shares: Mapping[str, float]) -> dict[str, float]:
        """What all hold together, shared out anew by weight: nobody who wants no more is due more than it holds."""
        together, weights = sum(shares.values()), sum(self._projects[name].weight for name in shares)
        dues = {}
        content = (one for one in shares if one not in self._wanting)
        for name in sorted(content, key=lambda one: (shares[one] / self._projects[one].weight, one)):
            weight = self._projects[name].weight
            dues[name] = min(shares[name], together * weight / weights)
            together, weights = together - dues[name], weights - weight
        return dues | {name: together * one.weight / weights for name, one in self._wanting.items()}

    def _settle_all(self, now: float) -> None:
        self._settle(now)
        for one in self._projects.values():
            self._fade(one, now)
            one.slot_seconds += one.slots * (now - one.slots_at)
            one.slots_at = now

    def _fade(self, one: _Project, now: float) -> None:
        if now <= one.used_at:
            return
        fading = 0.5 ** ((now - one.used_at) / self._half_life)
        one.used_at = now
        parts = self._parts(one)
        every = dict.fromkeys((*one.used, *parts))
        faded = {each: one.used.get(each, 0.0) * fading + parts.get(each, 0.0) * (1.0 - fading) for each in every}
        one.used = {each: part for each, part in faded.items() if part > _NEGLIGIBLE}

    def _parts(self, one: _Project) -> dict[str, float]:
        return {each: amount / self._totals[each] for each, amount in one.held.items() if amount and self._totals[each]}

    def _dominant(self, one: _Project) -> float:
        return max(self._parts(one).values(), default=0.0)


def jain(ratios: list[float]) -> float:
    """Jain's index: 1 where all are equal, 1/n where one has everything; 1 of none."""
    squares = sum(one * one for one in ratios)
    return sum(ratios) ** 2 / (len(ratios) * squares) if squares > 0 else 1.0


def _whole(worker: Worker) -> Counter[str]:
    view = worker.view
    found = Counter(thousandths_by_class((device.id for device in view.devices), (), view))
    found[CPU] = millicores(view.cpu_cores)
    return found


def _cost(allocation: Allocation) -> Counter[str]:
    request, worker = allocation.group.request, allocation.worker
    if request.exclusive:
        return _whole(worker)
    found = Counter(thousandths_by_class(allocation.device_ids, allocation.portions, worker.view))
    found[CPU] = len(allocation.slots) * slot_millicores(request, worker.view)
    return found
