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
from crossfleet.scheduler.core.fillings import Kind, Openings
from crossfleet.scheduler.core.frames import Aspect

Ranking = list[tuple[Kind, Aspect]]


class Tier:
    """The kinds that satisfy a demand and have equally much of what it prefers, first those that fewer want.

    No worker has room for more than ``roomiest`` slots: it was so when last looked, and in a plan nothing is given back.
    """

    __slots__ = ("ranking", "roomiest")

    def __init__(self, ranking: Ranking) -> None:
        """All of them have room."""
        self.ranking = ranking
        self.roomiest = max([kind.most[aspect] for kind, aspect in ranking], default=0)

    def look(self) -> int:
        """See how much room there is now."""
        self.ranking = [(kind, aspect) for kind, aspect in self.ranking if kind.most[aspect]]
        self.roomiest = max([kind.most[aspect] for kind, aspect in self.ranking], default=0)
        return self.roomiest


class _Alike(dict[Demand, Demand]):
    """One demand for all that are the same to every kind: what holds of it in a plan holds of them."""

    __slots__ = ("_able", "_first")

    def __init__(self, able: Mapping[Demand, Mapping[Kind, Aspect]]) -> None:
        """Nothing asked yet."""
        super().__init__()
        self._able = able
        self._first: dict[object, Demand] = {}

    def __missing__(self, demand: Demand) -> Demand:
        key = demand if demand.wishes else tuple(self._able[demand].items())
        found = self[demand] = self._first.setdefault(key, demand)
        return found

    def clear(self) -> None:
        """What a demand is to every kind has to be seen anew."""
        super().clear()
        self._first.clear()


class Search:
    """Finds room for demands. ``begin`` starts a plan, in which nothing is given back: who has no room is not asked again.

    ``alike`` is to be cleared when a kind has come or is gone.
    """

    def __init__(self, openings: Openings, able: Mapping[Demand, Mapping[Kind, Aspect]]) -> None:
        """``able``: what the kinds that satisfy a demand are for it."""
        self._openings = openings
        self._able = able
        self._kinds: list[Kind] | None = None
        self._tiers: dict[Demand, list[Tier]] = {}
        self.alike = _Alike(able)

    def begin(self) -> None:
        """A new plan."""
        self._kinds = None
        self._tiers.clear()

    def has_room(self, shape: Shape) -> bool:
        """Whether any worker has room for the fewest slots of a shape. Who had it last is asked first."""
        if shape.witness is not None and shape.witness.members:
            return True
        kind = self.roomy(shape, self._openings)
        if kind is None:
            shape.witness = None
            return False
        aspect = kind.aspects[shape.demand]
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
            for tier in self._tiers_of(shape.demand)
            for kind, aspect in tier.ranking
            if kind.most[aspect] >= shape.least
            for filling in kind.some
        )

    def all_room(self, demand: Demand) -> int:
        """How many slots of a demand the whole fleet has room for."""
        return sum(
            [
                filling.rooms[aspect] * len(filling.members)
                for tier in self._tiers_of(demand)
                for kind, aspect in tier.ranking
                for filling in kind.some
            ]
        )

    def several(self, shape: Shape, banned: AbstractSet[str]) -> list[str]:
        """The best workers that have room for the fewest slots of a shape each: as many as it wants, or fewer."""
        names: list[str] = []
        for tier in self._tiers_of(shape.demand):
            roomy: dict[tuple[int, int], list[list[str]]] = {}
            for kind, aspect in tier.ranking:
                for filling in kind.some:
                    if filling.rooms[aspect] >= shape.least:
                        roomy.setdefault((kind.rivals, filling.slots), []).append(filling.members)
            for rivals_and_slots in sorted(roomy):
                good = (name for name in merge(*roomy[rivals_and_slots]) if name not in banned)
                names += islice(good, shape.hosts - len(names))
        return names

    def best(self, demand: Demand, least: int, most: int, banned: AbstractSet[str]) -> tuple[str, int] | None:
        """The best worker, one with room for ``most`` slots, else the roomiest with ``least``; and for how many of them."""
        for tier in self._tiers.get(demand) or self._tiers_of(demand):
            if tier.roomiest >= least:
                found = _at_most(tier, most, banned)
                if found is None and tier.look() >= least:
                    found = _at_most(tier, most, banned) or (_roomiest(tier.ranking, least, banned) if banned else None)
                if found is not None:
                    return found
        return None

    def widest(self, demand: Demand, slots: int, banned: AbstractSet[str]) -> str | None:
        """The worker with room for so many slots on which most is free: of the best tier, of the kinds that the fewest want."""
        for tier in self._tiers_of(demand):
            best: tuple[int, int, str] | None = None
            for kind, aspect in tier.ranking:
                if best is not None and kind.rivals > best[0]:
                    break
                for filling in kind.some:
                    name = filling.first(banned) if filling.rooms[aspect] >= slots else None
                    if name is not None and (best is None or (kind.rivals, -filling.slots, name) < best):
                        best = (kind.rivals, -filling.slots, name)
            if best is not None:
                return best[2]
        return None

    def _tiers_of(self, demand: Demand) -> list[Tier]:
        """The kinds that satisfy a demand and had a free slot, first those that fewer want; one list for each that it prefers."""
        found = self._tiers.get(demand)
        if found is None:
            alike = self.alike[demand]
            found = self._tiers[demand] = self._ranked(demand) if alike is demand else self._tiers_of(alike)
        return found

    def _ranked(self, demand: Demand) -> list[Tier]:
        kinds, able = self._kinds, self._able[demand]
        if kinds is None:
            kinds = self._kinds = sorted(self._openings, key=_rivals)
        ranking = [(kind, one) for kind in kinds if (one := able.get(kind)) is not None and kind.most[one]]
        return _by_liking(demand, ranking) if demand.wishes else [Tier(ranking)]


