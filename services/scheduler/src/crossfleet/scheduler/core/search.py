"""Where a plan finds room, without looking at more of the fleet than has to be.

The best worker has most of what a demand prefers, and least of what it names as a burden; then room for all that is wanted, or else the most room; then is wanted
by fewer, is fuller, comes first by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from heapq import merge
from itertools import islice

from crossfleet.scheduler.core.demands import Demand, Shape
from crossfleet.scheduler.core.fillings import Aspect, Kind, Openings

Ranking = list[tuple[Kind, Aspect]]


class Search:
    """Finds room for demands. ``begin`` starts a plan, in which nothing is given back: who has no room is not asked again."""

    def __init__(self, openings: Openings, able: Mapping[Demand, Mapping[Kind, Aspect]]) -> None:
        """``able``: what the kinds that satisfy a demand are for it."""
        self._openings = openings
        self._able = able
        self._kinds: list[Kind] | None = None
        self._tiers: dict[Demand, list[Ranking]] = {}
        self._alike: dict[Demand, Demand] = {}
        self._first: dict[object, Demand] = {}

    def begin(self) -> None:
        """A new plan."""
        self._kinds = None
        self._tiers.clear()
        self._alike.clear()
        self._first.clear()

    def alike(self, demand: Demand) -> Demand:
        """One demand for all that are the same to every kind: what holds of it in this plan holds of them."""
        found = self._alike.get(demand)
        if found is None:
            key = demand if demand.wishes else tuple(self._able[demand].values())
            found = self._alike[demand] = self._first.setdefault(key, demand)
        return found

    def has_room(self, shape: Shape) -> bool:
        """Whether any worker has room for the fewest slots of a shape. Who had it last is asked first."""
        if shape.witness is not None and shape.witness.members:
            return True
        kind = self.roomy(shape, self._openings)
        if kind is None:
            shape.witness = None
            return False
        aspect = self._able[shape.demand][kind]
        shape.witness = next(filling for filling in kind.some if filling.rooms[aspect] >= shape.least)
        return True

    def roomy(self, shape: Shape, kinds: Mapping[Kind, None]) -> Kind | None:
        """One of some kinds of which a worker has room for the fewest slots of a shape."""
        able, least = self._able[shape.demand], shape.least
        if len(kinds) < len(able):
            for kind in kinds:
                if kind in able and kind.most[able[kind]] >= least:
                    return kind
        else:
            for kind, aspect in able.items():
                if kind in kinds and kind.most[aspect] >= least:
                    return kind
        return None

    def has_room_beside(self, shape: Shape, banned: AbstractSet[str]) -> bool:
        """Whether any worker that is not banned has room for the fewest slots of a shape."""
        return any(
            filling.rooms[aspect] >= shape.least and filling.first(banned) is not None
            for ranking in self._tiers_of(shape.demand)
            for kind, aspect in ranking
            if kind.most[aspect] >= shape.least
            for filling in kind.some
        )

    def all_room(self, demand: Demand) -> int:
        """How many slots of a demand the whole fleet has room for."""
        total = 0
        for ranking in self._tiers_of(demand):
            for kind, aspect in ranking:
                for filling in kind.some:
                    total += filling.rooms[aspect] * len(filling.members)
        return total

    def several(self, shape: Shape, banned: AbstractSet[str]) -> list[str]:
        """The best workers that have room for the fewest slots of a shape each: as many as it wants, or fewer."""
        names: list[str] = []
        for ranking in self._tiers_of(shape.demand):
            roomy: dict[tuple[int, int], list[list[str]]] = {}
            for kind, aspect in ranking:
                for filling in kind.some:
                    if filling.rooms[aspect] >= shape.least:
                        roomy.setdefault((kind.rivals, filling.slots), []).append(filling.members)
            for rivals_and_slots in sorted(roomy):
                good = (name for name in merge(*roomy[rivals_and_slots]) if name not in banned)
                names += islice(good, shape.hosts - len(names))
        return names

    def best(self, demand: Demand, least: int, most: int, banned: AbstractSet[str]) -> tuple[str, int] | None:
        """The best worker and its room: one with room for ``most`` slots, else the roomiest with ``least``."""
        tiers = self._tiers.get(demand) or self._tiers_of(demand)
        for at, ranking in enumerate(tiers):
            if ranking and not ranking[0][0].most[ranking[0][1]]:
                tiers[at] = ranking = [(kind, aspect) for kind, aspect in ranking if kind.most[aspect]]
            found = _whole(ranking, most, banned) or _roomiest(ranking, least, banned)
            if found is not None:
                return found
        return None

    def widest(self, demand: Demand, slots: int, banned: AbstractSet[str]) -> str | None:
        """The worker with room for so many slots on which most is free: of the best tier, of the kinds that the fewest want."""
        for ranking in self._tiers_of(demand):
            best: tuple[int, int, str] | None = None
            for kind, aspect in ranking:
                if best is not None and kind.rivals > best[0]:
                    break
                for filling in kind.some:
                    name = filling.first(banned) if filling.rooms[aspect] >= slots else None
                    if name is not None and (best is None or (kind.rivals, -filling.slots, name) < best):
                        best = (kind.rivals, -filling.slots, name)
            if best is not None:
                return best[2]
        return None

    def _tiers_of(self, demand: Demand) -> list[Ranking]:
        """The kinds that satisfy a demand and had a free slot, first those that fewer want; one list for each that it prefers."""
        found = self._tiers.get(demand)
        if found is None:
            alike = self.alike(demand)
            found = self._tiers[demand] = self._ranked(demand) if alike is demand else self._tiers_of(alike)
        return found

    def _ranked(self, demand: Demand) -> list[Ranking]:
        kinds, able = self._kinds, self._able[demand]
        if kinds is None:
            kinds = self._kinds = sorted(self._openings, key=_rivals)
        ranking = [(kind, able[kind]) for kind in kinds if kind in able and kind.most[able[kind]]]
        return _by_liking(demand, ranking) if demand.wishes else [ranking]


def _by_liking(demand: Demand, ranking: Ranking) -> list[Ranking]:
    tiers: dict[tuple[int, float], Ranking] = {}
    for kind, aspect in ranking:
        tiers.setdefault((-demand.score(kind.model), demand.burden(kind.model)), []).append((kind, aspect))
    return [tiers[liking] for liking in sorted(tiers)]


def _whole(ranking: Ranking, most: int, banned: AbstractSet[str]) -> tuple[str, int] | None:
    """Of those with room for ``most``: of the kinds that the fewest want the fullest, and of these the first."""
    best: str | None = None
    rivals = fullest = best_room = 0
    for kind, aspect in ranking:
        if best is not None and kind.rivals > rivals:
            break
        if kind.most[aspect] < most:
            continue
        for slots in range(most, len(kind.open)):
            if best is not None and slots > fullest:
                break
            for filling in kind.open[slots]:
                room = filling.rooms[aspect]
                if room >= most:
                    name = filling.first(banned)
                    if name is not None and (best is None or slots < fullest or name < best):
                        best, best_room, rivals, fullest = name, room, kind.rivals, slots
    return (best, best_room) if best is not None else None


def _roomiest(ranking: Ranking, least: int, banned: AbstractSet[str]) -> tuple[str, int] | None:
    """Of those with room for ``least`` the one with the most; then as above."""
    best: tuple[int, int, str] | None = None
    most = least
    for kind, aspect in ranking:
        bound = kind.most[aspect]
        if bound < most or (best is not None and bound == most and kind.rivals > best[0]):
            continue
        for filling in kind.some:
            room = filling.rooms[aspect]
            name = filling.first(banned) if room >= most else None
            if name is not None:
                mine = (kind.rivals, filling.slots, name)
                if best is None or room > most or mine < best:
                    best, most = mine, room
    return (best[2], most) if best is not None else None


def _rivals(kind: Kind) -> int:
    return kind.rivals
