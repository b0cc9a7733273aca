"""Runs, groups, workers and what stands beside them, as they are stored."""

from __future__ import annotations

import json

from crossfleet.coordinator.core.model import Group, Run, Worker
from crossfleet.coordinator.core.outcomes import WorkerState
from crossfleet.coordinator.core.priority_class import PriorityClass
from crossfleet.coordinator.core.proof import Proof
from crossfleet.coordinator.core.quota import Quota
from crossfleet.coordinator.core.reservation import Reservation
from crossfleet.coordinator.core.schedule import Schedule
from crossfleet.coordinator.ledger import codec
from crossfleet.coordinator.ledger.store import Row


def quota_row(quota: Quota) -> Row:
    """A quota as it is stored."""
    return {
        "project": quota.project,
        "slots": quota.slots,
        "runs": quota.runs,
        "devices": json.dumps(dict(quota.devices)),
    }


def priority_class_row(one: PriorityClass) -> Row:
    """A priority class as it is stored."""
    values = {name: getattr(one, name) for name in PriorityClass.__slots__}
    return values | {"projects": json.dumps(one.projects)}


def run_constants(run: Run, seq: int) -> Row:
    """Columns that never change."""
    return {
        "run_id": run.run_id,
        "request_id": run.request_id,
        "fingerprint": run.fingerprint,
        "project": run.project,
        "suite": run.suite,
        "runner": run.runner,
        "priority": run.priority,
        "traceparent": run.traceparent,
        "spec": run.spec,
        "cursor_seq": seq - 1,
        "created_at": run.created_at,
    }


def run_variables(run: Run) -> Row:
    """Columns that say where a run stands."""
    return {
        "state": int(run.state),
        "verdict": int(run.verdict),
        "cause": run.cause,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "live": not run.forgettable,
    }


def group_variables(group: Group) -> Row:
    """Columns that say where a group stands."""
    return {
        "state": int(group.state),
        "digest": group.digest,
        "cases": len(group.outcomes),
        "deselected": group.deselected,
        "counts": json.dumps(group.counts),
        "waiting_code": group.waiting_code,
        "waiting_text": group.waiting_text,
        "cause": group.cause,
        "ending": int(group.ending),
        "cause_details": group.cause_details,
        "skipped": group.skipped,
        "alternatives": json.dumps(sorted(group.whereabouts.used.items())) if group.whereabouts else "",
        "unchanged_since": group.unchanged_since,
        "comparison": group.comparison,
    }


def proof_row(proof: Proof) -> Row:
    """A proof."""
    named = {"project": proof.project, "suite": proof.suite, "target": proof.target, "inputs": proof.inputs}
    return named | {"run_id": proof.by_run, "at": proof.at}


def reservation_row(reservation: Reservation) -> Row:
    """A reservation as it stands."""
    values = {name: getattr(reservation, name) for name in Reservation.__slots__}
    return values | {"worker_ids": json.dumps(reservation.worker_ids)}


def schedule_variables(schedule: Schedule) -> Row:
    """A schedule but for what it submits."""
    values = {name: getattr(schedule, name) for name in Schedule.__slots__}
    kinds = {"missed": int(schedule.missed), "overlap": int(schedule.overlap)}
    return values | kinds | {"waiting": json.dumps(schedule.waiting)}


def worker_row(worker: Worker) -> Row:
    """A worker as it stands. Versions that know of no quarantine read it as a worker that is being drained."""
    state = WorkerState.DRAINING if worker.state is WorkerState.QUARANTINED else worker.state
    return {
        "worker_id": worker.worker_id,
        "incarnation": worker.incarnation,
        "state": int(state),
        "drained": worker.drained,
        "cause": worker.cause,
        "runners": json.dumps(worker.runners),
        "description": worker.description,
        "joined_at": worker.joined_at,
        "health": codec.encode_health(worker.health),
        "overrides": codec.encode_overrides(worker.overrides),
        "gone_at": worker.gone_at,
        "has_left": worker.has_left,
    }
