"""Weighted dominant-resource fairness over projects (Ghodsi et al. 2011), of what is held and of what was used lately."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from crossfleet.scheduler.core.fillings import Cost
from crossfleet.scheduler.core.model import Share

_LEAST_WEIGHT = 1e-6


class Accounts:
    """What each project holds. Its share is the largest part that it has of any resource, by its weight."""

    def __init__(self) -> None:
        """Nobody holds anything."""
        self._held: dict[str, Counter[str]] = {}

    def charge(self, project: str, cost: Cost) -> None:
        """Something more is held."""
        self._held.setdefault(project, Counter()).update(dict(cost))

    def credit(self, project: str, cost: Cost) -> None:
        """Something is held no longer."""
        held = self._held[project]
        held.subtract(dict(cost))
        if not any(held.values()):
            del self._held[project]

    def share(self, project: str, totals: Mapping[str, int], wish: Share | None) -> float:
        """The dominant share: of two projects, the one with less goes first."""
        held = self._held.get(project, {})
        used: Mapping[str, float] = wish.used if wish is not None else {}
        dominant = max((amount / totals[one] for one, amount in held.items() if totals[one] > 0), default=0.0)
        if used:
            both = (held.get(one, 0) / totals[one] + part for one, part in used.items() if totals.get(one, 0) > 0)
            dominant = max(dominant, *both, 0.0)
        return dominant / weight(wish)


def weight(wish: Share | None) -> float:
    """A project's weight; one that nobody set is 1, and nobody has none."""
    return max(wish.weight, _LEAST_WEIGHT) if wish is not None else 1.0
