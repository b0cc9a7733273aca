"""What counts for the whole fleet or a whole project: semaphores and quotas are looked at together."""

from __future__ import annotations

from crossfleet.coordinator.core.emitter import Emitter
from crossfleet.coordinator.core.quotas import settle_quotas
from crossfleet.coordinator.core.semaphores import settle_semaphores


def settle_limits(emit: Emitter) -> None:
    """Something was taken, given back, or is wanted: hold back who is short now, let go who no longer is."""
    settle_semaphores(emit)
    if settle_quotas(emit):
        settle_semaphores(emit)  # who is let go by the one may be short of the other
