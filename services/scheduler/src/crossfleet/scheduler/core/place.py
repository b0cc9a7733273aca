"""Gives free slots to one bunch of groups: fair among them, in few large pieces, on the best workers."""

from dataclasses import dataclass

from crossfleet.scheduler.core.ground import Ground
from crossfleet.scheduler.core.model import Group


@dataclass
class Wish:
    """A group while its bunch is placed: what it has, what it may still get, whether it is stuck."""

    group: Group
    held: int
    wanted: int
    refused: frozenset[str]
    granted: int = 0
    breadth: int = 0

    @property
    def least(self) -> int:
        """The fewest slots that the next piece must have."""
        return max(1, self.group.request.slots_min - self.held - self.granted)


def place_bunch(ground: Ground, wishes: list[Wish]) -> None:
    """Let the groups take turns, the one that has least first, until nothing fits any more.

    A turn takes the fair part of what is free at once and not slot by slot, so that a group gets few workers
    (each of them has to import and collect) and two groups end at most one piece apart.
    """
    active = [wish for wish in wishes if wish.wanted > 0]
    available = 0
    for wish in active:
        candidates = ground.candidates(wish.group.request)
        names = candidates.names()
        wish.breadth = len(names)
        if len(active) > 1:
            available = max(available, sum(candidates.room(name) for name in names))
    active = [wish for wish in active if wish.breadth]
    while active:
        wish = min(active, key=lambda one: (one.held + one.granted, one.breadth, one.group.id))
        fair = -(-available // len(active)) if len(active) > 1 else wish.wanted
        got = _turn(ground, wish, min(wish.wanted, max(fair, wish.least)))
        wish.granted += got
        wish.wanted -= got
        available = max(available - got, 0)
        if not got or not wish.wanted:
            active.remove(wish)


def _turn(ground: Ground, wish: Wish, most: int) -> int:
    """One turn: where it is warm, else one worker with room for all, else as many workers as it takes."""
    group, got = wish.group, 0
    candidates = ground.candidates(group.request)
    names = [name for name in candidates.names() if name not in wish.refused]
    warm = {held.worker_id for held in ground.snapshot.held_by(group.id)}
    if wish.granted:
        warm.update(name for name in names if (group.id, name) in ground.proposals)
    liked = [name for name in names if name not in group.avoid] if group.avoid else names
    spared = [name for name in names if name in group.avoid] if group.avoid else []
    for some in ([name for name in liked if name in warm] if warm else [], liked, spared):
        if some and got < most:
            got += _fill(ground, wish, some, most - got, got)
    return got


def _fill(ground: Ground, wish: Wish, names: list[str], most: int, before: int) -> int:
    """Slots of some workers: all from one that has room enough, else from the roomiest, and the rest where it fits."""
    candidates = ground.candidates(wish.group.request)
    got = 0

    def take(name: str | None) -> bool:
        nonlocal got
        least = max(1, min(wish.least, before + most) - before - got)
        fit = candidates.fit(name, least, most - got) if name else None
        if name is None or fit is None:
            return False
        ground.take(wish.group, name, fit)
        got += fit.slots
        return True

    first = candidates.roomiest(names, 1, most)
    if first is not None and candidates.room(first) < most:
        for name in sorted(names, key=candidates.room, reverse=True):
            if candidates.room(name) >= most - got or not take(name):
                break
    if got < most:
        take(candidates.roomiest(names, 1, most - got))
    return got
