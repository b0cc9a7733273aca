"""Hosts that failed too much are taken out of service, and are brought back: the closed loop, on the state."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from crossfleet.coordinator.core import canary, health
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.commands import HealthChecked, QuarantineWorker
from crossfleet.coordinator.core.emitter import Emitter, Refused
from crossfleet.coordinator.core.health import Answer, CareForHosts, CarePolicy, Health, Stage
from crossfleet.coordinator.core.model import State, Worker
from crossfleet.coordinator.core.outcomes import WorkerState
from crossfleet.coordinator.core.settling import close

_HEARD = frozenset({WorkerState.READY, WorkerState.QUARANTINED})


def waits_for_care(state: State) -> bool:
    """Whether anything may follow from the passing of time."""
    return any(
        known.out or known.incidents or known.rounds or known.stage is Stage.CAPPED
        for worker in state.workers.values()
        for known in worker.health.values()
    )


def care_for_hosts(emit: Emitter, command: CareForHosts) -> None:
    """Everybody who is out goes a step on; then whoever has failed too much is taken out, the worst first."""
    policy = command.policy
    for worker in list(emit.state.workers.values()):
        for device_id, known in list(worker.health.items()):
            # Nobody who is not heard can answer, and who is drained gets no task: what has a limit waits.
            if worker.state in _HEARD or not known.out:
                _go_on(emit, worker, device_id, known, policy)
    for pool, members in sorted(_pools(emit.state).items()):
        _take_out(emit, pool, members, policy)
    for worker in list(emit.state.workers.values()):
        if worker.state in _HEARD:
            _take_devices_out(emit, worker, policy)


def health_checked(emit: Emitter, command: HealthChecked) -> None:
    """A worker's answer to its test. One to another test than the last is past."""
    worker = emit.state.workers.get(command.worker_id)
    known = worker.health.get(command.device_id) if worker is not None else None
    if known is None or not known.asks or known.request != command.request:
        return
    answer = Answer.GOOD if command.good else Answer.BAD
    emit(e.HealthChanged(command.worker_id, command.device_id, health.answered(known, answer, command.report)))


def quarantine_worker(emit: Emitter, command: QuarantineWorker) -> None:
    """A person doubts a worker. Its rounds begin anew; one that is out already stays where it is."""
    worker = emit.state.workers.get(command.worker_id)
    if worker is None:
        raise Refused("WORKER_NOT_FOUND", f"no worker {command.worker_id}", "worker_id", worker=command.worker_id)
    if not worker.quarantined:
        cause = f"by hand: {command.reason}" if command.reason else "by hand"
        known = health.released(worker.health.get("", Health()), emit.now)
        _put_out(emit, worker, "", health.quarantined(known, emit.now, cause, CarePolicy(), pool_of(worker)))


def release(emit: Emitter, worker: Worker) -> None:
    """A person takes a worker back, with all its devices."""
    for device_id, known in list(worker.health.items()):
        if known.out:
            canary.give_back(emit, known.allocation)
        if known.out or known.rounds or known.incidents:
            emit(e.HealthChanged(worker.worker_id, device_id, health.released(known, emit.now)))


def pool_of(worker: Worker) -> str:
    """The pool of a worker: its label `pool`, or the one that all without it share."""
    host = worker.health.get("")
    return host.pool if host is not None and host.out else worker.view.labels.get("pool", "")


def room(members: int, out: int, serving: int, share: float) -> int:
    """How many more of a pool may be taken out: at least one may be out, and at least one must stay."""
    most = max(1, int(members * share)) if share > 0 else 0
    return max(min(most - out, serving - 1), 0)


def _go_on(emit: Emitter, worker: Worker, device_id: str, known: Health, policy: CarePolicy) -> None:
    current = known
    if current.asks:
        if not worker.checks_health:
            current = health.answered(current, Answer.GOOD, "this version of the worker has no test")
        elif current.until < worker.joined_at + policy.test_seconds:
            # It was asked (again) when it came back.
            current = replace(current, until=worker.joined_at + policy.test_seconds)
    following = health.step(current, emit.now, policy)
    if following.stage is Stage.CANARY and not following.allocation:
        following = canary.begin(emit, worker, device_id, following, policy)
    elif following.stage is not Stage.CANARY:
        canary.give_back(emit, known.allocation)
    if following != known:
        emit(e.HealthChanged(worker.worker_id, device_id, following))


def _pools(state: State) -> dict[str, list[Worker]]:
    pools: dict[str, list[Worker]] = defaultdict(list)
    for worker in state.workers.values():
        if worker.state is not WorkerState.LOST or worker.quarantined:
            pools[pool_of(worker)].append(worker)
    return pools


def _take_out(emit: Emitter, pool: str, members: Sequence[Worker], policy: CarePolicy) -> None:
    wanted = [(worker, worker.health.get("", Health())) for worker in members if worker.state in _HEARD]
    wanted = [(worker, known) for worker, known in wanted if not known.out and health.too_much(known, emit.now, policy)]
    if not wanted:
        return
    out = sum(worker.quarantined for worker in members)
    serving = sum(worker.state is WorkerState.READY for worker in members)
    left = room(len(members), out, serving, policy.share)
    wanted.sort(key=lambda one: -health.score(one[1], emit.now, policy.half_life))
    for worker, known in wanted[:left]:
        cause = _causes(known)
        _put_out(emit, worker, "", health.quarantined(known, emit.now, cause, policy, pool))
    for worker, known in wanted[left:]:
        if known.stage is not Stage.CAPPED:
            text = f"{_causes(known)}; it stays in service, since {out + left} of {len(members)} of its pool are out"
            emit(e.HealthChanged(worker.worker_id, "", health.capped(known, emit.now, text)))


def _take_devices_out(emit: Emitter, worker: Worker, policy: CarePolicy) -> None:
    """Devices of one class on one worker are a pool of their own, but all of them may be out: the host goes on."""
    for device_id, known in list(worker.health.items()):
        if device_id and policy.share > 0 and not known.out and health.too_much(known, emit.now, policy):
            _put_out(emit, worker, device_id, health.quarantined(known, emit.now, _causes(known), policy))


def _causes(known: Health) -> str:
    """What speaks against it, as people read it."""
    counts: dict[str, int] = {}
    for incident in known.incidents:
        counts[incident.cause] = counts.get(incident.cause, 0) + 1
    return ", ".join(f"{cause} {_times(count)}" for cause, count in counts.items())


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _put_out(emit: Emitter, worker: Worker, device_id: str, known: Health) -> None:
    """Tasks that were assigned end normally, then the slots are given back."""
    emit(e.HealthChanged(worker.worker_id, device_id, known))
    what = f"device {device_id} of {worker.worker_id}" if device_id else worker.worker_id
    for allocation_id in sorted(worker.allocations):
        allocation = emit.state.allocations[allocation_id]
        if not allocation.closing and (not device_id or _holds(allocation.device_ids, device_id)):
            close(emit, allocation, f"{what} is quarantined: {known.cause}")


def _holds(granted: Iterable[Iterable[str]], device_id: str) -> bool:
    return any(device_id in devices for devices in granted)
