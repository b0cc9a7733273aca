"""What each project held of the fleet lately: the past fades, so that nobody pays for it for ever.

A memory of the leader, not a fact of the ledger: it begins anew with each leader, and until it has grown shares are
judged by what is held.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.outcomes import WorkerState
from crossfleet.matching.free import millicores, slot_millicores
from crossfleet.matching.portions import thousandths_by_class

CPU = "cpu"
_NEGLIGIBLE = 1e-4
_LEAST_WEIGHT = 1e-6

Parts = Mapping[str, float]
"""Parts of the fleet, 0 to 1, by resource: `cpu`, or a device class."""


@dataclass(frozen=True, slots=True)
class ProjectUse:
    """A project's weight, and what it held lately."""

    project: str
    weight: float
    used: Parts


class Usage:
    """Decayed averages. What was held one half-life ago counts half of what is held now."""

    def __init__(self, half_life: float, weights: Mapping[str, float]) -> None:
        """Nobody held anything. `half_life` in seconds; projects without a weight have 1."""
        self._half_life = half_life
        self._weights = weights
        self._used: dict[str, dict[str, float]] = {}
        self._held: Mapping[str, Parts] = {}
        self._at: float | None = None

    def share(self, project: str, held: Parts) -> float:
        """How much a project has for its weight, of the resource of which it has most: who has less goes first."""
        used = self._used.get(project, {})
        parts = (held.get(one, 0.0) + used.get(one, 0.0) for one in {*held, *used})
        return max(parts, default=0.0) / max(self._weights.get(project, 1.0), _LEAST_WEIGHT)

    def advance(self, now: float, held: Mapping[str, Parts]) -> tuple[ProjectUse, ...]:
        """Count what was held since the last time, and take over what is held now; `now` in seconds of one clock."""
        fading = 1.0 if self._at is None else 0.5 ** (max(now - self._at, 0.0) / self._half_life)
        for project in [*self._used, *(one for one in self._held if one not in self._used)]:
            used, parts = self._used.get(project, {}), self._held.get(project, {})
            every = dict.fromkeys((*used, *parts))
            faded = {one: used.get(one, 0.0) * fading + parts.get(one, 0.0) * (1.0 - fading) for one in every}
            self._used[project] = {one: part for one, part in faded.items() if part > _NEGLIGIBLE or one in parts}
        known = dict.fromkeys((*self._weights, *self._used, *held))
        self._used = {project: used for project, used in self._used.items() if used or project in held}
        self._held, self._at = held, now
        return tuple(ProjectUse(one, self._weights.get(one, 1.0), self._used.get(one, {})) for one in known)


def held_parts(state: State) -> dict[str, Parts]:
    """What each project holds of the workers that are not lost; devices that slots share cost cores alone."""
    totals: Counter[str] = Counter()
    held: dict[str, Counter[str]] = {}
    for worker in state.workers.values():
        if worker.state is WorkerState.LOST:
            continue
        view = worker.view
        whole = thousandths_by_class((device.id for device in view.devices), (), view)
        totals[CPU] += millicores(view.cpu_cores)
        totals.update(whole)
        for allocation in map(state.allocations.__getitem__, worker.allocations):
            own = held.setdefault(state.runs[allocation.run_id].project, Counter())
            if allocation.request.exclusive:
                own[CPU] += millicores(view.cpu_cores)
                own.update(whole)
                continue
            own[CPU] += len(allocation.held) * slot_millicores(allocation.request, view)
            own.update(thousandths_by_class(allocation.held_devices, allocation.held_portions, view))
    return {
        project: {one: amount / totals[one] for one, amount in amounts.items() if totals[one] > 0}
        for project, amounts in held.items()
    }
