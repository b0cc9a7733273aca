"""Time went by: what has a limit, or a time at which it begins, is looked at."""

from __future__ import annotations

from crossfleet.coordinator.core.alternatives import open_alternatives
from crossfleet.coordinator.core.commands import PassTime
from crossfleet.coordinator.core.dispatching import feed_idle
from crossfleet.coordinator.core.emitter import Emitter
from crossfleet.coordinator.core.limits import settle_limits
from crossfleet.coordinator.core.needs import NEEDS
from crossfleet.coordinator.core.outcomes import RunState
from crossfleet.coordinator.core.preempting import end_preempted
from crossfleet.coordinator.core.reruns import bring_back
from crossfleet.coordinator.core.reserving import settle_reservations
from crossfleet.coordinator.core.seeking import end_search
from crossfleet.coordinator.core.settling import release_dependents
from crossfleet.coordinator.core.spare import give_back_spare
from crossfleet.coordinator.core.stopping import fail_unsatisfiable, halt
from crossfleet.coordinator.core.stragglers import speculate


def pass_time(emit: Emitter, command: PassTime) -> None:
    """Begin and end reservations; end what was preempted; stop runs over their time limit; open alternatives; fail targets that
    nothing has satisfied for long enough; end the rest of cases, and their search for another place; look again at slots that
    were left idle, and give back those that are of no use.

    What is held back is looked at again: a leader of an earlier version releases nothing.
    """
    settle_reservations(emit)
    end_preempted(emit)
    for run in list(emit.state.runs.values()):
        if any(emit.state.groups[group_id].held_back == NEEDS for group_id in run.groups):
            release_dependents(emit, run.run_id)
        limit = run.policy.run_timeout
        if limit and run.state < RunState.STOPPING and emit.now - run.created_at >= limit:
            halt(emit, run, f"the run's time limit of {limit:g} s was reached", cancelled=True)
    settle_limits(emit)
    open_alternatives(emit)
    fail_unsatisfiable(emit)
    bring_back(emit)
    end_search(emit)
    feed_idle(emit)
    speculate(emit)
    give_back_spare(emit)
