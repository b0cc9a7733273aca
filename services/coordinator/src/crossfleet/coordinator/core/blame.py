"""Evidence against hosts and devices, and against cases: whoever is where it fails, and where others are not."""

from __future__ import annotations

from collections.abc import Iterable

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core import health
from crossfleet.coordinator.core.emitter import Emitter
from crossfleet.coordinator.core.failures import BY_CAUSE, FailureClass
from crossfleet.coordinator.core.health import Health, Incident, Stage
from crossfleet.coordinator.core.model import Attempt, Group, Worker
from crossfleet.coordinator.core.outcomes import Cause


def subject(group: Group, case: int) -> str:
    """How a case is called as the subject of an incident."""
    return f"{group.group_id}#{case}"


def executing(emit: Emitter, attempt: Attempt) -> int | None:
    """The case that an attempt was executing; None where it had not begun, or nothing is left of it."""
    slot = emit.state.allocations[attempt.allocation_id].slots[attempt.slot]
    if not attempt.pending or slot.attempts[0] != attempt.attempt_id:
        return None
    return next(index for index in attempt.cases if index in attempt.pending)


def executing_on(emit: Emitter, worker: Worker) -> tuple[str, ...]:
    """The cases that a worker is executing, as subjects."""
    found = []
    for allocation_id in sorted(worker.allocations):
        allocation = emit.state.allocations[allocation_id]
        for slot in allocation.slots.values():
            attempt = emit.state.attempts[slot.attempts[0]] if slot.attempts else None
            case = executing(emit, attempt) if attempt is not None else None
            if case is not None:
                found.append(subject(emit.state.groups[allocation.group_id], case))
    return tuple(found[: health.MOST_SUBJECTS])


def devices_of(emit: Emitter, attempt: Attempt) -> tuple[str, ...]:
    """The devices that an attempt's slot holds."""
    allocation = emit.state.allocations[attempt.allocation_id]
    place = list(allocation.slots).index(attempt.slot)
    return allocation.device_ids[place] if place < len(allocation.device_ids) else ()


def blame(
    emit: Emitter, worker_id: str, cause: Cause, subjects: tuple[str, ...] = (), devices: Iterable[str] = ()
) -> None:
    """A failure speaks against a host, or against the devices that were held where its class says so.

    Not where the same subject failed on another host: then it speaks for both. A worker that is drained, leaving or out is past that.
    """
    row = BY_CAUSE.get(cause)
    worker = emit.state.workers.get(worker_id)
    if row is None or not row.weight or worker is None or worker.ending or worker.quarantined:
        return
    if _failed_elsewhere(emit, worker, subjects):
        exonerate(emit, subjects)
        return
    for device_id in (tuple(devices) if row.of_device else ()) or ("",):
        _note(emit, worker, device_id, row, subjects)


def exonerate(emit: Emitter, subjects: Iterable[str]) -> None:
    """Nobody is blamed for these any more."""
    wanted = frozenset(subjects)
    for worker in emit.state.workers.values():
        for device_id, known in worker.health.items():
            kept = health.cleared(known, wanted)
            if kept is not known:
                emit(e.HealthChanged(worker.worker_id, device_id, kept))


def strike(emit: Emitter, group: Group, attempt: Attempt, cause: Cause) -> str:
    """A case was executing when it was lost. Answers the verdict on it: why it is to blame itself, or nothing."""
    row = BY_CAUSE.get(cause)
    worker = emit.state.workers.get(attempt.worker_id)
    if row is None or not row.suspect_hosts or worker is None or worker.ending:
        return ""
    case = executing(emit, attempt)
    if case is None or case >= len(group.cases) or emit.state.allocations[attempt.allocation_id].canary:
        return ""
    emit(e.CaseStruck(group.run_id, group.group_id, case, worker.worker_id))
    hosts = {_host(emit, worker_id): worker_id for worker_id in group.struck[case]}
    if len(hosts) < row.suspect_hosts:
        return ""
    exonerate(emit, (subject(group, case),))
    return f"{row.name} on {', '.join(sorted(hosts.values()))}: the case is suspected, not the hosts"


def _failed_elsewhere(emit: Emitter, worker: Worker, subjects: tuple[str, ...]) -> bool:
    wanted, own = frozenset(subjects), _host(emit, worker.worker_id)
    return any(
        not wanted.isdisjoint(incident.subjects)
        for other in emit.state.workers.values()
        if _host(emit, other.worker_id) != own
        for known in other.health.values()
        for incident in known.incidents
    )


def _note(emit: Emitter, worker: Worker, device_id: str, row: FailureClass, subjects: tuple[str, ...]) -> None:
    known = worker.health.get(device_id, Health())
    if known.stage in {Stage.WELL, Stage.CAPPED}:
        incident = Incident(emit.now, row.name, row.weight, subjects)
        emit(e.HealthChanged(worker.worker_id, device_id, health.blamed(known, incident)))


def _host(emit: Emitter, worker_id: str) -> str:
    """Workers of one machine have one; of a worker that has not introduced itself only the name is known."""
    worker = emit.state.workers.get(worker_id)
    return (worker.view.host if worker is not None else "") or worker_id
