"""Makes a trace of runs that a fleet has carried out, through its public interface.

Seconds are those that were measured, so that each worker counts as one of speed 1. A worker that is gone since is made of the
slots that were used of it. Set-up and losses come from the event log, as far back as that is kept.
"""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from crossfleet.api.coordinator.v1.admin_service_pb2 import PriorityClass
from crossfleet.api.types.v1.device_pb2 import AttributeValue, Worker
from crossfleet.api.types.v1.run_pb2 import RUN_STATE_FINISHED, Run
from crossfleet.api.types.v1.suite_pb2 import Request, Target
from crossfleet.client import Client
from crossfleet.foundation.errors import InvalidArgument
from crossfleet.simulation.logged import Logged
from crossfleet.simulation.trace.rows import (
    DeviceRequestRow,
    DeviceRow,
    GroupRow,
    PriorityClassRow,
    RequestRow,
    Row,
    Trace,
    VersionValue,
    WorkerRow,
)

_LEAST_SECONDS = 0.001
"""What was skipped takes none, and yet it is a case."""


async def record(client: Client, run_ids: Sequence[str], last: int = 0) -> list[Row]:
    """The trace of these runs, or of the `last` ones that have finished. Raises the fleet's errors, InvalidArgument."""
    runs = [await client.runs.get(run_id) for run_id in run_ids] or await _last(client, last)
    runs = sorted(
        (one for one in runs if one.state == RUN_STATE_FINISHED), key=lambda one: one.created_at.ToNanoseconds()
    )
    if not runs:
        raise InvalidArgument("none of these runs has finished: a trace is made of what cases took")
    workers = {status.worker.worker_id: _worker(status.worker) async for status in client.fleet.workers()}
    slots: dict[str, int] = {}
    groups: list[GroupRow] = []
    logged = Logged()
    async for event in client.events.stored():
        logged.take(event)
    classes = {one.name: _class(one) for one in await client.admin.priority_classes()}
    for run in runs:
        seconds: dict[str, list[float]] = {}
        async for case in client.runs.cases(run.run_id):
            if case.worker_id:
                seconds.setdefault(case.target, []).append(round(max(case.seconds, _LEAST_SECONDS), 6))
                slots[case.worker_id] = max(slots.get(case.worker_id, 0), case.slot + 1)
        groups += _groups(run, seconds, runs[0], logged, classes)
    runners = sorted({one.runner for one in groups})
    for name, number in slots.items():
        workers.setdefault(name, WorkerRow(0.0, name, number, runners=runners))
    begin, end = _unix(runs[0].created_at), max(_unix(run.finished_at) for run in runs)
    happened = [*groups, *logged.losses(begin, end, workers)]
    used = {one.priority_class for one in groups}
    first = Trace(
        title=f"{len(runs)} recorded runs",
        priority_classes={name: one for name, one in classes.items() if name in used},
    )
    return [first, *workers.values(), *sorted(happened, key=lambda row: row.at)]


def _unix(at: Timestamp) -> float:
    return at.ToNanoseconds() / 1e9


async def _last(client: Client, most: int) -> list[Run]:
    found: list[Run] = []
    async for run in client.runs.list(states=[RUN_STATE_FINISHED]):
        found.append(run)
        if len(found) >= most:
            break
    return found


def _groups(
    run: Run,
    seconds: dict[str, list[float]],
    first: Run,
    logged: Logged,
    classes: dict[str, PriorityClassRow],
) -> list[GroupRow]:
    """A class that there is no more leaves its runs their priority."""
    policy = run.spec.policy
    named = policy.priority_class if policy.priority_class in classes else ""
    due = _unix(run.deadline) - _unix(first.created_at) if run.HasField("deadline") else 0.0
    targets = {one.name: one for one in run.spec.targets}
    at = _unix(run.created_at) - _unix(first.created_at)
    found = []
    for status in run.targets:
        target = targets.get(status.name, Target())
        if seconds.get(status.name):
            found.append(
                GroupRow(
                    at=round(at, 3),
                    group_id=status.group_id or f"{run.run_id}/{status.name}",
                    run_id=run.run_id,
                    cases=[*seconds[status.name]],
                    project=run.spec.project or "default",
                    target=status.name,
                    selector=target.selector,
                    request=_request(target.request),
                    priority=0 if named else policy.priority,
                    runner=run.spec.suite.runner or "pytest",
                    setup_seconds=logged.setup(run.run_id, status.name),
                    priority_class=named,
                    deadline=round(due, 3) if due > 0 else None,
                )
            )
    return found


def _class(one: PriorityClass) -> PriorityClassRow:
    grace = one.grace.ToNanoseconds() / 1e9 if one.HasField("grace") else None
    return PriorityClassRow(one.priority, one.preempts, one.preemptible, grace)


def _request(one: Request) -> RequestRow:
    return RequestRow(
        cpu_cores=one.cpu_cores,
        memory_bytes=one.memory_bytes,
        devices=[
            DeviceRequestRow(each.device_class, each.selector, each.count or 1, dict(each.capacities))
            for each in one.devices
        ],
        slots_min=one.slots_min,
        slots_max=one.slots_max,
        exclusive=one.exclusive,
        tolerations=[*one.tolerations],
        gang=one.gang,
    )


def _worker(one: Worker) -> WorkerRow:
    return WorkerRow(
        at=0.0,
        worker_id=one.worker_id,
        slots=max(one.slots, 1),
        cpu_cores=one.cpu_cores,
        memory_bytes=one.memory_bytes,
        labels=dict(one.labels),
        taints=[*one.taints],
        runners=[*one.runners] or ["pytest"],
        devices=[
            DeviceRow(
                each.device_id,
                each.device_class,
                {name: value for name, kept in each.attributes.items() if (value := _value(kept)) is not None},
                dict(each.capacities),
                shareable=each.shareable,
            )
            for each in one.devices
        ],
    )


def _value(one: AttributeValue) -> bool | float | str | list[str] | VersionValue | None:
    kind = one.WhichOneof("kind")
    if kind is None:
        return None
    if kind == "list_value":
        return [*one.list_value.values]
    if kind == "version_value":
        return VersionValue(one.version_value)
    value: bool | float | str = getattr(one, kind)
    return value
