"""Plans of schedulers are judged item by item against the state as it is now."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core import view
from crossfleet.coordinator.core.alternatives import note_place
from crossfleet.coordinator.core.answers import PlanAnswer, Refusal
from crossfleet.coordinator.core.commands import ApplyPlan, ProposedAllocation, WaitingReason
from crossfleet.coordinator.core.deciders import ChangeDecider
from crossfleet.coordinator.core.dispatching import feed_group
from crossfleet.coordinator.core.emitter import Emitter
from crossfleet.coordinator.core.limits import settle_limits
from crossfleet.coordinator.core.model import Group, Worker
from crossfleet.coordinator.core.outcomes import WorkerState
from crossfleet.coordinator.core.places import PortionsTaken
from crossfleet.coordinator.core.preempting import take_back
from crossfleet.coordinator.core.quota import Tally, needs
from crossfleet.coordinator.core.reserving import kept_from
from crossfleet.coordinator.core.seeking import note_models
from crossfleet.coordinator.core.settling import open_allocations, release_dependents
from crossfleet.coordinator.core.sought import request_now
from crossfleet.coordinator.core.stopping import fail_unsatisfiable
from crossfleet.matching.check import check
from crossfleet.matching.free import Free, slot_millicores
from crossfleet.matching.misfit import Misfit, Wait
from crossfleet.matching.model import Portions
from crossfleet.matching.portions import portions_of, together

FED_AT_ONCE = 128
"""Slots that get work in one turn by a part of a plan."""
_MAX_ITEMS = 100_000


@dataclass(frozen=True, slots=True)
class _Grant:
    """A proposal that holds."""

    group: Group
    worker: Worker
    slots: tuple[int, ...]
    device_ids: tuple[tuple[str, ...], ...]
    portions: tuple[Portions, ...]


class _Books:
    """What is free on each worker, and wanted by each group, less what this plan was granted so far."""

    def __init__(self, emit: Emitter, proposals: tuple[ProposedAllocation, ...]) -> None:
        self._state = emit.state
        self._free: dict[str, Free] = {}
        self._taken: dict[str, set[int]] = {}
        self._wanted: dict[str, int] = {}
        self._units: dict[str, int] = {}
        self._tallies: dict[str, Tally] = {}
        # Of a limited project, what was offered before the plan took anything: so much a scheduler may rightly ask for.
        for group in filter(None, (emit.state.groups.get(item.group_id) for item in proposals)):
            if emit.state.runs[group.run_id].project in emit.state.quotas:
                self.wanted(group)

    def free(self, worker: Worker) -> Free:
        return view.free_beside(self._state, worker, self._alone)

    def _alone(self, worker: Worker) -> Free:
        if worker.worker_id not in self._free:
            self._free[worker.worker_id] = view.free_alone(self._state, worker)
        return self._free[worker.worker_id]

    def taken(self, worker: Worker) -> set[int]:
        if worker.worker_id not in self._taken:
            held = (self._state.allocations[allocation_id].held for allocation_id in worker.allocations)
            self._taken[worker.worker_id] = {number for slots in held for number in slots}
        return self._taken[worker.worker_id]

    def wanted(self, group: Group) -> int:
        if group.group_id not in self._wanted:
            self._wanted[group.group_id] = view.wanted_slots(self._state, group)
        return self._wanted[group.group_id]

    def units(self, name: str) -> int:
        """What nobody holds of a semaphore."""
        return self._units.setdefault(name, view.free_units(self._state, name))

    def over_quota(self, group: Group, slots: int) -> str:
        """What so many slots more would exceed of the quota of the group's project; empty where they may be given."""
        project = self._state.runs[group.run_id].project
        quota = self._state.quotas.get(project)
        if quota is None:
            return ""
        tally = self._tally(project)
        for name, amount, most in needs(quota, tally, group.target.devices, slots, group.run_id):
            if amount > most - tally.held(name):
                return f"project {project} has {tally.held(name)} of {most} {name} of its quota"
        return ""

    def _tally(self, project: str) -> Tally:
        if project not in self._tallies:
            self._tallies[project] = self._state.tallies.get(project, Tally()).copy()
        return self._tallies[project]

    def book(self, grant: _Grant) -> None:
        request = grant.group.target.request
        flat = tuple(dict.fromkeys(device for slot in grant.device_ids for device in slot))
        worker = grant.worker
        portions = together(one for slot in grant.portions for one in slot)
        left = self._alone(worker).minus(request, len(grant.slots), flat, worker.view, portions)
        self._free[worker.worker_id] = left
        self.taken(worker).update(grant.slots)
        self._wanted[grant.group.group_id] = self.wanted(grant.group) - len(grant.slots)
        for name, each in request.semaphores:
            self._units[name] = self.units(name) - each * len(grant.slots)
        run = self._state.runs[grant.group.run_id]
        if run.project in self._state.quotas:
            self._tally(run.project).take(grant.group.target.devices, len(grant.slots), run.run_id)

    def copy(self) -> _Books:
        twin = _Books.__new__(_Books)
        twin._state = self._state  # noqa: SLF001
        twin._free = dict(self._free)  # noqa: SLF001
        twin._taken = {name: set(taken) for name, taken in self._taken.items()}  # noqa: SLF001
        twin._wanted = dict(self._wanted)  # noqa: SLF001
        twin._units = dict(self._units)  # noqa: SLF001
        twin._tallies = {name: tally.copy() for name, tally in self._tallies.items()}  # noqa: SLF001
        return twin


