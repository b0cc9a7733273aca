"""Facts become rows: what queries need, and what a leader loads."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.artifact import ArtifactsAttached, ArtifactsWaiting
from crossfleet.coordinator.core.last_cases import CopyAssigned, CopyEnded, LimitsLearnt, SlotsFreed, SlotsGivenBack
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.outcomes import Cause
from crossfleet.coordinator.core.override import DeviceOverridden
from crossfleet.coordinator.core.proof import InputsKnown
from crossfleet.coordinator.core.quota import GroupOverQuota
from crossfleet.coordinator.core.rerun_facts import SlotModels
from crossfleet.coordinator.ledger import codec
from crossfleet.coordinator.ledger.lasting import lasting_rows
from crossfleet.coordinator.ledger.store import Mode, Row, Write
from crossfleet.coordinator.ledger.stored_rows import (
    group_variables,
    run_constants,
    run_variables,
    worker_row,
)
from crossfleet.matching.preferences import burden

_COST, _HOUR = "cost_per_hour", 3600


def project(state: State, events: Sequence[e.Event], seq: int, at: float) -> list[Write]:
    """The rows of one commit; `state` has evolved by its events already."""
    return _Projection(state, seq, at).rows(events)


class _Projection:
    """Collects the rows of one commit by table."""

    def __init__(self, state: State, seq: int, at: float) -> None:
        self._state = state
        self._seq = seq
        self._at = at
        self._inserts: dict[str, list[Row]] = {}
        self._upserts: dict[str, list[Row]] = {}
        self._ignores: dict[str, list[Row]] = {}
        self._ended: dict[int, Row] = {}
        self._closed: dict[str, Row] = {}
        self._described: list[Row] = []
        self._given_back: dict[str, Row] = {}
        self._spent: dict[str, Row] = {}
        self._models: list[Row] = []
        self._kept: set[int] = set()
        self._limits: list[Row] = []
        self._payloads: dict[str, list[tuple[int, bytes]]] = {}
        self._runs: dict[str, None] = {}
        self._groups: dict[str, None] = {}
        self._workers: dict[str, None] = {}
        self._submitted: set[str] = set()

    def rows(self, events: Sequence[e.Event]) -> list[Write]:
        self._log(events)
        for event in events:
            handler = getattr(self, _HANDLERS.get(type(event), ""), None)
            if handler is not None:
                handler(event)
        self._states()
        writes = [Write(table, Mode.INSERT, rows) for table, rows in self._inserts.items()]
        writes += [Write(table, Mode.IGNORE, rows) for table, rows in self._ignores.items()]
        writes += [Write(table, Mode.UPSERT, rows) for table, rows in self._upserts.items()]
        for table, rows in self._updates.items():
            writes.append(Write(table, Mode.UPDATE, rows))
        writes.append(Write("allocations", Mode.UPDATE, self._described))
        writes.append(Write("allocations", Mode.UPDATE, list(self._given_back.values())))
        writes.append(Write("allocations", Mode.UPDATE, list(self._spent.values())))
        writes.append(Write("allocations", Mode.UPDATE, self._models))
        writes.append(Write("task_groups", Mode.UPDATE, self._limits))
        forgotten = [{"worker_id": one} for one in self._workers if one not in self._state.workers]
        writes.append(Write("workers", Mode.DELETE, forgotten))
        return writes + lasting_rows(self._state, events)

    def _insert(self, table: str, **row: Any) -> None:
        self._inserts.setdefault(table, []).append(row)

    def _log(self, events: Sequence[e.Event]) -> None:
        by_run: dict[str, list[tuple[int, e.Event]]] = {}
        for index, event in enumerate(events):
            by_run.setdefault(getattr(event, "run_id", ""), []).append((index, event))
        for run_id, numbered in by_run.items():
            self._insert("events", seq=self._seq, run_id=run_id, at=self._at, body=codec.encode_events(numbered))
            if run_id:
                self._runs[run_id] = None

    def _states(self) -> None:
        """Rows that say where things stand, once each, after the last fact."""
        self._updates: dict[str, list[Row]] = {}
        for run_id in self._runs:
            run = self._state.runs.get(run_id)
            if run is None:
                continue
            if run_id in self._submitted:
                self._insert("runs", **run_constants(run, self._seq), **run_variables(run))
            else:
                self._updates.setdefault("runs", []).append({"run_id": run_id, **run_variables(run)})
        for group_id in self._groups:
            group = self._state.groups.get(group_id)
            if group is None:
                continue
            if group.run_id in self._submitted:
                constants = {"run_id": group.run_id, "position": group.position, "target": group.target.name}
                self._insert("task_groups", group_id=group_id, **constants, **group_variables(group))
            else:
                self._updates.setdefault("task_groups", []).append({"group_id": group_id, **group_variables(group)})
        workers = self._state.workers
        for worker_id in self._workers:
            if worker_id in workers:
                self._upserts.setdefault("workers", []).append(worker_row(workers[worker_id]))
        for group_id, payloads in self._payloads.items():
            self._insert("results", group_id=group_id, batch=self._seq, payloads=codec.encode_payloads(payloads))
        if self._ended:
            self._updates["attempts"] = list(self._ended.values())
        if self._closed:
            self._updates["allocations"] = list(self._closed.values())

    def _run_submitted(self, event: e.RunSubmitted) -> None:
        self._submitted.add(event.run_id)
        for group_id in self._state.runs[event.run_id].groups:
            self._groups[group_id] = None

    def _cases_collected(self, event: e.CasesCollected) -> None:
        self._groups[event.group_id] = None
        rows = self._ignores.setdefault("collections", [])
        if not any(row["digest"] == event.digest for row in rows):
            rows.append({"digest": event.digest, "cases": codec.encode_cases(event.cases)})

    def _limits_learnt(self, event: LimitsLearnt) -> None:
        self._limits.append({"group_id": event.group_id, "limits": codec.encode_limits(event.seconds)})

    def _cases_added(self, event: e.CasesAdded) -> None:
        self._groups[event.group_id] = None
        added = self._state.groups[event.group_id].added
        for case_id in event.case_ids:
            self._insert("added_cases", group_id=event.group_id, case_index=added[case_id], case_id=case_id)

    def _cases_finished(self, event: e.CasesFinished) -> None:
        self._results(event, "verdicts")

    def _cases_rerun(self, event: e.CasesRerun) -> None:
        self._results(event, "earlier_results")

    def _results(self, event: e.CasesFinished | e.CasesRerun, table: str) -> None:
        group_id = event.group_id
        self._groups[group_id] = None
        full = {index for index, _ in event.payloads}
        rows = self._inserts.setdefault(table, [])
        for case in event.cases:
            rows.append(
                {
                    "group_id": group_id,
                    "case_index": case.case_index,
                    "outcome": int(case.outcome),
                    "seconds": case.seconds,
                    "message": case.message,
                    "attempt_id": case.attempt_id,
                    "worker_id": case.worker_id,
                    "slot": case.slot,
                    "batch": self._seq if case.case_index in full else 0,
                    "process": case.process,
                    "position": case.position,
                }
            )
        if full:
            self._payloads.setdefault(group_id, []).extend(event.payloads)

    def _touch_group(
        self,
        event: e.GroupWaiting
        | e.GroupFinished
        | e.SuiteEnded
        | e.GroupHeldBack
        | e.GroupSkipped
        | GroupOverQuota
        | InputsKnown,
    ) -> None:
        self._groups[event.group_id] = None

    def _allocation_opened(self, event: e.AllocationOpened) -> None:
        self._groups[event.group_id] = None
        self._insert(
            "allocations",
            allocation_id=event.allocation_id,
            run_id=event.run_id,
            group_id=event.group_id,
            worker_id=event.worker_id,
            slots=json.dumps(event.slots),
            opened_at=event.at,
            closed_at=0.0,
            cause=0,
            message="",
            cost_per_hour=self._cost_per_hour(event),
        )

    def _cost_per_hour(self, event: e.AllocationOpened) -> float:
        """Of all its slots together, as labels say; 0 where they do not."""
        worker = self._state.workers.get(event.worker_id)
        each = burden(_COST, worker.view) if worker is not None else math.inf
        return each * len(event.slots) if math.isfinite(each) else 0.0

    def _runner_described(self, event: e.RunnerDescribed) -> None:
        self._described.append({"allocation_id": event.allocation_id, "runner": event.facts})

    def _slot_models(self, event: SlotModels) -> None:
        self._models.append({"allocation_id": event.allocation_id, "models": json.dumps(dict(event.models))})

    def _slots_given_back(self, event: SlotsGivenBack) -> None:
        allocation = self._state.allocations.get(event.allocation_id)
        if allocation is not None and event.gone:
            row = {"allocation_id": event.allocation_id, "given_back": json.dumps(sorted(allocation.gone))}
            self._given_back[event.allocation_id] = row

    def _slots_freed(self, event: SlotsFreed) -> None:
        """From now on its other slots cost something."""
        allocation = self._state.allocations.get(event.allocation_id)
        worker = self._state.workers.get(allocation.worker_id) if allocation is not None else None
        each = burden(_COST, worker.view) if worker is not None else math.inf
        if allocation is not None and math.isfinite(each):
            self._spent[event.allocation_id] = {
                "allocation_id": event.allocation_id,
                "cost_per_hour": each * len(allocation.held),
                "spent": each * allocation.served / _HOUR,
            }

    def _allocation_closed(self, event: e.AllocationClosed) -> None:
        self._groups[event.group_id] = None
        self._closed[event.allocation_id] = {
            "allocation_id": event.allocation_id,
            "closed_at": self._at,
            "cause": int(event.cause),
            "message": event.message,
        }

    def _tasks_assigned(self, event: e.TasksAssigned) -> None:
        rows = self._inserts.setdefault("attempts", [])
        for task in event.tasks:
            if task.attempt_id in self._kept:
                continue  # it was a copy, and has its row
            rows.append(
                {
                    "attempt_id": task.attempt_id,
                    "task_id": task.task_id,
                    "run_id": event.run_id,
                    "group_id": event.group_id,
                    "allocation_id": event.allocation_id,
                    "worker_id": event.worker_id,
                    "slot": task.slot,
                    "cases": len(task.case_indices),
                    "assigned_at": event.at,
                    "ended_at": 0.0,
                    "cause": 0,
                    "message": "",
                    "peak_memory": 0,
                    "alternative": self._alternative(event),
                }
            )

    def _copy_assigned(self, event: CopyAssigned) -> None:
        task = e.AssignedTask(event.attempt_id, event.task_id, event.slot, (event.case_index,), last=True)
        names = (event.run_id, event.group_id, event.allocation_id, event.worker_id)
        self._tasks_assigned(e.TasksAssigned(*names, (task,), event.at))

    def _copy_ended(self, event: CopyEnded) -> None:
        if event.kept:
            self._kept.add(event.attempt_id)
            return
        self._ended[event.attempt_id] = {
            "attempt_id": event.attempt_id,
            "ended_at": event.at,
            "cause": int(event.cause),
            "message": event.message,
            "peak_memory": event.peak_memory,
        }

    def _alternative(self, event: e.TasksAssigned) -> int:
        """The number, from 1, of that which the attempt's allocation is of; 0: of none."""
        group = self._state.groups.get(event.group_id)
        place = group.whereabouts.held.get(event.allocation_id) if group is not None and group.whereabouts else None
        return place.alternative + 1 if place is not None else 0

    def _attempt_ended(self, event: e.AttemptEnded) -> None:
        self._groups[event.group_id] = None
        self._ended[event.attempt_id] = {
            "attempt_id": event.attempt_id,
            "ended_at": event.at,
            "cause": int(event.cause),
            "message": event.message,
            "peak_memory": event.peak_memory,
        }

    def _attempts_revoked(self, event: e.AttemptsRevoked) -> None:
        for attempt_id in event.attempt_ids:
            self._ended[attempt_id] = {
                "attempt_id": attempt_id,
                "ended_at": self._at,
                "cause": int(Cause.CANCELLED),
                "message": "revoked",
                "peak_memory": 0,
            }

    def _artifacts_attached(self, event: ArtifactsAttached) -> None:
        rows = {
            (artifact.target, artifact.name): {
                "run_id": event.run_id,
                "target": artifact.target,
                "name": artifact.name,
                "digest": artifact.digest,
                "size": artifact.size,
                "media_type": artifact.media_type,
                "case_id": artifact.case_id,
                "created_at": event.at,
            }
            for artifact in event.artifacts
        }
        self._upserts.setdefault("artifacts", []).extend(rows.values())

    def _artifacts_waiting(self, event: ArtifactsWaiting) -> None:
        target = event.group_id[len(event.run_id) + 1 :]
        self._upserts.setdefault("waiting_artifacts", []).extend(
            {
                "run_id": event.run_id,
                "target": target,
                "name": name,
                "worker_id": event.worker_id,
                "since": event.at,
            }
            for name in event.names
        )

    def _touch_worker(
        self,
        event: e.WorkerJoined
        | e.WorkerUpdated
        | e.WorkerStateChanged
        | e.WorkerGone
        | e.WorkerForgotten
        | e.HealthChanged
        | DeviceOverridden,
    ) -> None:
        self._workers[event.worker_id] = None


