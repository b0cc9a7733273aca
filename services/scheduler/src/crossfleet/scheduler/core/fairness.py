"""Weighted dominant-resource fairness over projects (Ghodsi et al. 2011), of what is held and of what was used lately."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from crossfleet.scheduler.core.frames import Charge, Cost
from crossfleet.scheduler.core.model import Share

_LEAST_WEIGHT = 1e-6
_NOTHING: Mapping[str, int] = {}
_UNUSED: Mapping[str, float] = {}

Standing = tuple[float, tuple[tuple[str, int, float], ...]]
"""What a plan measures a project by: its weight, and by resource what the fleet has in all and what was used lately."""


class Accounts:
    """What each project holds. Its share is the largest part that it has of any resource, by its weight."""

    def __init__(self) -> None:
        """Nobody holds anything, of nothing."""
        self._held: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._totals: list[tuple[str, int]] = []
        self._standings: dict[str, tuple[Share | None, Standing]] = {}

    @property
    def projects(self) -> Iterable[str]:
        """Who holds something or did."""
        return self._held

    def begin(self, totals: Mapping[str, int]) -> None:
        """A new plan, of a fleet that has so much in all."""
        now = [item for item in totals.items() if item[1] > 0]
        if now != self._totals:
            self._totals = now
            self._standings.clear()

    def standing(self, project: str, wish: Share | None) -> Standing:
        """What a plan measures a project by: said anew where the fleet or the wish is another."""
        found = self._standings.get(project)
        if found is None or found[0] is not wish:
            used = wish.used if wish is not None else _UNUSED
            parts = tuple([(name, total, used.get(name, 0.0)) for name, total in self._totals])
            found = self._standings[project] = wish, (weight(wish), parts)
        return found[1]

    def charge(self, project: str, cost: Cost) -> None:
        """Something more is held."""
        held = self._held[project]
        for resource, amount in cost:
            held[resource] += amount

    def credit(self, charges: Iterable[Charge]) -> None:
        """What some projects held they hold no longer."""
        for project, cost in charges:
            held = self._held[project]
            for resource, amount in cost:
                held[resource] -= amount

    def share(self, project: str, standing: Standing) -> float:
        """The dominant share: of two projects, the one with less goes first."""
        held = self._held.get(project, _NOTHING)
        by, resources = standing
        dominant = 0.0
        for resource, total, used in resources:
            part = held.get(resource, 0) / total + used
            if part > dominant:  # noqa: PLR1730 - thrice as fast as max, in the innermost of a plan
                dominant = part
        return dominant / by

    def share_with(self, project: str, standing: Standing, more: Mapping[str, int]) -> float:
        """What its share would be if it held so much more, or less."""
        held = self._held.get(project, _NOTHING)
        by, resources = standing
        parts = ((held.get(name, 0) + more.get(name, 0)) / total + used for name, total, used in resources)
        return max(parts, default=0.0) / by


def weight(wish: Share | None) -> float:
    """A project's weight; one that nobody set is 1, and nobody has none."""
    return max(wish.weight, _LEAST_WEIGHT) if wish is not None else 1.0
