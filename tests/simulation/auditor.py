"""Reads the facts of every commit and keeps its own, much simpler books: what they say must hold after each step."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.commands import Need
from crossfleet.coordinator.core.failures import RETRIED
from crossfleet.coordinator.core.last_cases import CopyAssigned, CopyEnded, SlotsGivenBack
from crossfleet.coordinator.core.outcomes import BAD, Cause, Outcome, RunVerdict
from crossfleet.coordinator.core.override import DeviceOverridden
from crossfleet.coordinator.core.places import AllocationPlaced, PortionsTaken
from crossfleet.coordinator.core.quota import Quota, QuotaSet
from crossfleet.coordinator.core.reservation import Reservation, ReservationChanged, ReservationEnded
from crossfleet.coordinator.core.semaphore import SemaphoreSet
from crossfleet.coordinator.ledger import codec
from crossfleet.coordinator.ledger.loading import rebuild
from crossfleet.coordinator.ledger.store import Batch
from crossfleet.matching.model import Portions
from crossfleet.worker.core.records import Kind, Outgoing
from tests.simulation.fold import difference
from tests.simulation.leading import POLICY
from tests.simulation.suites import PROJECT

_SILENT = "nothing was heard"
_PATIENT = 0.8  # of a lease: clocks may be fast


@dataclass(slots=True)
class AuditedGroup:
    """Cases by id, the verdict of each, and by index the outcomes after which it was run again."""

    run_id: str
    cases: list[str] = field(default_factory=list)
    verdicts: dict[int, int] = field(default_factory=dict)
    failures: dict[int, list[int]] = field(default_factory=dict)
    struck: dict[int, set[str]] = field(default_factory=dict)
    most_reruns: int = 0
    over: bool = False
    passed: bool = False
    begun: bool = False
    skipped: bool = False
    needs: tuple[Need, ...] = ()
    speculate: int = 0
    copied: set[int] = field(default_factory=set)
    by_copy: set[int] = field(default_factory=set)
    semaphores: dict[str, int] = field(default_factory=dict)
    exclusive: bool = False
    near: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()
    hosts: set[str] = field(default_factory=set)
    """Where it has or had slots."""
    alternatives: dict[str, int] = field(default_factory=dict)
    """By allocation that is open."""


@dataclass(slots=True)
class AuditedAttempt:
    """A live attempt, with its cases that were not given back to be run again."""

    group_id: str
    allocation_id: str
    worker_id: str
    slot: int
    cases: tuple[int, ...]
    copy: bool = False


class Auditor:
    """`committed` is called within the store, `told` by whoever publishes, `acknowledged` and `answered` at the far end."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self.seq = 0
        self.epoch = 0
        self.groups: dict[str, AuditedGroup] = {}
        self.runs: dict[str, e.RunFinished | None] = {}
        self.requests: dict[str, str] = {}
        self.allocations: dict[str, e.AllocationOpened] = {}
        self.portions: dict[str, dict[int, Portions]] = {}
        self.attempts: dict[int, AuditedAttempt] = {}
        self.seen: Counter[str] = Counter()
        self.out: set[str] = set()
        self.canaries: dict[str, int] = {}
        self.capacities: dict[str, int] = {}
        self.reserved: dict[str, Reservation] = {}
        self.hidden: set[str] = set()
        self.quota = Quota(PROJECT)
        self._begun_runs: set[str] = set()
        self._doubtful: set[str] = set()
        self._failures: Counter[str] = Counter()
        self._stored: dict[int, list[str]] = {}
        self._assigned: set[int] = set()
        self._told: dict[int, int] = {}
        self._collections: dict[str, list[str]] = {}
        self._stopping: set[str] = set()
        self._closing: set[str] = set()
        self._leaving: set[tuple[str, int]] = set()
        self._opened: set[str] = set()
        self._random = world.chance.stream("auditor")

    def committed(self, batch: Batch) -> None:
        """One commit, as it stands in the store."""
        if batch.seq != self.seq + 1:
            self._wrong(f"commit {batch.seq} follows {self.seq}")
        if batch.epoch < self.epoch:
            self._wrong(f"epoch {batch.epoch} wrote after {self.epoch} had")
        if batch.epoch != self._world.store.head().epoch:
            self._wrong(f"epoch {batch.epoch} wrote under epoch {self._world.store.head().epoch}")
        self.seq, self.epoch = batch.seq, batch.epoch
        numbered: list[tuple[int, e.Event]] = []
        for write in batch.writes:
            if write.table == "collections":
                for row in write.rows:
                    self._collections[row["digest"]] = [case.case_id for case in codec.decode_cases(row["cases"])]
            if write.table == "events":
                for row in write.rows:
                    numbered += codec.decode_events(row["body"])
        numbered.sort(key=lambda one: one[0])
        self._stored[batch.seq] = [type(event).__name__ for _, event in numbered]
        self._world.note("commit", batch.epoch, batch.seq, ",".join(self._stored[batch.seq]))
        for _, event in numbered:
            self.seen[type(event).__name__] += 1
            check = getattr(self, f"_{type(event).__name__}", None)
            if check is not None:
                check(event)
        for worker_id in sorted(self._opened):
            self._check_devices(worker_id)
        self._opened.clear()
        self._check_copies()
        if self._doubtful:
            self._wrong(f"{sorted(self._doubtful)} were opened on hosts that are out")

    def told(self, leading: Any, committed: Any) -> None:
        """A commit is published: it must be stored, be the next, and the state must be the fold of all that is stored."""
        names = [type(event).__name__ for event in committed.events]
        if self._stored.get(committed.seq) != names:
            self._wrong(f"epoch {leading.number} told commit {committed.seq}, which is not what is stored")
        before = self._told.get(leading.number)
        if before is not None and committed.seq != before + 1:
            self._wrong(f"watchers of epoch {leading.number} saw {committed.seq} after {before}")
        self._told[leading.number] = committed.seq
        if committed.seq == self.seq and self._random.random() < self._world.fold_rate:
            found = difference(rebuild(self._world.store.load()), leading.writer.state)
            if found:
                self._wrong(f"the state of epoch {leading.number} is not the fold of its facts: {found}")

    def acknowledged(self, worker: str, message: Outgoing) -> None:
        """A worker forgets a message: what it said must be in the store, or be of no interest any more."""
        if message.kind is Kind.FINISHED and message.attempt in self._live(worker):
            self._wrong(f"the end of attempt {message.attempt} was acknowledged and is not stored")
        opened = self.allocations.get(message.allocation) if message.kind is Kind.ENDED else None
        if opened is not None and opened.worker_id == worker:
            self._wrong(f"the end of allocation {message.allocation} was acknowledged and is not stored")
        attempt = self._live(worker).get(message.attempt) if message.kind is Kind.RESULTS else None
        if attempt is None:
            return
        group = self.groups[attempt.group_id]
        suite = self._world.suite_of(group.run_id)
        for part in message.parts:
            number: Any = part
            case_id = suite.collection(worker)[number.case_index]
            index = group.cases.index(case_id) if case_id in group.cases else -1
            if index in attempt.cases and index not in group.verdicts:
                self._wrong(f"a result of {case_id} in attempt {message.attempt} was acknowledged and is not stored")

    def answered(self, request_id: str, run_id: str) -> None:
        """A client was told which run its request made."""
        if self.requests.get(request_id) != run_id:
            self._wrong(f"{request_id} was answered with {run_id}; stored is {self.requests.get(request_id)}")

    def cancelled(self, worker: str, attempt: int) -> None:
        """A worker was told to end an attempt: nothing that counts is taken from under it."""
        if attempt in self._live(worker):
            self._wrong(f"{worker} was told to cancel attempt {attempt}, which is current")

    def closed(self, worker: str, allocation: str) -> None:
        """A worker was told to give an allocation back."""
        opened = self.allocations.get(allocation)
        if opened is not None and opened.worker_id == worker and allocation not in self._closing:
            self._wrong(f"{worker} was told to close {allocation}, which is current")

    def stopped(self, run_id: str) -> None:
        """A client was told that its run is being stopped."""
        if run_id not in self._stopping and self.runs[run_id] is None:
            self._wrong(f"{run_id} was said to stop, and nothing of it is stored")

    def finish(self) -> None:
        """At the very end: every run has its verdict, which follows from those of its cases."""
        for run_id, finished in self.runs.items():
            if finished is None:
                self._wrong(f"{run_id} did not finish")
                continue
            groups = [group for group in self.groups.values() if group.run_id == run_id]
            for group in groups:
                forgotten = [index for index in group.failures if group.verdicts[index] not in {*BAD, Outcome.FLAKY}]
                if forgotten:
                    self._wrong(f"cases {forgotten} of {run_id} failed first, and nothing says so")
            bad = sum(verdict in BAD for group in groups for verdict in group.verdicts.values())
            if finished.verdict == RunVerdict.PASSED and bad:
                self._wrong(f"{run_id} passed with {bad} bad cases")

    def _live(self, worker: str) -> dict[int, AuditedAttempt]:
        return {number: one for number, one in self.attempts.items() if one.worker_id == worker}

    def _wrong(self, text: str) -> None:
        self._world.violate(text)

    def _RunSubmitted(self, event: e.RunSubmitted) -> None:
        if event.request_id in self.requests:
            self._wrong(f"{event.request_id} made a second run {event.run_id}")
        self.requests[event.request_id] = event.run_id
        self.runs[event.run_id] = None
        for target in event.targets:
            group = AuditedGroup(
                event.run_id,
                most_reruns=event.policy.max_reruns,
                speculate=event.policy.speculate,
                needs=target.needs,
                semaphores=dict(target.request.semaphores),
                near=target.template.near if target.template else (),
                apart=target.template.apart if target.template else (),
                exclusive=target.request.exclusive,
            )
            self.groups[f"{event.run_id}/{target.name}"] = group

    def _RunStopping(self, event: e.RunStopping) -> None:
        self._stopping.add(event.run_id)

    def _CasesCollected(self, event: e.CasesCollected) -> None:
        if self.groups[event.group_id].cases:
            self._wrong(f"{event.group_id} was collected twice")
        self.groups[event.group_id].cases = list(self._collections[event.digest])

    def _AllocationOpened(self, event: e.AllocationOpened) -> None:
        host = self._world.host(event.worker_id)
        if not event.slots or not set(event.slots) <= set(range(host.identity.slots)):
            self._wrong(f"{event.allocation_id} has slots {event.slots} of {host.identity.slots}")
        devices = [device for slot in event.device_ids for device in slot]
        for other in self.allocations.values():
            alone = self.groups[event.group_id].exclusive or self.groups[other.group_id].exclusive
            if alone and self._world.share_a_host(event.worker_id, other.worker_id):
                self._wrong(f"{event.allocation_id} shares its host with {other.allocation_id}")
            if other.worker_id != event.worker_id:
                continue
            if set(other.slots) & set(event.slots):
                self._wrong(f"{event.allocation_id} shares slots with {other.allocation_id}")
        known = {device.device_id for device in host.devices}
        if not set(devices) <= known:
            self._wrong(f"{event.allocation_id} has devices {devices} of {sorted(known)}")
        self._opened.add(event.worker_id)
        if self.hidden & set(devices):
            self._wrong(f"{event.allocation_id} has hidden devices of {devices}")
        if event.group_id.endswith("/gpu") and len(devices) != len(event.slots):
            self._wrong(f"{event.allocation_id} has {len(devices)} devices for {len(event.slots)} slots")
        self.allocations[event.allocation_id] = event
        self._begun(event.group_id)
        self._placed(event)
        self._within_quota(event)
        others = [one.project for one in self.reserved.values() if event.worker_id in one.worker_ids]
        if any(project != PROJECT for project in others):
            self._wrong(f"{event.allocation_id} is on {event.worker_id}, which is reserved for {others}")
        if event.worker_id in self.out:
            self._doubtful.add(event.allocation_id)

    def _PortionsTaken(self, event: PortionsTaken) -> None:
        opened = self.allocations[event.allocation_id]
        self.portions[event.allocation_id] = dict(zip(opened.slots, event.portions, strict=True))

    def _check_devices(self, worker_id: str) -> None:
        """Each device is held by one slot alone, or in portions that are no more than it has."""
        whole, parts = Counter[str](), Counter[str]()
        for one in (one for one in self.allocations.values() if one.worker_id == worker_id):
            for slot, ids in zip(one.slots, one.device_ids, strict=False):
                mine = dict(self.portions.get(one.allocation_id, {}).get(slot, ()))
                for device in ids:
                    (parts if device in mine else whole)[device] += dict(mine.get(device, ())).get("memory", 1)
        memory = {
            device.device_id: device.capacities.get("memory", 0) for device in self._world.host(worker_id).devices
        }
        if any(number > 1 for number in whole.values()) or whole.keys() & parts.keys():
            self._wrong(f"{worker_id} gives devices twice: {whole} whole, {parts} in portions")
        if any(amount > memory[device] for device, amount in parts.items()):
            self._wrong(f"{worker_id} gives {parts} of {memory}")

    def _placed(self, event: e.AllocationOpened) -> None:
        """A group is where those are that it is to be near to, and where none is that it keeps away from."""
        group, run_id = self.groups[event.group_id], event.run_id
        for name in group.near:
            beside = self.groups[f"{run_id}/{name}"]
            if not beside.hosts and not beside.over:
                self._wrong(f"{event.group_id} was begun before {name}, which it is to be near to")
            if beside.hosts and event.worker_id not in beside.hosts:
                self._wrong(f"{event.allocation_id} is on {event.worker_id}, and {name} never was")
        for name in group.apart:
            shared = [one for one in self._open(f"{run_id}/{name}") if one.worker_id == event.worker_id]
            if shared:
                self._wrong(f"{event.allocation_id} is on {event.worker_id}, and so is {name}")
        group.hosts.add(event.worker_id)

    def _open(self, group_id: str) -> list[e.AllocationOpened]:
        return [one for one in self.allocations.values() if one.group_id == group_id]

    def _AllocationPlaced(self, event: AllocationPlaced) -> None:
        alternatives = self.groups[event.group_id].alternatives
        alternatives[event.allocation_id] = event.alternative
        live = {one.allocation_id for one in self._open(event.group_id)}
        found = {number for allocation_id, number in alternatives.items() if allocation_id in live}
        if len(found) > 1:
            self._wrong(f"{event.group_id} has slots by alternatives {sorted(found)} at once")

    def _begun(self, group_id: str) -> None:
        """A group has got slots: what it needs is over, and there is enough of what it holds."""
        group = self.groups[group_id]
        if not group.begun and (unmet := self._unmet(group)):
            self._wrong(f"{group_id} was begun before {unmet}")
        group.begun = True
        for name in group.semaphores:
            held = sum(
                self.groups[one.group_id].semaphores.get(name, 0) * len(one.slots) for one in self.allocations.values()
            )
            if held > self.capacities.get(name, 0):
                self._wrong(f"{held} of {name} are held, there are {self.capacities.get(name, 0)}")

    def _within_quota(self, event: e.AllocationOpened) -> None:
        """A project gets nothing beyond its quota, whatever it held when that was lowered: all that is simulated is of one."""
        quota, held = self.quota, list(self.allocations.values())
        slots = sum(len(one.slots) for one in held)
        gpus = sum(len(ids) for one in held for ids in one.device_ids)
        if event.run_id not in self._begun_runs:
            self._begun_runs.add(event.run_id)
            begun = sum(self.runs[run_id] is None for run_id in self._begun_runs)
            if quota.runs is not None and begun > quota.runs:
                self._wrong(f"{begun} runs have begun, the quota is {quota.runs}")
        if quota.slots is not None and slots > quota.slots:
            self._wrong(f"{slots} slots are held, the quota is {quota.slots}")
        if any(event.device_ids) and gpus > dict(quota.devices).get("gpu", gpus):
            self._wrong(f"{gpus} devices are held, the quota is {quota.devices}")

    def _QuotaSet(self, event: QuotaSet) -> None:
        self.quota = event.quota

    def _unmet(self, group: AuditedGroup) -> list[str]:
        """Needs of a group that are not over as they must be."""
        needed = {need.target: (need, self.groups[f"{group.run_id}/{need.target}"]) for need in group.needs}
        return [name for name, (need, one) in needed.items() if not one.over or (need.passed and not one.passed)]

    def _GroupSkipped(self, event: e.GroupSkipped) -> None:
        group = self.groups[event.group_id]
        group.skipped = True
        if group.begun or not self._unmet(group):
            self._wrong(f"{event.group_id} was skipped for no reason")

    def _ReservationChanged(self, event: ReservationChanged) -> None:
        self.reserved[event.reservation.reservation_id] = event.reservation

    def _ReservationEnded(self, event: ReservationEnded) -> None:
        del self.reserved[event.reservation_id]

    def _DeviceOverridden(self, event: DeviceOverridden) -> None:
        if event.override is not None and event.override.hidden:
            self.hidden.add(event.device_id)
        else:
            self.hidden.discard(event.device_id)

    def _SemaphoreSet(self, event: SemaphoreSet) -> None:
        self.capacities[event.name] = event.capacity

    def _CanaryOpened(self, event: e.CanaryOpened) -> None:
        if event.allocation_id not in self._doubtful:
            self._wrong(f"{event.allocation_id} is the canary of a host that is in service")
        self._doubtful.discard(event.allocation_id)
        self.canaries[event.allocation_id] = 0

    def _HealthChanged(self, event: e.HealthChanged) -> None:
        """No more than the policy's share are out but by hand, and one at least stays."""
        if event.device_id:
            return
        if not event.health.out:
            self.out.discard(event.worker_id)
        elif event.worker_id not in self.out:
            self.out.add(event.worker_id)
            hosts = len(self._world.hosts)
            if len(self.out) > max(1, int(hosts * POLICY.share)) or len(self.out) >= hosts:
                self._wrong(f"{sorted(self.out)} of {hosts} hosts are out")
            if not self._failures[event.worker_id]:
                self._wrong(f"{event.worker_id} is out, and nothing failed there")

    def _WorkerGone(self, event: e.WorkerGone) -> None:
        """Who takes over gives every worker a lease to come back in."""
        given = self._world.terms.led_for()
        if event.cause.startswith(_SILENT) and given < _PATIENT * self._world.lease:
            self._wrong(f"{event.worker_id} is given up {given:.3f} s after a take-over")
        self._failures[event.worker_id] += 1

    def _WorkerForgotten(self, event: e.WorkerForgotten) -> None:
        """Whoever comes back after that is new."""
        self.out.discard(event.worker_id)
        self.hidden = {one for one in self.hidden if not one.startswith(f"{event.worker_id}-")}

    def _AllocationClosing(self, event: e.AllocationClosing) -> None:
        self._closing.add(event.allocation_id)

    def _AllocationClosed(self, event: e.AllocationClosed) -> None:
        closed = self.allocations.pop(event.allocation_id)
        self.canaries.pop(event.allocation_id, None)
        self._failures[closed.worker_id] += event.cause in RETRIED
        for number, attempt in self.attempts.items():
            if attempt.allocation_id == event.allocation_id:
                self._wrong(f"{event.allocation_id} was closed under attempt {number}")

    def _SlotsGivenBack(self, event: SlotsGivenBack) -> None:
        """Only what has nothing to do is given back, and it is free only when it really is."""
        opened = self.allocations[event.allocation_id]
        name = f"slots {event.slots} of {event.allocation_id}"
        busy = {one.slot for one in self.attempts.values() if one.allocation_id == event.allocation_id}
        if busy.intersection(event.slots):
            self._wrong(f"{name} are given back with attempts")
        self._leaving.update((event.allocation_id, number) for number in event.slots)
        if not event.gone:
            return
        shim = self._world.host(event.worker_id).shim
        there = shim.allocations.get(event.allocation_id) if shim is not None and shim.process.alive else None
        if there is not None and there.slots.keys() & set(event.slots):
            self._wrong(f"{name} count as free, and are not")
        left = [place for place, number in enumerate(opened.slots) if number not in event.slots]
        if not left:
            self._wrong(f"{event.allocation_id} has given back all its slots, and goes on")
        self.allocations[event.allocation_id] = replace(
            opened,
            slots=tuple(opened.slots[place] for place in left),
            device_ids=tuple(opened.device_ids[place] for place in left),
        )

    def _TasksAssigned(self, event: e.TasksAssigned) -> None:
        group = self.groups[event.group_id]
        allocation = self.allocations[event.allocation_id]
        taken = {case for one in self.attempts.values() if one.group_id == event.group_id for case in one.cases}
        if event.allocation_id in self.canaries:
            self.canaries[event.allocation_id] += len(event.tasks)
            if self.canaries[event.allocation_id] > 1:
                self._wrong(f"the canary {event.allocation_id} got more than one task")
        for task in event.tasks:
            if task.attempt_id in self._assigned:
                self._wrong(f"attempt {task.attempt_id} exists twice")
            if task.slot not in allocation.slots or event.worker_id != allocation.worker_id or group.over:
                self._wrong(f"attempt {task.attempt_id} has no place on slot {task.slot} of {event.allocation_id}")
            if (event.allocation_id, task.slot) in self._leaving:
                self._wrong(f"attempt {task.attempt_id} is on slot {task.slot}, which {event.allocation_id} gives back")
            for case in task.case_indices:
                if case in group.verdicts or self._pending_elsewhere(group, case, taken):
                    self._wrong(f"case {case} of {event.group_id} is executed again in attempt {task.attempt_id}")
            self._assigned.add(task.attempt_id)
            self.attempts[task.attempt_id] = AuditedAttempt(
                event.group_id, event.allocation_id, event.worker_id, task.slot, task.case_indices
            )
            held = [one for one in self.attempts.values() if one.allocation_id == event.allocation_id]
            if sum(one.slot == task.slot for one in held) > 2:
                self._wrong(f"slot {task.slot} of {event.allocation_id} holds more than two attempts")

    def _CopyAssigned(self, event: CopyAssigned) -> None:
        """A copy is of a case that another host executes, has a slot for itself, and is one of the few that the run allows."""
        group, case = self.groups[event.group_id], event.case_index
        name = f"the copy {event.attempt_id} of case {case} of {event.group_id}"
        hosts = {
            one.worker_id for one in self.attempts.values() if one.group_id == event.group_id and case in one.cases
        }
        if case in group.verdicts or case in group.copied or not hosts or event.worker_id in hosts:
            self._wrong(f"{name} is not wanted")
        group.copied.add(case)
        if len(group.copied) > max(1, math.ceil(len(group.cases) * group.speculate / 100)) or not group.speculate:
            self._wrong(f"{name} is one too many")
        if event.attempt_id in self._assigned:
            self._wrong(f"attempt {event.attempt_id} exists twice")
        self._assigned.add(event.attempt_id)
        if (event.allocation_id, event.slot) in self._leaving:
            self._wrong(f"{name} is on a slot that is given back")
        place = (event.allocation_id, event.worker_id, event.slot)
        self.attempts[event.attempt_id] = AuditedAttempt(event.group_id, *place, (case,), copy=True)

    def _CopyEnded(self, event: CopyEnded) -> None:
        self.attempts.pop(event.attempt_id)
        if event.kept:
            self._assigned.discard(event.attempt_id)  # it is assigned again, as what it is now

    def _check_copies(self) -> None:
        """No copy outlives what it is a copy of, but to tell of its own verdict."""
        copies = [(number, one) for number, one in self.attempts.items() if one.copy]
        for number, one in copies:
            case, group = one.cases[0], self.groups[one.group_id]
            others = [two for two in self.attempts.values() if two.group_id == one.group_id and not two.copy]
            if case not in group.by_copy and not any(case in two.cases for two in others):
                self._wrong(f"attempt {number} is a copy of nothing")
            if case in group.verdicts and case not in group.by_copy:
                self._wrong(f"attempt {number} goes on, and its case has a verdict")

    def _pending_elsewhere(self, group: AuditedGroup, case: int, taken: set[int]) -> bool:
        return case in taken

    def _CasesFinished(self, event: e.CasesFinished) -> None:
        group = self.groups[event.group_id]
        if group.over:
            self._wrong(f"{event.group_id} is over and gets verdicts")
        for case in event.cases:
            index = case.case_index
            if index in group.verdicts:
                self._wrong(f"case {index} of {event.group_id} got a second verdict")
            group.verdicts[index] = case.outcome
            failures = group.failures.get(index, [])
            if failures and not case.attempt_id:
                if case.outcome != failures[-1]:
                    self._wrong(f"case {index} of {event.group_id} was to be run again and ends as {case.outcome}")
            elif case.outcome == Outcome.CRASHED and "suspected" in case.message:
                if len(group.struck.get(index, ())) < 2:
                    self._wrong(f"case {index} of {event.group_id} is suspected after {group.struck.get(index)}")
            elif case.outcome not in {Outcome.NOT_RUN, Outcome.CANCELLED} and not group.skipped:
                self._check_truth(event.group_id, case, Outcome.FLAKY if failures else None)

    def _CasesRerun(self, event: e.CasesRerun) -> None:
        group = self.groups[event.group_id]
        for case in event.cases:
            index = case.case_index
            if index in group.verdicts or group.over:
                self._wrong(f"case {index} of {event.group_id} is to be run again and has its verdict")
            self._check_truth(event.group_id, case)
            failures = group.failures.setdefault(index, [])
            failures.append(case.outcome)
            if case.outcome not in BAD or len(failures) > group.most_reruns:
                self._wrong(f"case {index} of {event.group_id} is run again after {failures}")
            attempt = self.attempts[case.attempt_id]
            attempt.cases = tuple(one for one in attempt.cases if one != index)

    def _CaseStruck(self, event: e.CaseStruck) -> None:
        self.groups[event.group_id].struck.setdefault(event.case_index, set()).add(event.worker_id)

    def _check_truth(self, group_id: str, case: e.FinishedCase, if_good: Outcome | None = None) -> None:
        """What is stored of a case is what its own attempt showed; `if_good` stands for anything but a failure."""
        group, index = self.groups[group_id], case.case_index
        attempt = self.attempts.get(case.attempt_id)
        if attempt is not None and attempt.copy:
            group.by_copy.add(index)
            if case.outcome in BAD:
                self._wrong(f"case {index} of {group_id} fails by its copy {case.attempt_id}")
        if attempt is None or index not in attempt.cases or attempt.worker_id != case.worker_id:
            self._wrong(f"case {index} of {group_id} counts from attempt {case.attempt_id}, which is not its own")
            return
        truth = self._world.truth_of(group.run_id, case.attempt_id, group.cases[index])
        expected = Outcome[truth.upper()]
        if if_good is not None and expected not in BAD:
            expected = if_good
        if case.outcome != expected:
            text = f"{truth} and counts as {Outcome(case.outcome).name}"
            self._wrong(f"case {index} of {group_id} showed {text} in attempt {case.attempt_id}")

    def _AttemptEnded(self, event: e.AttemptEnded) -> None:
        attempt = self.attempts.pop(event.attempt_id, None)
        if attempt is None:
            self._wrong(f"attempt {event.attempt_id} ended twice")
            return
        self._failures[attempt.worker_id] += event.cause in RETRIED
        if event.cause == Cause.CANCELLED and not self.groups[attempt.group_id].by_copy.intersection(attempt.cases):
            self._wrong(f"attempt {event.attempt_id} was cancelled, and nobody had stopped its run")
        if event.charged and attempt.allocation_id in self.canaries and event.cause in RETRIED:
            self._wrong(f"attempt {event.attempt_id} of a canary cost its cases a try")
        group = self.groups[event.group_id]
        left = {case for case in attempt.cases if case not in group.verdicts}
        if left != set(event.left):
            self._wrong(f"attempt {event.attempt_id} leaves {sorted(event.left)}; open are {sorted(left)}")

    def _AttemptsRevoked(self, event: e.AttemptsRevoked) -> None:
        for number in event.attempt_ids:
            attempt = self.attempts.pop(number)
            group = self.groups[attempt.group_id]
            if any(case not in group.verdicts for case in attempt.cases):
                self._wrong(f"attempt {number} was revoked with open cases")

    def _GroupFinished(self, event: e.GroupFinished) -> None:
        group = self.groups[event.group_id]
        missing = [index for index in range(len(group.cases)) if index not in group.verdicts]
        if missing or group.over:
            self._wrong(f"{event.group_id} ends with {len(missing)} cases open, or twice")
        group.over = True
        lost = {*BAD, Outcome.NOT_RUN, Outcome.PREEMPTED, Outcome.CANCELLED}
        group.passed = not (group.skipped or event.failed or lost.intersection(group.verdicts.values()))

    def _RunFinished(self, event: e.RunFinished) -> None:
        open_groups = [name for name, group in self.groups.items() if group.run_id == event.run_id and not group.over]
        if self.runs[event.run_id] is not None or open_groups:
            self._wrong(f"{event.run_id} ends twice, or before {open_groups}")
        self.runs[event.run_id] = event
