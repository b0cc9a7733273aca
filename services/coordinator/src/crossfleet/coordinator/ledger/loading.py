"""The state as it was committed: the facts of live runs evolved again, on top of the workers that are known."""

from __future__ import annotations

import json
from dataclasses import replace

from google.protobuf.message import DecodeError

from crossfleet.api.types.v1 import device_pb2
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.cases import CollectedCase
from crossfleet.coordinator.core.evolve import evolve
from crossfleet.coordinator.core.model import State, Worker
from crossfleet.coordinator.core.outcomes import WorkerState
from crossfleet.coordinator.core.priority_class import PriorityClass
from crossfleet.coordinator.core.proof import Proof
from crossfleet.coordinator.core.quota import Quota
from crossfleet.coordinator.core.reservation import Reservation
from crossfleet.coordinator.core.schedule import Missed, Overlap, Schedule
from crossfleet.coordinator.core.semaphore import Semaphore
from crossfleet.coordinator.ledger import codec
from crossfleet.coordinator.ledger.store import Row, Stored
from crossfleet.matching.model import WorkerView


def rebuild(stored: Stored) -> State:
    """The state of a leader that starts. Workers have no session yet: they are suspect until they introduce themselves.

    Raises SchemaUnsupported.
    """
    state = State()
    for row in stored.workers:
        state.take_in(_worker(row))
    for row in stored.semaphores:
        state.semaphores[row["name"]] = Semaphore(row["capacity"])
    for row in stored.quotas:
        devices = tuple(json.loads(row["devices"]).items())
        state.quotas[row["project"]] = Quota(row["project"], row["slots"], row["runs"], devices)
    for row in stored.priority_classes:
        values = dict(row) | {"projects": tuple(json.loads(row["projects"]))}
        state.priority_classes[row["name"]] = PriorityClass(**values)
    for row in sorted(stored.proofs, key=lambda one: one["at"]):
        place = row["project"], row["suite"], row["target"]
        state.proofs.add(Proof(*place, row["inputs"], row["run_id"], row["at"]))
    for row in stored.schedules:
        state.schedules[row["name"]] = schedule_of(row)
        state.schedule_specs[row["name"]] = row["spec"]
    for row in stored.reservations:
        values = {name: row[name] for name in Reservation.__slots__} | {
            "worker_ids": tuple(json.loads(row["worker_ids"]))
        }
        state.reservations[row["reservation_id"]] = Reservation(**values)
    for request_id, run_id, fingerprint, live in stored.requests:
        state.requests[request_id] = (run_id, fingerprint)
        if not live:
            state.past_runs.add(run_id)
    specs = {row["run_id"]: row["spec"] for row in stored.runs}
    collections = {digest: codec.decode_cases(body) for digest, body in stored.collections.items()}
    for _, _, body in stored.events:
        for _, event in codec.decode_events(body):
            evolve(state, _whole(event, specs, collections))
    state.next_attempt = stored.head.next_attempt
    state.next_task = stored.head.next_task
    state.next_allocation = stored.head.next_allocation
    return state


def _whole(event: e.Event, specs: dict[str, bytes], collections: dict[str, tuple[CollectedCase, ...]]) -> e.Event:
    """A fact with what was stored apart, where the state needs it."""
    if isinstance(event, e.CasesCollected):
        return replace(event, cases=collections[event.digest])
    if isinstance(event, e.RunSubmitted):
        return replace(event, spec=specs[event.run_id])
    return event


def schedule_of(row: Row) -> Schedule:
    """A schedule as it is stored."""
    values = {name: row[name] for name in Schedule.__slots__}
    kinds = {"missed": Missed(row["missed"]), "overlap": Overlap(row["overlap"])}
    return Schedule(**(values | kinds | {"waiting": tuple(json.loads(row["waiting"]))}))


def _worker(row: Row) -> Worker:
    """Until it has introduced itself nothing is placed on it; but who shares its host matters to others."""
    state = WorkerState(row["state"])
    view = WorkerView(row["worker_id"], host=_host(row["description"]))
    gone_at, has_left = departure(row)
    return Worker(
        row["worker_id"],
        row["incarnation"],
        "",
        view,
        tuple(json.loads(row["runners"])),
        row["description"],
        state if state is WorkerState.LOST else WorkerState.SUSPECT,
        row["drained"],
        row["cause"],
        row["joined_at"],
        health=codec.decode_health(row["health"]),
        overrides=codec.decode_overrides(row["overrides"]),
        reported=view,
        gone_at=gone_at,
        has_left=has_left,
    )


def departure(row: Row) -> tuple[float, bool]:
    """Since when a stored worker is gone (0.0: it is not), and whether it has left.

    An earlier version that saw it join again, or lost it, has left these columns as they were.
    """
    if row["state"] != WorkerState.LOST:
        return 0.0, False
    return max(row["gone_at"], row["joined_at"]), row["has_left"] and row["gone_at"] >= row["joined_at"]


def _host(description: bytes) -> str:
    try:
        return device_pb2.Worker.FromString(description).host
    except DecodeError:
        return ""
