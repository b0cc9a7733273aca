"""What counts for the whole fleet or a whole project: semaphores and quotas are looked at together."""

from __future__ import annotations

from crossfleet.coordinator.core.alternatives import skip_never_allowed
from crossfleet.coordinator.core.emitter import Emitter
from crossfleet.coordinator.core.quota import QuotaRemoved, QuotaSet, RemoveQuota, SetQuota
from crossfleet.coordinator.core.quotas import check_known, let_go, settle_quotas
from crossfleet.coordinator.core.semaphore import SemaphoreSet, SetSemaphore
from crossfleet.coordinator.core.semaphores import settle_semaphores

_ROUNDS = 3


def set_semaphore(emit: Emitter, command: SetSemaphore) -> None:
    """Make a semaphore, or change how much there is of it."""
    known = emit.state.semaphores.get(command.name)
    if known is None or known.capacity != command.capacity:
        emit(SemaphoreSet(command.name, command.capacity))
        settle_limits(emit)


def set_quota(emit: Emitter, command: SetQuota) -> None:
    """Limit a project, also one that nobody has heard of yet."""
    if emit.state.quotas.get(command.quota.project) != command.quota:
        emit(QuotaSet(command.quota))
        _alternatives_of(emit, command.quota.project)
        settle_limits(emit)


def remove_quota(emit: Emitter, command: RemoveQuota) -> None:
    """Lift a project's limits; what they held back is offered again."""
    check_known(emit.state, command.project)
    emit(QuotaRemoved(command.project))
    _alternatives_of(emit, command.project)
    let_go(emit, command.project)
    settle_limits(emit)


def _alternatives_of(emit: Emitter, project: str) -> None:
    """Which of them a project may have at all has changed."""
    tally = emit.state.tallies.get(project)
    for group_id in list(tally.groups) if tally is not None else ():
        skip_never_allowed(emit, emit.state.groups[group_id])


def settle_limits(emit: Emitter) -> None:
    """Something was taken, given back, or is wanted: hold back who is short now, let go who no longer is.

    Who is let go by the one may be short of the other, and who is held back by the other leaves his place to the next one.
    What is left to be seen after a few rounds is seen when time passes.
    """
    for _ in range(_ROUNDS):
        settle_semaphores(emit)
        if not settle_quotas(emit):
            break
