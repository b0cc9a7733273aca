"""Weighted dominant-resource fairness over projects (Ghodsi et al. 2011), of what is held and of what was used lately."""

from __future__ import annotations

from collections.abc import Mapping

from crossfleet.scheduler.core.fillings import Cost
from crossfleet.scheduler.core.model import Share

_LEAST_WEIGHT = 1e-6
_NOTHING: Mapping[str, int] = {}
_UNUSED: Mapping[str, float] = {}


class Accounts:
    """What each project holds. Its share is the largest part that it has of any resource, by its weight."""

    def __init__(self) -> None:
        """Nobody holds anything."""
        self._held: dict[str, dict[str, int]] = {}

    def charge(self, project: str, cost: Cost) -> None:
        """Something more is held."""
        held = self._held.setdefault(project, {})
        for resource, amount in cost:
            held[resource] = held.get(resource, 0) + amount

    def credit(self, project: str, cost: Cost) -> None:
        """Something is held no longer."""
        held = self._held[project]
        for resource, amount in cost:
            held[resource] -= amount

    def share(self, project: str, totals: Mapping[str, int], wish: Share | None) -> float:
        """The dominant share: of two projects, the one with less goes first."""
        held = self._held.get(project, _NOTHING)
        used = wish.used if wish is not None else _UNUSED
        dominant = 0.0
        for resource, total in totals.items():
            if total > 0:
                dominant = max(dominant, held.get(resource, 0) / total + used.get(resource, 0.0))
        return dominant / weight(wish)


def weight(wish: Share | None) -> float:
    """A project's weight; one that nobody set is 1, and nobody has none."""
    return max(wish.weight, _LEAST_WEIGHT) if wish is not None else 1.0
