"""What a scheduler is told: the rows of the simulated fleet as updates, its plans as proposals, and outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import inf

from crossfleet.api.scheduler.v1.scheduler_service_pb2 import (
    WAITING_KIND_NEVER,
    Allocation,
    Delta,
    PlanOutcome,
    ProjectShare,
    Refusal,
    ScheduleRequest,
    ScheduleResponse,
    Snapshot,
    TaskGroup,
)
from crossfleet.api.types.v1.device_pb2 import Worker
from crossfleet.matching.fits import Fits
from crossfleet.matching.messages import portion_messages, request_from, worker_from
from crossfleet.simulation.core import model
from crossfleet.simulation.core.arrivals import Arrival, GroupCame, WorkerCame, WorkerLost
from crossfleet.simulation.core.fleet import Changes
from crossfleet.simulation.core.simulation import Simulation
from crossfleet.simulation.fence import fence_group, fence_worker, is_fence, without_fence
from crossfleet.simulation.trace.messages import group_message, worker_message
from crossfleet.simulation.trace.reading import seconds_of
from crossfleet.simulation.trace.rows import BackRow, GroupRow, Happening, LostRow, PriorityClassRow, WorkerRow

EPOCH = 1_790_000_000.0
"""When each simulation begins, in seconds since 1970."""

# Coordinators tell shares no more often.
_SHARES_SECONDS = 1.0
_SHORT, _MEDIUM = 60.0, 1800.0


class Rows:
    """The messages of workers and groups, by id, as far as they are still needed."""

    def __init__(self, happenings: Iterable[Happening], classes: Mapping[str, PriorityClassRow] | None = None) -> None:
        """Nothing has come yet. `classes` are those of the trace's first line."""
        self._happenings = happenings
        self._classes = classes or {}
        self._workers: dict[str, WorkerRow] = {}
        self.workers: dict[str, Worker] = {}
        self.groups: dict[str, TaskGroup] = {}

    def arrivals(self) -> Iterator[Arrival]:
        """What the trace brings, for the simulation. Raises TraceError."""
        for row in self._happenings:
            match row:
                case WorkerRow():
                    self._workers[row.worker_id] = row
                    yield self._joined(row, row.at)
                case BackRow():
                    yield self._joined(self._workers[row.worker_id], row.at)
                case LostRow():
                    yield WorkerLost(row.at, row.worker_id)
                case GroupRow():
                    yield self._submitted(row)

    def _joined(self, row: WorkerRow, at: float) -> WorkerCame:
        message = self.workers[row.worker_id] = worker_message(row)
        return WorkerCame(at, worker_from(message), row.speed)

    def _submitted(self, row: GroupRow) -> GroupCame:
        known = self._classes.get(row.priority_class)
        message = self.groups[row.group_id] = group_message(row, EPOCH, known)
        request = request_from(message.request, row.selector, row.runner)
        cases = [*seconds_of(row)]
        kind = row.kind or _kind(request.gang > 1, request.exclusive, sum(cases))
        named = (row.at, row.group_id, row.project, kind, message.priority, request, row.setup_seconds, cases)
        deadline = inf if row.deadline is None else row.deadline
        return GroupCame(*named, deadline, _standing(row.priority_class, known))


def _standing(name: str, row: PriorityClassRow | None) -> model.PriorityClass | None:
    if row is None:
        return None
    return model.PriorityClass(name, row.preempts, row.preemptible, row.grace_seconds)


def _kind(gang: bool, exclusive: bool, seconds: float) -> str:
    """The class of a group that has none."""
    if gang or exclusive:
        return "gang" if gang else "exclusive"
    return "short" if seconds < _SHORT else "medium" if seconds < _MEDIUM else "long"


