"""Cases that failed are run again: which, how often, and what it says when they pass later."""

from __future__ import annotations

from collections.abc import Sequence

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.commands import CaseOutcome
from crossfleet.coordinator.core.dispatching import feed_group
from crossfleet.coordinator.core.emitter import Emitter
from crossfleet.coordinator.core.model import Group, Run
from crossfleet.coordinator.core.outcomes import BAD, Outcome
from crossfleet.coordinator.core.seeking import seek
from crossfleet.matching.patterns import found


def runs_again(run: Run, group: Group, index: int, result: CaseOutcome) -> bool:
    """Whether this failure does not count yet.

    What a plugin of the suite has run again by itself counts, so that the two never multiply. So does a case that was
    never collected: it cannot be asked for.
    """
    if result.outcome not in BAD or result.repeated or index >= len(group.cases):
        return False
    policy = run.policy
    if len(group.earlier.get(index, ())) >= group.marks.get(index, policy.max_reruns):
        return False
    return not policy.rerun_only or any(found(pattern, result.message) for pattern in policy.rerun_only)


def shown(earlier: Sequence[e.FinishedCase], result: CaseOutcome) -> tuple[Outcome, str]:
    """Outcome and message of a case with failures before: a flaky one says why it failed last."""
    if not earlier or result.outcome in BAD:
        return result.outcome, result.message
    return Outcome.FLAKY, earlier[-1].message


def bring_back(emit: Emitter) -> None:
    """Cases that have rested for long enough are pending again."""
    for group in list(emit.state.groups.values()):
        due = tuple(sorted(index for index, at in group.resting.items() if at <= emit.now))
        if due:
            emit(e.CasesDue(group.run_id, group.group_id, due))
            seek(emit, group, due)
            feed_group(emit, group)
