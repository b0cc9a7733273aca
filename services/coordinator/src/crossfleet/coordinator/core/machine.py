"""The state machine: judges commands. Pure: the same state, command and time give the same facts and answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from crossfleet.coordinator.core import (
    care,
    collecting,
    commands,
    departing,
    limits,
    overriding,
    passing,
    planning,
    preempting,
    reporting,
    reserving,
    scheduling,
    semaphores,
    spare,
    stopping,
    submitting,
    workers,
)
from crossfleet.coordinator.core.answers import Answer
from crossfleet.coordinator.core.artifact import AttachArtifacts
from crossfleet.coordinator.core.deciders import ChangeDecider
from crossfleet.coordinator.core.emitter import Emitter, Refused, Rejection
from crossfleet.coordinator.core.events import Event
from crossfleet.coordinator.core.health import CareForHosts
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.override import OverrideDevice
from crossfleet.coordinator.core.priority_class import RemovePriorityClass, SetPriorityClass
from crossfleet.coordinator.core.quota import RemoveQuota, SetQuota
from crossfleet.coordinator.core.reservation import CancelReservation, MakeReservation
from crossfleet.coordinator.core.schedule import CreateSchedule, DeleteSchedule, PauseSchedule, TimesCame
from crossfleet.coordinator.core.semaphore import RemoveSemaphore, SetSemaphore

_HANDLERS: dict[type, Callable[[Emitter, Any], Answer]] = {
    commands.SubmitRun: submitting.submit_run,
    AttachArtifacts: submitting.attach_artifacts,
    commands.StopRun: stopping.stop_run,
    commands.PassTime: passing.pass_time,
    commands.WorkerHello: workers.worker_hello,
    commands.AttemptsMissing: workers.attempts_missing,
    commands.WorkerChanged: workers.worker_changed,
    commands.WorkerSilent: workers.worker_silent,
    commands.WorkerHeard: workers.worker_heard,
    commands.WorkerLost: departing.worker_lost,
    commands.WorkerLeft: departing.worker_left,
    commands.ForgetWorkers: departing.forget_workers,
    commands.DrainWorker: workers.drain_worker,
    commands.WorkerLeaving: workers.worker_leaving,
    commands.QuarantineWorker: care.quarantine_worker,
    CareForHosts: care.care_for_hosts,
    commands.HealthChecked: care.health_checked,
    commands.ApplyPlan: planning.apply_plan,
    ChangeDecider: planning.change_decider,
    commands.RecordCollection: collecting.record_collection,
    commands.WantTasks: reporting.want_tasks,
    commands.SlotsClosed: spare.slots_closed,
    commands.WorkerReport: reporting.worker_report,
    SetSemaphore: limits.set_semaphore,
    RemoveSemaphore: semaphores.remove_semaphore,
    SetQuota: limits.set_quota,
    RemoveQuota: limits.remove_quota,
    SetPriorityClass: preempting.set_priority_class,
    RemovePriorityClass: preempting.remove_priority_class,
    CreateSchedule: scheduling.create_schedule,
    PauseSchedule: scheduling.pause_schedule,
    DeleteSchedule: scheduling.delete_schedule,
    TimesCame: scheduling.times_came,
    commands.SubmitScheduled: scheduling.submit_scheduled,
    MakeReservation: reserving.make_reservation,
    CancelReservation: reserving.cancel_reservation,
    OverrideDevice: overriding.override_device,
}


@dataclass(frozen=True, slots=True)
class Applied:
    """A command that was carried out: its facts, in order, by which the state has evolved already, and its answer."""

    events: list[Event]
    answer: Answer


def apply(state: State, command: commands.Command, now: float) -> Applied | Rejection:
    """Carry out a command at `now` (unix seconds). A rejected one has changed nothing.

    Any exception leaves the state half changed: the caller must load it again.
    """
    emit = Emitter(state, now)
    try:
        answer = _HANDLERS[type(command)](emit, command)
    except Refused as refused:
        if emit.events:
            raise RuntimeError(f"{type(command).__name__} was refused after it had emitted facts") from refused
        return refused.rejection
    return Applied(emit.events, answer)
