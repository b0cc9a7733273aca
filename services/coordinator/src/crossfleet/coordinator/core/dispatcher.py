"""Cuts the next task for a free slot: guided self-scheduling, longest first over setup groups.

A piece is `remaining work x share of this slot / k`, as in Polychronopoulos and Kuck, "Guided Self-Scheduling" (IEEE
Transactions on Computers, 1987), with shares weighted by measured speed. All work is in estimated seconds; a slot's
speed is estimated seconds per second of its own.
"""

from __future__ import annotations

import math
from collections.abc import Container
from itertools import islice

from crossfleet.coordinator.core.queue import CaseQueue, SetupGroup

# With known durations half of a slot's fair part can go out at once; guesses call for smaller first pieces.
_DIVISOR_KNOWN = 2.0
_DIVISOR_GUESSED = 4.0
# And of cases of which nothing is known none but a small part, by number: their seconds may be anything.
_DIVISOR_COUNTED = 8.0

# Seconds of a slot's own time below which a piece costs more in messages than it gains in balance.
SHORTEST_PIECE = 0.03
# Above this a larger piece saves nothing measurable.
LONGEST_PIECE = 5.0
# A case that takes more than this of what a slot can still take on is begun now: nothing that comes later would fit beside it.
MOST_OF_A_PART = 0.5

# Of a long case: what may wait behind it.
_SHORT = 0.01

_MAX_CASES = 2_000


def cut(
    queue: CaseQueue,
    slot_speed: float,
    total_speed: float,
    *,
    known: bool,
    max_cases: int = 0,
    allowed: Container[int] | None = None,
    after: int = -1,
    part: float | None = None,
    trusted: float = math.inf,
) -> tuple[int, ...]:
    """Cases of the next task for a slot, in the order of execution; empty when nothing pending is allowed.

    A slot goes on with the setup group of the case that comes before, `after`, while it has any: its fixtures stand.
    Then it stays in that group's folder while what is left there is nearly as large as the largest elsewhere.
    Exclusive cases are left out, see `cut_exclusive`.

    `total_speed` sums all slots of the group, this one included. `known` says whether estimates were measured.
    `allowed` limits the cases to those that the slot's worker has. A bound setup group is taken whole, however large.
    `part` is what the slot can take on without being the last to end (estimated seconds; None: its share by speed): then
    nothing that exceeds it is taken, and a case that takes most of it goes first. Several cases together take no more than
    about `trusted` estimated seconds. The queue is not changed.
    """
    shareable = queue.shareable
    if not shareable or (part is not None and part <= 0):
        return ()
    divisor = _DIVISOR_KNOWN if known else _DIVISOR_GUESSED
    share = min(slot_speed / total_speed, 1.0)
    fair, room = (queue.seconds - queue.exclusive.seconds) * share, math.inf
    if part is not None:
        fair = room = part
        long = queue.longest_case(room, allowed) if queue.longest > room * MOST_OF_A_PART else -1
        if long >= 0 and queue.estimates[long] > room * MOST_OF_A_PART:
            return with_companion(queue, long, max_cases, allowed)
    ceiling = max(queue.longest, LONGEST_PIECE * min(slot_speed, 1.0))
    size = min(max(fair / divisor, SHORTEST_PIECE * slot_speed), ceiling, room, trusted)
    # Splitting a setup group repeats its fixtures, so a guess of its length has to be trusted before it stays whole.
    whole = min(fair, trusted) if known else size
    most = min(max_cases or _MAX_CASES, _MAX_CASES)
    if not known:
        # Nor are guessed seconds trusted at the end: slots that were fast on small cases would take the few long ones whole.
        most = min(most, math.ceil(shareable * share / _DIVISOR_COUNTED))
    return _piece(queue, after, allowed, size=size, whole=whole, room=room, most=most)


def _piece(
    queue: CaseQueue,
    after: int,
    allowed: Container[int] | None,
    *,
    size: float,
    whole: float,
    room: float,
    most: int,
) -> tuple[int, ...]:
    """Cases of about `size` seconds, never more than `room` nor `most`; a setup group of at most `whole` seconds is not torn."""
    piece: list[int] = []
    skip: set[int] = set()
    got = 0.0
    before = queue.setup_of(after)
    while len(piece) < most and (got < size or not piece):
        begun = before if before is not None and before.cases and before.number not in skip else None
        setup = begun or queue.best_after(before, skip)
        if setup is None:
            break
        before = setup if setup.number >= 0 else before
        skip.add(setup.number)
        if piece and not setup.splittable and got + setup.seconds > size * 1.25:
            break
        if setup.bound:
            if piece and len(piece) + len(setup.cases) > most:
                break
            if got + setup.seconds <= room:
                got += _take(queue, setup, math.inf, len(piece) + len(setup.cases), allowed, piece, math.inf)
            continue
        limit = setup.seconds if not setup.splittable and setup.seconds <= whole else size - got
        got += _take(queue, setup, limit, most, allowed, piece, room - got)
    return tuple(piece)


def with_companion(
    queue: CaseQueue, long: int, max_cases: int = 0, allowed: Container[int] | None = None
) -> tuple[int, ...]:
    """A long case as a task, with a short one after it that is held back: so what else follows need not be known before it ends."""
    most = queue.estimates[long] * _SHORT
    companion = queue.companion(long, most, allowed) if max_cases != 1 else -1
    return (long, companion) if companion >= 0 else (long,)


def cut_exclusive(queue: CaseQueue, allowed: Container[int] | None = None) -> tuple[int, ...]:
    """The exclusive cases of the next task, in collection order: one slot of one worker gets all that it may have."""
    fitting = (index for index in queue.exclusive.cases if allowed is None or index in allowed)
    return tuple(islice(fitting, _MAX_CASES))


def _take(
    queue: CaseQueue,
    setup: SetupGroup,
    limit: float,
    most: int,
    allowed: Container[int] | None,
    piece: list[int],
    room: float,
) -> float:
    """Append the first cases of a setup group up to about `limit` seconds, never more than `room`; returns the seconds taken."""
    got = 0.0
    estimates = queue.estimates
    # Half a case over the limit is as good as half a case under it.
    for index in islice(setup.cases, None):
        if allowed is not None and index not in allowed:
            continue
        estimate = estimates[index]
        if got + estimate > room:
            continue
        if piece and got and got + estimate / 2 > limit:
            break
        piece.append(index)
        got += estimate
        if len(piece) >= most or got >= limit - 1e-9:
            break
    return got
