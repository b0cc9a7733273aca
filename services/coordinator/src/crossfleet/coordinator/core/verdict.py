"""The conclusion of a run, drawn from the outcomes of its cases and the ends of its groups."""

from __future__ import annotations

from collections.abc import Iterable

from crossfleet.coordinator.core.model import Group, Run
from crossfleet.coordinator.core.outcomes import BAD, GroupState, Outcome, RunVerdict


def _as_failures(flaky: int) -> str:
    return "1 flaky case counts as a failure here" if flaky == 1 else f"{flaky} flaky cases count as failures here"


def conclude(run: Run, groups: Iterable[Group]) -> tuple[RunVerdict, str]:
    """Verdict and cause of a run whose groups are all over.

    A failed case weighs more than a fault of the fleet: it is the suite's, whatever else happened.
    """
    if run.cancelled:
        return RunVerdict.CANCELLED, run.cause
    groups = list(groups)
    failed = [group for group in groups if group.state is GroupState.FAILED]
    cause = run.cause or next((group.cause for group in failed if group.cause), "")
    bad = sum(group.counts[outcome] for group in groups for outcome in BAD)
    if bad or any(not group.infrastructure for group in failed):
        return RunVerdict.FAILED, cause
    flaky = sum(group.counts[Outcome.FLAKY] for group in groups)
    if flaky and run.policy.fail_on_flaky:
        return RunVerdict.FAILED, cause or _as_failures(flaky)
    if failed:
        return RunVerdict.INFRASTRUCTURE, cause
    lost = sum(group.counts[outcome] for group in groups for outcome in (Outcome.NOT_RUN, Outcome.PREEMPTED))
    if lost:
        return RunVerdict.INFRASTRUCTURE, cause or f"{lost} cases could not be run"
    return RunVerdict.PASSED, cause or next((group.cause for group in groups if group.cause), "")
