"""How quotas change, and what counts toward them."""

from __future__ import annotations

from crossfleet.coordinator.core.model import Allocation, State
from crossfleet.coordinator.core.quota import QUOTA, GroupOverQuota, QuotaRemoved, QuotaSet, Takes, Tally


def quota_set(state: State, event: QuotaSet) -> None:
    """A project is limited; what is held stays held."""
    state.quotas[event.quota.project] = event.quota
    if event.quota.project in state.tallies:
        unsettle(state, event.quota.project)


def quota_removed(state: State, event: QuotaRemoved) -> None:
    """It is limited no more."""
    del state.quotas[event.project]


def group_over_quota(state: State, event: GroupOverQuota) -> None:
    """It is not offered to schedulers, or is again."""
    state.groups[event.group_id].hold_back(QUOTA if event.text else "", event.text)


def submitted(state: State, project: str, group_ids: tuple[str, ...]) -> None:
    """Groups of a project wait."""
    unsettle(state, project).groups.update(dict.fromkeys(group_ids))


def held(state: State, allocation: Allocation, slots: int) -> None:
    """A project holds so many slots more; fewer than none are given back."""
    tally = unsettle(state, state.runs[allocation.run_id].project)
    tally.take(allocation.takes, slots, allocation.run_id)
    tally.allocations[allocation.allocation_id] = None


def recounted(state: State, allocation: Allocation, takes: Takes) -> None:
    """It is known now which devices the slots of an allocation take."""
    slots = len(allocation.held)
    held(state, allocation, -slots)
    allocation.takes = takes
    held(state, allocation, slots)


def closed(state: State, allocation: Allocation) -> None:
    """An allocation that holds nothing any more is gone."""
    project = state.runs[allocation.run_id].project
    unsettle(state, project).allocations.pop(allocation.allocation_id, None)
    _forget_empty(state, project)


def group_over(state: State, run_id: str, group_id: str) -> None:
    """A group wants nothing any more."""
    unsettle(state, state.runs[run_id].project).groups.pop(group_id, None)


def run_over(state: State, run_id: str) -> None:
    """A run does not count any more."""
    project = state.runs[run_id].project
    unsettle(state, project).begun.pop(run_id, None)
    _forget_empty(state, project)


def unsettle(state: State, project: str) -> Tally:
    """Its quota is to be looked at again."""
    tally = state.tallies.setdefault(project, Tally())
    tally.settled = False
    return tally


def _forget_empty(state: State, project: str) -> None:
    """Nothing is remembered of a project that has nothing."""
    if state.tallies[project].empty:
        del state.tallies[project]
