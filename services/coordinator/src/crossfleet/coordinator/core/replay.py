"""When a group will begin and end: the queue replayed by groups, each taking the slots that get free first.

It is replayed for many draws of what is not known: how much work everybody has, what is left of what executes, and how many
go before it, as the shares of projects change while they get slots.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from crossfleet.coordinator.core.chance import Chance, chances, draws
from crossfleet.coordinator.core.contention import Pool, Rival, Turn
from crossfleet.coordinator.core.forecast import NEVER, Slots, Span, Work

# Of a longer queue the rest is counted as one.
_MOST_AHEAD = 2_000
# In so many of all draws those of other projects are all behind, and in as many the older ones all before.
_SELDOM = 0.3

Drawn = Callable[[Chance], Work]
"""Somebody's work as it is in one draw."""


def spans(pool: Pool, rivals: Sequence[Rival], project: str, turn: Turn, own: Drawn, count: int = 0) -> list[Span]:
    """The spans of work of a project whose turn comes at `turn`, one for each of `count` draws (as many as are worth it)."""
    return [
        _replay(pool, [(one, _first(one, project, turn, chance)) for one in rivals], chance, own(chance))
        for chance in chances(count or draws(len(rivals)))
    ]


def work_of(own: Rival, pool: Pool) -> Drawn:
    """The work of a group that is in the queue itself."""
    return lambda chance: _work(own, pool, chance, own.wanted)


def _work(one: Rival, pool: Pool, chance: Chance, wanted: int) -> Work:
    part = chance.of(one.like or one.group_id)
    return Work(
        one.work.quantile(part),
        0 if one.held else one.least,
        one.held + wanted,
        longest=one.longest.quantile(part) if one.longest is not None else 0.0,
        turn=0.0 if one.longest_first else chance.of(f"{one.group_id} turn"),
        setup=one.setup.quantile(chance.of(f"{one.like} setup")) if one.setup is not None else 0.0,
        held=one.held,
        back=pool.held.get(one.group_id, 0),
        busy=[case.free_after(chance) for case in one.underway],
    )


def _first(one: Rival, project: str, turn: Turn, chance: Chance) -> bool:
    """Whether another one's turn comes first. Between projects of one priority shares decide, and who is older may change that."""
    priority, _, since, _ = turn
    if not one.wanted or one.turn[0] != priority or one.project == project:
        return bool(one.wanted) and one.turn < turn
    part = chance.of("shares")
    if part < _SELDOM:
        return False
    return one.turn < turn or (part > 1 - _SELDOM and one.turn[2] < since)


def _replay(pool: Pool, rivals: Sequence[tuple[Rival, bool]], chance: Chance, own: Work) -> Span:
    told = [at for one in pool.told for at in one.free_after(chance)]
    slots = Slots([(0.0, pool.free), *((at, 1) for at in told)])
    queue: list[tuple[Turn, Work, tuple[int, ...]]] = []
    begun: dict[str, Span] = {}
    for one, first in rivals:
        given: tuple[int, ...] = ()
        if one.held:
            begun[one.group_id] = span = slots.carry_out(_work(one, pool, chance, 0))
            given = span.given
        if first:
            queue.append((one.turn, _work(one, pool, chance, one.wanted), given))
    for group_id, times in _taken(pool, chance, max(told, default=0.0), begun).items():
        slots.hasten(begun.get(group_id, NEVER).given, times)
    queue.sort(key=lambda entry: entry[0])
    for _, work, given in queue[:_MOST_AHEAD]:
        # What holds slots ends sooner with more of them, unless others were promised those that it has.
        if not work.held or slots.remove(given):
            slots.carry_out(work)
    rest = sum(work.seconds for _, work, _ in queue[_MOST_AHEAD:] if not work.held)
    if rest:
        slots.carry_out(Work(rest, 1, max(slots.count, 1)))
    return slots.carry_out(own)


def _taken(pool: Pool, chance: Chance, last: float, begun: Mapping[str, Span]) -> dict[str, list[float]]:
    """When groups that have begun give back what is taken of them. What is taken next waits for what was before: at first the `last`."""
    found: dict[str, list[float]] = {}
    for step in pool.taken:
        ends = [last]
        for one in step:
            end = begun.get(one.group_id, NEVER).end  # one whose run is being stopped is nobody's rival
            times = [min(last + at, end) for at in one.free_after(chance)]
            found.setdefault(one.group_id, []).extend(times)
            ends += times
        last = max(ends)
    return found
