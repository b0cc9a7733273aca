"""When a group will begin and end: the queue replayed by groups, each taking the slots that get free first.

It is replayed three times: with little, middling and much work of everybody, and with few, some and many before it, as
the shares of projects change while they get slots.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crossfleet.coordinator.core.contention import Pool, Rival, Turn
from crossfleet.coordinator.core.forecast import Slots, Span, Work
from crossfleet.coordinator.core.lognormal import HIGH, LOW, MIDDLE

PARTS = (LOW, MIDDLE, HIGH)

# Of a longer queue the rest is counted as one.
_MOST_AHEAD = 2_000


def spans(
    pool: Pool, rivals: Sequence[Rival], project: str, turn: Turn, own: Mapping[float, Work]
) -> dict[float, Span]:
    """The span of work of a project whose turn comes at `turn`, by the part of all cases in which it is less."""
    return {
        part: _replay(pool, [(one, _first(one, project, turn, part)) for one in rivals], part, own[part])
        for part in PARTS
    }


def work_of(own: Rival, pool: Pool) -> dict[float, Work]:
    """The work of a group that is in the queue itself, by parts."""
    least = 0 if own.held else own.least
    back = pool.held.get(own.group_id, 0)
    return {
        part: Work(own.work.quantile(part), least, own.held + own.wanted, _still(own, part), held=own.held, back=back)
        for part in PARTS
    }


def _still(one: Rival, part: float) -> float:
    """What has lasted too long will last as long again, as often more as less: of what is overdue nothing else is known."""
    return one.overdue * (1 / (1 - part) - 1)


def _first(one: Rival, project: str, turn: Turn, part: float) -> bool:
    """Whether another one's turn comes first. Between projects of one priority shares decide, and who is older may change that."""
    priority, _, since, _ = turn
    if not one.wanted or one.turn[0] != priority or one.project == project:
        return bool(one.wanted) and one.turn < turn
    if part == LOW:
        return False
    return one.turn < turn or (part == HIGH and one.turn[2] < since)


def _replay(pool: Pool, rivals: Sequence[tuple[Rival, bool]], part: float, own: Work) -> Span:
    slots = Slots([(0.0, pool.free)])
    queue: list[tuple[Turn, Work, float]] = []
    for one, first in rivals:
        seconds, back = one.work.quantile(part), pool.held.get(one.group_id, 0)
        end = 0.0
        if one.held:
            end = slots.carry_out(Work(seconds, 0, one.held, _still(one, part), held=one.held, back=back)).end
        if first:
            least = 0 if one.held else one.least
            more = Work(seconds, least, one.held + one.wanted, _still(one, part), held=one.held, back=back)
            queue.append((one.turn, more, end))
    queue.sort(key=lambda entry: entry[0])
    for _, work, end in queue[:_MOST_AHEAD]:
        # What holds slots ends sooner with more of them, unless others were promised those that it has.
        if not work.held or slots.remove(end, work.back):
            slots.carry_out(work)
    rest = sum(work.seconds for _, work, _ in queue[_MOST_AHEAD:] if not work.held)
    if rest:
        slots.carry_out(Work(rest, 1, max(slots.count, 1)))
    return slots.carry_out(own)
