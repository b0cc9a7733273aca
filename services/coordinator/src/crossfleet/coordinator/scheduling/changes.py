"""What of the state a scheduler has not seen yet, as committed events name it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from crossfleet.coordinator.core import events as facts
from crossfleet.coordinator.core.last_cases import SlotsGivenBack
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.override import DeviceOverridden
from crossfleet.coordinator.core.places import AlternativeSkipped, AlternativesOpened
from crossfleet.coordinator.core.quota import GroupOverQuota, QuotaRemoved, QuotaSet
from crossfleet.coordinator.core.rerun_facts import RerunsSought
from crossfleet.coordinator.core.reservation import ReservationChanged, ReservationEnded
from crossfleet.coordinator.core.semaphore import SemaphoreSet

_PRESSING = frozenset(
    (
        facts.RunSubmitted,
        facts.CasesCollected,
        facts.CasesRerun,
        facts.CasesDue,
        RerunsSought,
        facts.RunStopping,
        facts.WorkerJoined,
        facts.WorkerUpdated,
        facts.WorkerStateChanged,
        DeviceOverridden,
        facts.WorkerGone,
    )
)


@dataclass(slots=True)
class Changes:
    """Ids whose records are to be sent. `minor` groups only count down: they go along with the next message that matters.

    `press`: there is work, or a worker, that was not there before.
    """

    workers: set[str] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)
    allocations: set[str] = field(default_factory=set)
    minor: set[str] = field(default_factory=set)
    press: bool = False

    @property
    def matter(self) -> bool:
        """Whether a scheduler could decide anything new."""
        return bool(self.workers or self.groups or self.allocations)

    def note(self, state: State, events: Iterable[facts.Event]) -> None:
        """Adds what a committed batch changed."""
        limited: set[str] = set()  # runs; what groups of their projects may still have of a quota
        for event in events:
            self.press |= type(event) in _PRESSING or _frees(event)
            match event:
                case facts.TasksAssigned():
                    self._counted(state, event.group_id)
                case facts.AttemptEnded():
                    # What was left is to be placed again; without that an ended attempt frees nothing here.
                    (self.groups if event.left else self.minor).add(event.group_id)
                case facts.AllocationOpened() | facts.AllocationClosed():
                    self.allocations.add(event.allocation_id)
                    self.groups.add(event.group_id)
                    self._shown(state, state.sharing)  # what they may still have of semaphores
                    self.groups.update(_beside(state, event.run_id))
                    limited.add(event.run_id)
                case facts.AllocationClosing():
                    self.allocations.add(event.allocation_id)
                case SlotsGivenBack():
                    self.allocations.add(event.allocation_id)
                    self.groups.add(event.group_id)
                    self._shown(state, state.sharing)
                    limited.add(event.run_id)
                case facts.CasesCollected() | facts.CasesRerun() | facts.CasesDue():
                    self.groups.add(event.group_id)
                case facts.GroupHeldBack() | AlternativesOpened() | AlternativeSkipped() | RerunsSought():
                    self.groups.add(event.group_id)
                case facts.GroupFinished() | GroupOverQuota():
                    self.groups.add(event.group_id)
                    limited.add(event.run_id)  # what was kept for it, others may have
                case ReservationChanged() | ReservationEnded():
                    kept = event.reservation.worker_ids if isinstance(event, ReservationChanged) else ()
                    self.workers.update((*kept, *event.released))
                    self.groups.update(state.groups)  # of its project, which are few or all
                case SemaphoreSet():
                    self.groups.update(state.sharing)
                case QuotaSet():
                    self._of_project(state, event.quota.project)
                case QuotaRemoved():
                    self._of_project(state, event.project)
                case facts.RunSubmitted():
                    self.groups.update(f"{event.run_id}/{target.name}" for target in event.targets)
                case facts.RunStopping():
                    run = state.runs.get(event.run_id)
                    self.groups.update(run.groups if run else ())
                case facts.WorkerJoined() | facts.WorkerUpdated() | facts.WorkerStateChanged() | facts.HealthChanged():
                    self.workers.add(event.worker_id)
                case facts.WorkerGone() | DeviceOverridden():
                    self.workers.add(event.worker_id)
                case _:
                    pass
        for project in {state.runs[run_id].project for run_id in limited if run_id in state.runs}:
            if project in state.quotas:
                self._of_project(state, project)

    def _of_project(self, state: State, project: str) -> None:
        if project in state.tallies:
            self._shown(state, state.tallies[project].groups)

    def _shown(self, state: State, group_ids: Iterable[str]) -> None:
        """Those of some groups that schedulers see: who is held back, or let go, is told by a fact of its own."""
        groups = state.groups
        self.groups.update(one for one in group_ids if one in groups and not groups[one].held_back)

    def _counted(self, state: State, group_id: str) -> None:
        """The last pending case was handed out: the group wants no more slots, which does matter."""
        group = state.groups.get(group_id)
        (self.minor if group is not None and group.queue.count else self.groups).add(group_id)

    def take(self) -> tuple[set[str], set[str], set[str]]:
        """(workers, groups, allocations) so far; nothing is left to be sent afterwards."""
        taken = self.workers, self.groups | self.minor, self.allocations
        self.workers, self.groups, self.allocations, self.minor = set(), set(), set(), set()
        self.press = False
        return taken


def _beside(state: State, run_id: str) -> Iterable[str]:
    """The groups of a run of which some ask for what depends on where others are."""
    run = state.runs.get(run_id)
    return run.groups if run is not None and run.shifting else ()


def _frees(event: facts.Event) -> bool:
    """Whether cases, or a group that was held back, are to be placed (again)."""
    match event:
        case facts.AttemptEnded():
            return bool(event.left)
        case facts.GroupHeldBack():
            return not event.by
        case AlternativesOpened() | AlternativeSkipped():
            return True
        case GroupOverQuota():
            return not event.text
        case ReservationChanged() | ReservationEnded() | QuotaSet() | QuotaRemoved():
            return True
    return False
