"""Where a case is run again: preferably not where it failed, or just there, and anywhere when there is no such place."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from crossfleet.coordinator.core.outcomes import RerunPlacement

if TYPE_CHECKING:
    from crossfleet.coordinator.core.commands import PolicySpec
    from crossfleet.coordinator.core.model import Allocation, Group

NO_MODELS: frozenset[str] = frozenset()
# More than all that hosts and slots can add up to.
_SAME_MODEL = 3


class Place(NamedTuple):
    """A slot of a worker."""

    worker_id: str
    slot: int


@dataclass(frozen=True, slots=True)
class Spot:
    """Slots of one worker that take work of a group, the models of the devices that each has, and the cases that the worker
    has (None: all)."""

    worker_id: str
    slots: Collection[int]
    models: frozenset[str]
    known: Container[int] | None


@dataclass(frozen=True, slots=True)
class Failed:
    """Where a case failed, the last place last, and on which models of devices."""

    at: tuple[Place, ...]
    models: frozenset[str]


class Whence(NamedTuple):
    """The workers where a case failed, and on which models of devices. Thousands of cases have one."""

    workers: frozenset[str]
    models: frozenset[str]

    def is_away(self, worker_id: str, models: AbstractSet[str], *, other_model: bool) -> bool:
        """Whether a slot is on another host; with `other_model`, where models are known, whether its devices are others."""
        if other_model and self.models:
            return not self.models & models
        return worker_id not in self.workers


def failed(group: Group, index: int) -> Failed:
    """Of a case that is run again."""
    places = tuple(Place(one.worker_id, one.slot) for one in group.earlier[index])
    return Failed(places, group.failed_models.get(index, NO_MODELS))


def whence(group: Group, index: int) -> Whence:
    """Of a case that is run again."""
    workers = frozenset(one.worker_id for one in group.earlier.get(index, ()))
    return Whence(workers, group.failed_models.get(index, NO_MODELS))


def spots(allocation: Allocation) -> Iterable[Spot]:
    """The slots of an allocation, those with devices of the same models together."""
    by_models: dict[frozenset[str], list[int]] = {}
    if not allocation.models:
        return (Spot(allocation.worker_id, allocation.slots, NO_MODELS, allocation.local_of),)
    for number in allocation.slots:
        by_models.setdefault(allocation.models.get(number, NO_MODELS), []).append(number)
    return [Spot(allocation.worker_id, some, models, allocation.local_of) for models, some in by_models.items()]


def dislike(policy: PolicySpec, case: Failed, spot: Spot, *, bound: bool = False) -> int:
    """How little the best of some slots is wanted for a case that failed; zero is best. A `bound` one stays with others."""
    if bound or policy.rerun_placement is RerunPlacement.SAME:
        last = case.at[-1]
        return int(last.worker_id != spot.worker_id or last.slot not in spot.slots)
    again = int(all(Place(spot.worker_id, number) in case.at for number in spot.slots))
    if policy.rerun_placement is RerunPlacement.HOST:
        host = any(spot.worker_id == one.worker_id for one in case.at)
        return again + host + _SAME_MODEL * bool(policy.other_model and case.models & spot.models)
    return again


class Elsewhere:
    """The cases that a slot may have: a rerun only where no other open slot is wanted more. It waits for one that is busy.

    One for which another place is sought goes to no other meanwhile.
    """

    def __init__(self, group: Group, policy: PolicySpec, here: Spot, others: Callable[[], Iterable[Spot]]) -> None:
        """`here` is the one slot, `others` answers all that are open.

        A case that is bound to others by a grouping goes to no other slot while the one where it failed is open.
        """
        self._group, self._policy = group, policy
        self._here = here
        self._others = others
        self._open: list[Spot] | None = None

    def __contains__(self, index: object) -> bool:
        """Whether the slot may have a case."""
        group, policy, here = self._group, self._policy, self._here
        if not isinstance(index, int) or (here.known is not None and index not in here.known):
            return False
        if index not in group.earlier:
            return True
        seeking = group.sought.whence.get(index)
        if seeking is not None:
            return seeking.is_away(here.worker_id, here.models, other_model=policy.other_model)
        case, bound = failed(group, index), group.queue.is_bound(index)
        own = dislike(policy, case, here, bound=bound)
        if not own:
            return True
        if self._open is None:
            self._open = [*self._others()]
        return not any(
            dislike(policy, case, one, bound=bound) < own
            for one in self._open
            if one.known is None or index in one.known
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