_HANDLERS: dict[type, str] = {
    e.RunSubmitted: "_run_submitted",
    e.CasesCollected: "_cases_collected",
    LimitsLearnt: "_limits_learnt",
    e.CasesAdded: "_cases_added",
    e.CasesFinished: "_cases_finished",
    e.CasesRerun: "_cases_rerun",
    e.GroupWaiting: "_touch_group",
    e.GroupFinished: "_touch_group",
    e.SuiteEnded: "_touch_group",
    e.GroupHeldBack: "_touch_group",
    e.GroupSkipped: "_touch_group",
    InputsKnown: "_touch_group",
    GroupOverQuota: "_touch_group",
    e.AllocationOpened: "_allocation_opened",
    e.RunnerDescribed: "_runner_described",
    e.AllocationClosed: "_allocation_closed",
    SlotsGivenBack: "_slots_given_back",
    SlotsFreed: "_slots_freed",
    SlotModels: "_slot_models",
    e.TasksAssigned: "_tasks_assigned",
    CopyAssigned: "_copy_assigned",
    CopyEnded: "_copy_ended",
    e.AttemptEnded: "_attempt_ended",
    e.AttemptsRevoked: "_attempts_revoked",
    ArtifactsAttached: "_artifacts_attached",
    ArtifactsWaiting: "_artifacts_waiting",
    e.WorkerJoined: "_touch_worker",
    e.WorkerUpdated: "_touch_worker",
    e.WorkerStateChanged: "_touch_worker",
    e.WorkerGone: "_touch_worker",
    e.WorkerForgotten: "_touch_worker",
    e.HealthChanged: "_touch_worker",
    DeviceOverridden: "_touch_worker",
}
