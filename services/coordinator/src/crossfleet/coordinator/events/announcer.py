"""Facts as the events that the outside sees."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from crossfleet.api.coordinator.v1 import event_service_pb2 as event_pb2
from crossfleet.coordinator.convert.runs import set_time, submitted
from crossfleet.coordinator.core import events as facts
from crossfleet.coordinator.core.artifact import ArtifactsWaiting
from crossfleet.coordinator.core.last_cases import CopyAssigned, CopyEnded, SlotsGivenBack
from crossfleet.coordinator.core.outcomes import WorkerState
from crossfleet.coordinator.core.places import AlternativesOpened
from crossfleet.coordinator.core.quota import GroupOverQuota
from crossfleet.coordinator.events.cursors import Position, text
from crossfleet.coordinator.events.known import Known
from crossfleet.coordinator.lookup import Lookup

Numbered = tuple[Position, float, facts.Event]
"""A fact with its position and the unix seconds of its commit."""
Announced = tuple[Position, event_pb2.Event]
_CASES_A_TURN = 2_000


class Announcer:
    """Looks up what facts only name. Facts that concern only the fleet's inside have no event."""

    def __init__(self, known: Known, lookup: Lookup) -> None:
        """`lookup` answers runs and targets as committed."""
        self._known = known
        self._lookup = lookup

    async def announce(self, numbered: Iterable[Numbered]) -> list[Announced]:
        """The events of some facts, in order."""
        found = []
        for position, at, fact in numbered:
            self._known.learn(fact)
            event = event_pb2.Event(cursor=text(position), run_id=getattr(fact, "run_id", ""))
            set_time(event.at, at)
            if await self._fill(event, fact):
                found.append((position, event))
        return found

    async def _fill(self, event: event_pb2.Event, fact: facts.Event) -> bool:
        match fact:
            case facts.TasksAssigned():
                _tasks_assigned(event.tasks_assigned, fact)
            case facts.CasesFinished():
                await self._cases_finished(event.cases_finished, fact)
            case facts.AttemptEnded():
                await self._attempt_ended(event.attempt_ended, fact)
            case CopyAssigned():
                await self._case_copied(event.case_copied, fact)
            case CopyEnded() if not fact.kept:
                await self._attempt_ended(event.attempt_ended, fact)
            case facts.RunSubmitted():
                event.run_submitted.run.CopyFrom(submitted(fact, 0))
            case facts.CasesCollected():
                await self._cases_collected(event.cases_collected, fact)
            case facts.AllocationOpened():
                _slots_of(event.allocation_opened, fact)
            case facts.AllocationClosed():
                _allocation_closed(event.allocation_closed, fact)
            case SlotsGivenBack() if fact.gone:
                _slots_of(event.slots_given_back, fact)
            case ArtifactsWaiting():
                _artifacts_waiting(event.artifacts_waiting, fact)
            case facts.GroupFinished():
                target = _target(fact.run_id, fact.group_id)
                event.target_finished.target.CopyFrom(await self._lookup.final_target(fact.run_id, target))
            case facts.GroupWaiting() | facts.GroupHeldBack() | GroupOverQuota():
                event.target_waiting.target = _target(fact.run_id, fact.group_id)
                event.target_waiting.reason = fact.text
            case AlternativesOpened():
                return _alternative_opened(event, fact)
            case facts.DeciderChanged():
                _scheduler_changed(event.scheduler_changed, fact)
            case facts.RunStopping():
                event.run_stopping.cause = fact.cause
            case facts.RunFinished():
                event.run_finished.run.CopyFrom(await self._lookup.final_run(fact.run_id))
            case facts.WorkerJoined():
                event.worker_changed.worker_id = fact.worker_id
                event.worker_changed.state = "WORKER_STATE_READY"
            case facts.WorkerStateChanged():
                event.worker_changed.worker_id = fact.worker_id
                event.worker_changed.state = f"WORKER_STATE_{WorkerState(fact.state).name}"
                event.worker_changed.cause = fact.cause
            case facts.WorkerGone():
                event.worker_changed.worker_id = fact.worker_id
                event.worker_changed.state = f"WORKER_STATE_{WorkerState.LOST.name}"
                event.worker_changed.cause = fact.cause
                event.worker_changed.has_left = fact.has_left
            case facts.HealthChanged():
                _health_changed(event.worker_changed, fact)
            case _:
                return False
        return True

    async def _cases_collected(self, message: event_pb2.CasesCollected, fact: facts.CasesCollected) -> None:
        message.target = _target(fact.run_id, fact.group_id)
        message.cases = len(fact.cases) or len(await self._known.case_ids(fact.run_id, fact.group_id))
        message.collection_digest = fact.digest
        message.deselected = fact.deselected

    async def _cases_finished(self, message: event_pb2.CasesFinished, fact: facts.CasesFinished) -> None:
        target = message.target = _target(fact.run_id, fact.group_id)
        ids = await self._known.case_ids(fact.run_id, fact.group_id)
        add = message.cases.add
        for number, case in enumerate(fact.cases, 1):
            if not number % _CASES_A_TURN:
                await asyncio.sleep(0)  # a large run that is stopped ends all of its cases at once
            add(
                target=target,
                case_index=case.case_index,
                case_id=ids[case.case_index] if case.case_index < len(ids) else "",
                outcome=int(case.outcome),
                seconds=case.seconds,
                message=case.message,
                worker_id=case.worker_id,
                slot=case.slot,
                attempt_id=case.attempt_id,
                process=case.process,
                position=case.position,
            )

    async def _case_copied(self, message: event_pb2.CaseCopied, fact: CopyAssigned) -> None:
        message.target = _target(fact.run_id, fact.group_id)
        message.case_index = fact.case_index
        message.case_id = (await self._known.case_ids(fact.run_id, fact.group_id))[fact.case_index]
        message.running_seconds = fact.running
        attempt = message.attempt
        attempt.attempt_id, attempt.task_id = fact.attempt_id, fact.task_id
        attempt.worker_id, attempt.slot, attempt.cases = fact.worker_id, fact.slot, 1
        set_time(attempt.assigned_at, fact.at)

    async def _attempt_ended(self, message: event_pb2.AttemptEnded, fact: facts.AttemptEnded | CopyEnded) -> None:
        message.target = _target(fact.run_id, fact.group_id)
        message.cases_left = len(fact.left) if isinstance(fact, facts.AttemptEnded) else 0
        message.message = fact.message
        known = await self._known.attempt(fact.run_id, fact.attempt_id)
        attempt = message.attempt
        attempt.attempt_id, attempt.task_id = fact.attempt_id, known.task_id
        attempt.worker_id, attempt.slot, attempt.cases = known.worker_id, known.slot, known.cases
        attempt.cause = int(fact.cause)  # type: ignore[assignment]
        attempt.peak_memory_bytes = fact.peak_memory
        set_time(attempt.assigned_at, known.at)
        set_time(attempt.ended_at, fact.at)