def _by_liking(demand: Demand, ranking: Ranking) -> list[Tier]:
    tiers: dict[tuple[int, float], Ranking] = {}
    for kind, aspect in ranking:
        tiers.setdefault((-demand.score(kind.model), demand.burden(kind.model)), []).append((kind, aspect))
    return [Tier(tiers[liking]) for liking in sorted(tiers)]


def _at_most(tier: Tier, most: int, banned: AbstractSet[str]) -> tuple[str, int] | None:
    """One with room for ``most`` slots, else one with as much room as anybody may have."""
    if tier.roomiest >= most:
        return _whole(tier.ranking, most, banned)
    return _with_room(tier.ranking, tier.roomiest, banned)


def _whole(ranking: Ranking, most: int, banned: AbstractSet[str]) -> tuple[str, int] | None:
    """Of those with room for ``most``: of the kinds that the fewest want the fullest, and of these the first."""
    best: str | None = None
    rivals = fullest = 0
    for kind, aspect in ranking:
        if best is not None and kind.rivals > rivals:
            break
        if kind.most[aspect] < most:
            continue
        for slots in range(most, len(kind.open)):
            if best is not None and slots > fullest:
                break
            for filling in kind.open[slots]:
                if filling.rooms[aspect] >= most:
                    name = filling.first(banned)
                    if name is not None and (best is None or slots < fullest or name < best):
                        best, rivals, fullest = name, kind.rivals, slots
    return (best, most) if best is not None else None


def _with_room(ranking: Ranking, room: int, banned: AbstractSet[str]) -> tuple[str, int] | None:
    """Of those that have room for as many as anybody has: chosen as above."""
    best: tuple[int, int, str] | None = None
    for kind, aspect in ranking:
        if best is not None and kind.rivals > best[0]:
            break
        if kind.most[aspect] == room:
            for filling in kind.some:
                name = filling.first(banned) if filling.rooms[aspect] == room else None
                if name is not None and (best is None or (kind.rivals, filling.slots, name) < best):
                    best = (kind.rivals, filling.slots, name)
    return (best[2], room) if best is not None else None


def _roomiest(ranking: Ranking, least: int, banned: AbstractSet[str]) -> tuple[str, int] | None:
    """Of those with room for ``least`` the one with the most, where the roomiest are banned; then as above."""
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
