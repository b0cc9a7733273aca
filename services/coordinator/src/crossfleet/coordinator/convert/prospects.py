"""What is expected, as messages."""

from __future__ import annotations

import math
from collections.abc import Sequence

from crossfleet.api.coordinator.v1.run_service_pb2 import Interval, QueuePlace
from crossfleet.coordinator.core.chance import bounds
from crossfleet.coordinator.core.contention import Pool, Rival, Turn, ahead
from crossfleet.coordinator.core.lognormal import HIGH, LOW, MIDDLE, LogNormal, total


def interval(expected: LogNormal) -> Interval:
    """Of a log-normal."""
    return Interval(low=expected.quantile(LOW), middle=expected.quantile(MIDDLE), high=expected.quantile(HIGH))


def set_interval(message: Interval, drawn: Sequence[float], soonest: Sequence[float] = ()) -> None:
    """Within what was drawn lies; left unset where that never comes. `soonest`: it may as well be as was drawn here."""
    low, middle, high = bounds(drawn)
    if soonest:
        low = min(low, bounds(soonest)[0])
    if math.isfinite(high):
        message.CopyFrom(Interval(low=low, middle=middle, high=high))
        message.SetInParent()


def queue_place(pool: Pool, rivals: Sequence[Rival], turn: Turn) -> QueuePlace:
    """Where a turn stands among those who want something of the same slots."""
    first = ahead(pool, rivals, turn)
    running = [one for one in rivals if one.group_id in pool.held]
    message = QueuePlace(
        place=len(first) + 1,
        groups_ahead=len(first),
        groups_running=len(running),
        unknown_ahead=sum(not one.known for one in (*first, *running)),
        slots=pool.slots,
        free_slots=pool.free,
    )
    if first or running:
        message.seconds_ahead.CopyFrom(interval(total(one.seconds for one in (*first, *running))))
    return message