def _slots_of(
    message: event_pb2.AllocationOpened | event_pb2.SlotsGivenBack, fact: facts.AllocationOpened | SlotsGivenBack
) -> None:
    message.allocation_id, message.worker_id = fact.allocation_id, fact.worker_id
    message.target = _target(fact.run_id, fact.group_id)
    message.slots.extend(fact.slots)


def _allocation_closed(message: event_pb2.AllocationClosed, fact: facts.AllocationClosed) -> None:
    message.allocation_id, message.target = fact.allocation_id, _target(fact.run_id, fact.group_id)
    message.cause = fact.message


def _alternative_opened(event: event_pb2.Event, fact: AlternativesOpened) -> bool:
    """Nothing is to be told where only its time begins or stands."""
    if fact.count < 2 or not fact.at:
        return False
    event.alternative_opened.target = _target(fact.run_id, fact.group_id)
    event.alternative_opened.number = fact.count
    return True


def _artifacts_waiting(message: event_pb2.ArtifactsWaiting, fact: ArtifactsWaiting) -> None:
    message.target, message.worker_id = _target(fact.run_id, fact.group_id), fact.worker_id
    message.names.extend(fact.names)


def _scheduler_changed(message: event_pb2.SchedulerChanged, fact: facts.DeciderChanged) -> None:
    message.target, message.scheduler = _target(fact.run_id, fact.group_id), fact.scheduler
    message.fallback, message.cause = fact.fallback, fact.cause


def _health_changed(message: event_pb2.WorkerChanged, fact: facts.HealthChanged) -> None:
    message.worker_id, message.device_id = fact.worker_id, fact.device_id
    message.health, message.cause = f"HEALTH_STAGE_{fact.health.stage.name}", fact.health.cause
    if not fact.device_id:
        state = WorkerState.QUARANTINED if fact.health.out else WorkerState.READY
        message.state = f"WORKER_STATE_{state.name}"


def _tasks_assigned(message: event_pb2.TasksAssigned, fact: facts.TasksAssigned) -> None:
    message.target = _target(fact.run_id, fact.group_id)
    for task in fact.tasks:
        attempt = message.attempts.add(
            attempt_id=task.attempt_id,
            task_id=task.task_id,
            worker_id=fact.worker_id,
            slot=task.slot,
            cases=len(task.case_indices),
        )
        set_time(attempt.assigned_at, fact.at)


def _target(run_id: str, group_id: str) -> str:
    return group_id[len(run_id) + 1 :]
