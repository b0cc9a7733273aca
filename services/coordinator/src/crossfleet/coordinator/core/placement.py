"""Where a case is run again: preferably not where it failed, or just there, and anywhere when there is no such place."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Mapping, Sequence
from typing import NamedTuple

from crossfleet.coordinator.core.events import FinishedCase
from crossfleet.coordinator.core.outcomes import RerunPlacement


class Place(NamedTuple):
    """A slot of a worker."""

    worker_id: str
    slot: int


Open = Sequence[tuple[Place, Container[int] | None]]
"""Slots that take work of a group, each with the cases that its worker has (None: all)."""


def dislike(placement: RerunPlacement, failed_at: Sequence[Place], place: Place) -> int:
    """How little a place is wanted for a case that failed at others; zero is best."""
    if placement is RerunPlacement.SAME:
        return int(place != failed_at[-1])
    again = int(place in failed_at)
    if placement is RerunPlacement.HOST:
        return again + any(place.worker_id == one.worker_id for one in failed_at)
    return again


class Elsewhere:
    """The cases that a slot may have: a rerun only where no other open slot is wanted more. It waits for one that is busy."""

    def __init__(
        self,
        placement: RerunPlacement,
        earlier: Mapping[int, Sequence[FinishedCase]],
        places: Open,
        here: Place,
        known: Container[int] | None,
        bound: Callable[[int], bool],
    ) -> None:
        """`earlier` has the failures of cases that are run again, `known` the cases that the slot's worker has.

        A case that is `bound` to others by a grouping goes to no other slot while the one where it failed is open.
        """
        self._placement = placement
        self._earlier = earlier
        self._places = places
        self._here = here
        self._known = known
        self._bound = bound

    def __contains__(self, index: object) -> bool:
        """Whether the slot may have a case."""
        if not isinstance(index, int) or (self._known is not None and index not in self._known):
            return False
        failures = self._earlier.get(index)
        if not failures:
            return True
        failed_at = [Place(one.worker_id, one.slot) for one in failures]
        placement = RerunPlacement.SAME if self._bound(index) else self._placement
        own = dislike(placement, failed_at, self._here)
        return not own or own <= min(
            dislike(placement, failed_at, place) for place, known in self._places if known is None or index in known
        )


class Apart:
    """The cases that a slot may have: one that was lost with a host goes to another host while one is open."""

    def __init__(
        self,
        struck: Mapping[int, Container[str]],
        open_on: Collection[tuple[str, Container[int] | None]],
        worker_id: str,
        others: Container[int] | None,
    ) -> None:
        """`struck` names the workers on which cases were lost, `open_on` those that work for the group, each with the cases that
        it has (None: all); `others` limits further."""
        self._struck = struck
        self._open_on = open_on
        self._worker_id = worker_id
        self._others = others

    def __contains__(self, index: object) -> bool:
        """Whether the slot may have a case."""
        if not isinstance(index, int) or (self._others is not None and index not in self._others):
            return False
        lost_on = self._struck.get(index, ())
        if self._worker_id not in lost_on:
            return True
        return not any(
            worker_id not in lost_on and (known is None or index in known) for worker_id, known in self._open_on
        )