def apply_plan(emit: Emitter, command: ApplyPlan) -> PlanAnswer:
    """Commit what holds, refuse the rest with a reason each; a gang is committed whole or not at all."""
    for allocation_id in command.revoke:
        allocation = emit.state.allocations.get(allocation_id)
        if allocation is not None and not allocation.closing:
            take_back(emit, allocation)
    refused: list[Refusal] = []
    accepted: list[str] = []
    books = _Books(emit, command.allocate[:_MAX_ITEMS])
    for items in _units(command.allocate):
        trial = books.copy() if len(items) > 1 else books
        grants = _judge_unit(emit, trial, items, refused)
        if grants:
            books = trial
            accepted.extend(_open(emit, grant) for grant in grants)
    unfed = _feed(emit, command)
    if accepted:
        settle_limits(emit)
        refused = _excused(emit, command.allocate, accepted, refused)
    for reason in command.waiting:
        _note_waiting(emit, reason)
    fail_unsatisfiable(emit)
    return PlanAnswer(command.plan_id, tuple(accepted), tuple(sorted(refused, key=lambda one: one.index)), unfed)


def _feed(emit: Emitter, command: ApplyPlan) -> tuple[str, ...]:
    """When all that the plan gives a group is there: each look is at every slot that it has, and what these get depends on how
    many they are. What an earlier part gave it waits for that, also where the last one gives nothing.

    Answers which groups may have slots that get nothing yet, since others got much.
    """
    left = FED_AT_ONCE if command.in_parts else None
    unfed = []
    for group_id in dict.fromkeys((*(item.group_id for item in command.allocate), *command.feed)):
        group = emit.state.groups.get(group_id)
        if group is not None and group.given and group_id not in command.unfinished:
            before = len(group.attempts)
            if left is None or left > 0:
                feed_group(emit, group, left)
            if left is not None:
                left -= len(group.attempts) - before
                if left <= 0:
                    unfed.append(group_id)
    return tuple(unfed)


def _excused(
    emit: Emitter, proposals: Sequence[ProposedAllocation], accepted: Collection[str], refused: list[Refusal]
) -> list[Refusal]:
    """Where what was opened changes what others of its run ask for, these may begin, or ask for something else than was proposed."""
    opened = {emit.state.allocations[one].run_id for one in accepted if one in emit.state.allocations}
    shifting = [run_id for run_id in sorted(opened) if run_id in emit.state.runs and emit.state.runs[run_id].shifting]
    for run_id in shifting:
        release_dependents(emit, run_id)
    groups = {group_id for run_id in shifting for group_id in emit.state.runs[run_id].groups}
    return [replace(one, excused=proposals[one.index].group_id in groups) for one in refused] if groups else refused


def change_decider(emit: Emitter, command: ChangeDecider) -> None:
    """Tell of groups that are open under whom they are, where that is new."""
    for group_id in command.groups:
        group = emit.state.groups.get(group_id)
        if group is not None and not group.over and group.under_fallback is not command.fallback:
            emit(e.DeciderChanged(group.run_id, group_id, command.scheduler, command.fallback, command.cause, emit.now))


def _units(proposals: tuple[ProposedAllocation, ...]) -> list[list[tuple[int, ProposedAllocation]]]:
    """Proposals with their index; those of one gang together, at the place of its first."""
    units: dict[str, list[tuple[int, ProposedAllocation]]] = {}
    for index, item in enumerate(proposals[:_MAX_ITEMS]):
        units.setdefault(f"gang {item.gang_id}" if item.gang_id else f"{index}", []).append((index, item))
    return list(units.values())


def _judge_unit(
    emit: Emitter, books: _Books, items: list[tuple[int, ProposedAllocation]], refused: list[Refusal]
) -> list[_Grant]:
    grants: list[_Grant] = []
    for index, item in items:
        judged = _judge(emit, books, item)
        if isinstance(judged, _Grant):
            books.book(judged)
            grants.append(judged)
            continue
        refused.append(Refusal(index, *judged))
        others = [other for other, _ in items if other != index]
        text = f"its gang {item.gang_id} is not complete: {judged[1]}"
        refused.extend(Refusal(other, "GANG_INCOMPLETE", text) for other in others)
        return []
    lacking = _lacking(grants)
    if lacking:
        refused.extend(Refusal(index, "GANG_INCOMPLETE", lacking) for index, _ in items)
        return []
    return grants


