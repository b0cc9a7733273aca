"""Lets the machine notice that time passes: limits of runs, targets that nothing satisfies, slots that wait for others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from crossfleet.coordinator.core.alternatives import choosing
from crossfleet.coordinator.core.commands import Command, PassTime
from crossfleet.coordinator.core.dispatching import leaves_slots_idle
from crossfleet.coordinator.core.model import Group, State
from crossfleet.coordinator.core.outcomes import RunState
from crossfleet.coordinator.core.spare import spare
from crossfleet.coordinator.core.stragglers import may_copy
from crossfleet.coordinator.ledger.writer import LedgerWriter
from crossfleet.foundation.clock import Clock
from crossfleet.foundation.errors import CrossfleetError
from crossfleet.foundation.logs import get_logger

_SECONDS = 0.5


async def pass_time(writer: LedgerWriter, commit: Callable[[Command], Awaitable[Any]], clock: Clock) -> None:
    """Sends PassTime twice a second while something waits for time; runs until cancelled."""
    while True:
        await clock.sleep(_SECONDS)
        if _waits_for_time(writer.state, clock.now()):
            try:
                await commit(PassTime())
            except CrossfleetError as error:
                get_logger().warning("time could not pass", reason=error.reason, message=error.message)


def _waits_for_time(state: State, now: float) -> bool:
    limited = any(run.policy.run_timeout and run.state < RunState.STOPPING for run in state.runs.values())
    return bool(limited or state.preempted or state.reservations or choosing(state)) or any(
        group.resting
        or group.sought
        or group.held_back
        or _impatient(state, group)
        or leaves_slots_idle(state, group)
        or spare(state, group, now)
        or may_copy(state, group)
        or (bool(group.copied) and not group.over)
        for group in state.groups.values()
    )


def _impatient(state: State, group: Group) -> bool:
    return group.never and not group.over and state.runs[group.run_id].policy.fail_unsatisfiable
