"""State.evolve: how each committed fact changes the state. One handler an event, in a table; no decision is made here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core import evolve_inputs as inputs
from crossfleet.coordinator.core import evolve_priorities as priorities
from crossfleet.coordinator.core import evolve_quotas as quotas
from crossfleet.coordinator.core import evolve_runs as runs
from crossfleet.coordinator.core import evolve_schedules as schedules
from crossfleet.coordinator.core import evolve_work as work
from crossfleet.coordinator.core import evolve_workers as workers
from crossfleet.coordinator.core.artifact import ArtifactsAttached, ArtifactsLost, ArtifactsWaiting
from crossfleet.coordinator.core.last_cases import CopyAssigned, CopyEnded, LimitsLearnt, SlotsFreed, SlotsGivenBack
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.override import DeviceOverridden
from crossfleet.coordinator.core.places import (
    AllocationPlaced,
    AlternativeSkipped,
    AlternativesOpened,
    PlaceLeft,
    PortionsTaken,
)
from crossfleet.coordinator.core.priority_class import AllocationPreempted, PriorityClassRemoved, PriorityClassSet
from crossfleet.coordinator.core.proof import InputsKnown, InputsProved, ProofsDropped, TargetUnchanged
from crossfleet.coordinator.core.quota import GroupOverQuota, QuotaRemoved, QuotaSet
from crossfleet.coordinator.core.rerun_facts import RerunsSought, SlotModels
from crossfleet.coordinator.core.reservation import ReservationChanged, ReservationEnded
from crossfleet.coordinator.core.schedule import ScheduleChanged, ScheduleCreated, ScheduleDeleted
from crossfleet.coordinator.core.semaphore import SemaphoreRemoved, SemaphoreSet

_HANDLERS: dict[type, Callable[[State, Any], None]] = {
    e.RunSubmitted: runs.run_submitted,
    e.CasesCollected: runs.cases_collected,
    LimitsLearnt: runs.limits_learnt,
    e.CasesAdded: runs.cases_added,
    e.CasesFinished: runs.cases_finished,
    e.RerunsMarked: runs.reruns_marked,
    e.CasesRerun: runs.cases_rerun,
    e.CasesDue: runs.cases_due,
    e.GroupWaiting: runs.group_waiting,
    e.GroupFinished: runs.group_finished,
    e.SuiteEnded: runs.suite_ended,
    e.RunStopping: runs.run_stopping,
    e.RunFinished: runs.run_finished,
    ArtifactsAttached: inputs.artifacts_attached,
    ArtifactsWaiting: inputs.artifacts_waiting,
    ArtifactsLost: inputs.artifacts_lost,
    InputsKnown: inputs.inputs_known,
    TargetUnchanged: inputs.target_unchanged,
    InputsProved: inputs.inputs_proved,
    ProofsDropped: inputs.proofs_dropped,
    e.AllocationOpened: work.allocation_opened,
    e.AllocationReady: work.allocation_ready,
    e.RunnerDescribed: work.runner_described,
    e.AllocationClosing: work.allocation_closing,
    e.AllocationClosed: work.allocation_closed,
    SlotsGivenBack: work.slots_given_back,
    SlotsFreed: work.slots_freed,
    e.TasksAssigned: work.tasks_assigned,
    CopyAssigned: work.copy_assigned,
    CopyEnded: work.copy_ended,
    e.SlotsWanting: work.slots_wanting,
    e.SlotsReleased: work.slots_released,
    e.AttemptEnded: work.attempt_ended,
    e.AttemptsRevoked: work.attempts_revoked,
    e.WorkerJoined: workers.worker_joined,
    e.WorkerUpdated: workers.worker_updated,
    e.WorkerStateChanged: workers.worker_state_changed,
    e.WorkerGone: workers.worker_gone,
    e.WorkerForgotten: workers.worker_forgotten,
    e.HealthChanged: workers.health_changed,
    DeviceOverridden: workers.device_overridden,
    e.CanaryOpened: work.canary_opened,
    e.CaseStruck: work.case_struck,
    e.GroupHeldBack: runs.group_held_back,
    e.GroupSkipped: runs.group_skipped,
    AlternativesOpened: work.alternatives_opened,
    AlternativeSkipped: work.alternative_skipped,
    AllocationPlaced: work.allocation_placed,
    PortionsTaken: work.portions_taken,
    PlaceLeft: work.place_left,
    SlotModels: work.slot_models,
    RerunsSought: runs.reruns_sought,
    SemaphoreSet: work.semaphore_set,
    SemaphoreRemoved: work.semaphore_removed,
    ReservationChanged: workers.reservation_changed,
    ReservationEnded: workers.reservation_ended,
    ScheduleCreated: schedules.schedule_created,
    ScheduleChanged: schedules.schedule_changed,
    ScheduleDeleted: schedules.schedule_deleted,
    QuotaSet: quotas.quota_set,
    QuotaRemoved: quotas.quota_removed,
    GroupOverQuota: quotas.group_over_quota,
    PriorityClassSet: priorities.priority_class_set,
    PriorityClassRemoved: priorities.priority_class_removed,
    AllocationPreempted: priorities.allocation_preempted,
    e.DeciderChanged: runs.decider_changed,
}


def evolve(state: State, event: e.Event) -> None:
    """Apply one fact. Events must come in the order in which they were committed."""
    _HANDLERS[type(event)](state, event)