class Teller:
    """Makes the updates of one stream."""

    def __init__(self, simulation: Simulation, rows: Rows, *, snapshots_only: bool, fits: Fits | None = None) -> None:
        """Nothing is told yet. `fits`: of a scheduler that wants some."""
        self._simulation, self._rows = simulation, rows
        self._snapshots_only = snapshots_only
        self._fits = fits
        self.snapshot_next = True
        self.revision = 0
        self._outcomes: list[PlanOutcome] = []
        self._shares_at = -_SHARES_SECONDS
        self._fence = ""

    def update(self) -> ScheduleRequest:
        """What is new, with a fence."""
        self.revision += 1
        now = self._simulation.now
        changes = self._simulation.take_changes()
        made = ScheduleRequest(revision=self.revision, outcomes=self._outcomes, now_unix_seconds=EPOCH + now)
        self._outcomes = []
        fence = fence_group(self.revision, EPOCH + now)
        if self.snapshot_next or self._snapshots_only:
            self._snapshot(made.snapshot)
            made.snapshot.groups.append(fence)
            if self._fits is not None:
                self._fits.add_to(made.snapshot)
        else:
            self._delta(made.delta, changes)
            made.delta.groups.append(fence)
            made.delta.removed_group_ids.append(self._fence)
        self._fence = fence.group_id
        self.snapshot_next = False
        self._forget(changes)
        return made

    def answer(self, outcome: model.Outcome, plan: ScheduleResponse) -> None:
        """Tell with the next update what became of a plan."""
        told = PlanOutcome(plan_id=outcome.plan_id, accepted_allocation_ids=outcome.accepted)
        told.refused.extend(Refusal(index=one.index, reason=one.reason, text=one.text) for one in outcome.refused)
        if plan.allocate:
            self._outcomes.append(without_fence(told, plan))

    def _snapshot(self, made: Snapshot) -> None:
        fleet = self._simulation.fleet
        made.workers.append(fence_worker())
        made.workers.extend(self._rows.workers[name] for name in fleet.workers)
        made.groups.extend(self._group(one) for one in fleet.groups.values())
        made.allocations.extend(_allocation(one) for one in fleet.allocations.values())
        made.shares.extend(self._shares())

    def _delta(self, made: Delta, changes: Changes) -> None:
        fleet = self._simulation.fleet
        for name in changes.workers:
            if name in fleet.workers:
                made.workers.append(self._rows.workers[name])
            else:
                made.removed_worker_ids.append(name)
        for name in changes.groups:
            if name in fleet.groups:
                made.groups.append(self._group(fleet.groups[name]))
            else:
                made.removed_group_ids.append(name)
        for name in changes.allocations:
            if name in fleet.allocations:
                made.allocations.append(_allocation(fleet.allocations[name]))
            else:
                made.removed_allocation_ids.append(name)
        if self._simulation.now - self._shares_at >= _SHARES_SECONDS:
            made.shares.extend(self._shares())

    def _group(self, group: model.Group) -> TaskGroup:
        row = self._rows.groups[group.id]
        row.remaining_cases = len(group.cases)
        row.estimated_seconds = group.cases.seconds
        row.wanted_slots = group.wanted()
        return row

    def _shares(self) -> list[ProjectShare]:
        self._shares_at = now = self._simulation.now
        shares = self._simulation.fleet.accounts.shares(now)
        return [ProjectShare(project=name, weight=weight, used=used) for name, (weight, used) in shares.items()]

    def _forget(self, changes: Changes) -> None:
        fleet, rows = self._simulation.fleet, self._rows
        for name in changes.groups:
            if name not in fleet.groups:
                rows.groups.pop(name, None)


def plan_from(message: ScheduleResponse) -> model.Plan:
    """A plan without its fences."""
    return model.Plan(
        message.plan_id,
        tuple(
            model.Proposal(one.group_id, one.worker_id, one.slots, tuple(one.device_ids), one.gang_id)
            for one in message.allocate
            if not is_fence(one.group_id)
        ),
        tuple(message.revoke_allocation_ids),
        tuple(one.group_id for one in message.waiting if one.kind == WAITING_KIND_NEVER),
    )


def _allocation(one: model.Allocation) -> Allocation:
    return Allocation(
        allocation_id=one.id,
        group_id=one.group.id,
        worker_id=one.worker.view.name,
        slots=len(one.slots),
        device_ids=one.device_ids,
        closing=one.closing is not None,
        portions=portion_messages(one.portions),
    )