def _lacking(grants: list[_Grant]) -> str:
    """What a unit lacks of the gangs that its groups are; empty when they are whole."""
    for group in {grant.group.group_id: grant.group for grant in grants}.values():
        request = group.target.request
        if request.gang > 1:
            slots = {grant.worker.worker_id: len(grant.slots) for grant in grants if grant.group is group}
            whole = sum(slots.values()) == view.gang_slots(request) and len(slots) == request.gang
            if not whole or len(set(slots.values())) > 1:
                each = max(request.slots_min, 1)
                return (
                    f"group {group.group_id} is a gang: {each} slots on each of {request.gang} workers, in one gang_id"
                )
    return ""


def _judge(emit: Emitter, books: _Books, item: ProposedAllocation) -> _Grant | tuple[str, str]:
    """The grant, or reason and text."""
    group = emit.state.groups.get(item.group_id)
    if group is None or group.over:
        return "GROUP_NOT_OPEN", f"group {item.group_id} is not open"
    if group.held_back:
        return "GROUP_NOT_OPEN", f"group {item.group_id} is held back: {group.waiting_text}"
    worker = emit.state.workers.get(item.worker_id)
    if worker is None:
        return "WORKER_NOT_FOUND", f"no worker {item.worker_id}"
    if worker.state is not WorkerState.READY:
        return "WORKER_NOT_SCHEDULABLE", f"worker {item.worker_id} is {worker.state.name.lower()}"
    reserved = kept_from(emit.state, worker.worker_id, emit.state.runs[group.run_id].project)
    if reserved is not None:
        return "RESERVED", f"worker {item.worker_id} is reserved for project {reserved.project}"
    if group.failures and worker.worker_id in group.avoid and open_allocations(emit, group):
        return (
            "RESOURCES_UNAVAILABLE",
            f"group {item.group_id} could not begin on {item.worker_id}, and holds slots elsewhere",
        )
    wanted = books.wanted(group)
    if item.slots > wanted:
        return "RESOURCES_UNAVAILABLE", f"group {item.group_id} wants {max(wanted, 0)} more slots, not {item.slots}"
    exceeded = books.over_quota(group, item.slots)
    if exceeded:
        return "QUOTA_EXCEEDED", exceeded
    for name, each in group.target.request.semaphores:
        if each * item.slots > books.units(name):
            left = max(books.units(name), 0)
            return (
                "RESOURCES_UNAVAILABLE",
                f"{item.slots} slots need {each * item.slots} of semaphore {name}: {left} is free",
            )
    asked = request_now(emit.state, group)
    found = check(asked, worker.view, books.free(worker), item.slots, item.device_ids, emit.state.selectors)
    if isinstance(found, Misfit):
        never = found.wait is Wait.NEVER
        return ("REQUEST_NOT_SATISFIED" if never else "RESOURCES_UNAVAILABLE"), found.text
    taken = books.taken(worker)
    slots = tuple(number for number in range(worker.view.slots_total) if number not in taken)[: item.slots]
    if len(slots) < item.slots:
        return "RESOURCES_UNAVAILABLE", f"worker {item.worker_id} has {len(slots)} of {item.slots} slots free"
    return _Grant(group, worker, slots, found, portions_of(group.target.request, found, worker.view))


def _open(emit: Emitter, grant: _Grant) -> str:
    group, worker = grant.group, grant.worker
    allocation_id = f"a{emit.state.next_allocation}"
    cores = slot_millicores(group.target.request, worker.view) / 1000
    emit(
        e.AllocationOpened(
            group.run_id,
            group.group_id,
            allocation_id,
            worker.worker_id,
            grant.slots,
            grant.device_ids,
            cores,
            emit.now,
        )
    )
    if grant.portions:
        emit(PortionsTaken(group.run_id, allocation_id, grant.portions))
    note_place(emit, group, worker, allocation_id)
    note_models(emit, group, worker, allocation_id)
    if group.given:
        emit(e.AllocationReady(group.run_id, allocation_id))
    return allocation_id


def _note_waiting(emit: Emitter, reason: WaitingReason) -> None:
    group = emit.state.groups.get(reason.group_id)
    if group is None or group.over or group.held_back:
        return
    if (group.never, group.waiting_code, group.waiting_text) != (reason.never, reason.code, reason.text):
        emit(e.GroupWaiting(group.run_id, group.group_id, reason.never, reason.code, reason.text, emit.now))
