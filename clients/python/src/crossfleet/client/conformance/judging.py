"""Whether a proposal holds, by the rows that its scheduler had seen. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from crossfleet.api.scheduler.v1.scheduler_service_pb2 import Free, ProposedAllocation
from crossfleet.api.types.v1.device_pb2 import WORKER_STATE_READY, Device, Worker, WorkerState
from crossfleet.client.conformance.rows import Holding, Wish
from crossfleet.client.conformance.truth import Truth
from crossfleet.foundation.words import word

_BLOCKING = frozenset(("lost", "unhealthy", "quarantined"))
SHARED = "cpu"
"""The class of devices that slots use together."""

_GATES = ("temperature", "clock", "load", "pressure", "gpu")


@dataclass
class _Free:
    slots: int
    millicores: int
    memory: int
    taken: set[str]
    parts: Counter[tuple[str, str]]
    untouched: bool = True
    closed: bool = False


class Books:
    """What is free of each worker and wanted by each group, less what is proposed and not answered."""

    def __init__(self, truth: Truth, unanswered: Iterable[Holding] = ()) -> None:
        """`unanswered`: proposals that count as held."""
        self._truth = truth
        self._free: dict[str, _Free] = {}
        self._proposed: dict[str, int] = {}
        self._on: dict[str, list[Holding]] = {}
        self._on_host: dict[str, list[Worker]] = {}
        for one in truth.holdings.values():
            self._on.setdefault(one.worker_id, []).append(one)
        for one in unanswered:
            self._count(one)

    def wrong(self, proposal: ProposedAllocation) -> str:
        """Why a proposal does not hold; empty where it does, and then it counts as held."""
        found = self._misfit(proposal)
        if not found:
            self._count(as_holding(self._truth, "", proposal))
        return found

    def free(self, worker: Worker) -> Free:
        """What is left of a worker, as a scheduler is told that wants fits."""
        own, beside = self._of(worker), [self._of(one) for one in self._neighbours(worker)]
        told = Free(host=worker.host or f"worker {worker.worker_id}")
        told.idle = own.untouched and all(one.untouched for one in beside)
        if not own.closed and not any(one.closed for one in beside):
            told.slots, told.millicores, told.memory_bytes = own.slots, own.millicores, own.memory
            alone = (one.device_id for one in worker.devices if one.device_class != SHARED)
            held = own.taken | {name for name, _ in own.parts}
            told.device_ids.extend(one for one in alone if one not in held)
            for each in worker.devices:
                if each.shareable and each.device_id not in own.taken:
                    for capacity, amount in each.capacities.items():
                        rest = amount - own.parts[each.device_id, capacity]
                        told.left[each.device_id].capacities[capacity] = rest
        return told

    def _count(self, one: Holding) -> None:
        free = self._free.get(one.worker_id)
        worker = self._truth.workers.get(one.worker_id)
        if free is not None and worker is not None:
            self._take(free, one, worker)
        self._on.setdefault(one.worker_id, []).append(one)
        self._proposed[one.group_id] = self._proposed.get(one.group_id, 0) + one.slots

    def _misfit(self, one: ProposedAllocation) -> str:
        wish, worker = self._truth.groups.get(one.group_id), self._truth.workers.get(one.worker_id)
        if wish is None:
            return f"there is no group {one.group_id!r}"
        if worker is None:
            return f"there is no worker {one.worker_id!r}"
        if one.slots < 1:
            return f"{one.slots} slots are proposed for {one.group_id}"
        if worker.state != WORKER_STATE_READY:
            return f"{worker.worker_id} is {word(WorkerState, worker.state)}, and gets nothing new"
        return unsuited(wish, worker) or self._crowded(wish, worker, one) or self._devices(wish, worker, one)

    def _crowded(self, wish: Wish, worker: Worker, one: ProposedAllocation) -> str:
        wanted = wish.row.wanted_slots - self._proposed.get(one.group_id, 0)
        if one.slots > wanted:
            return f"{one.group_id} wants {max(wanted, 0)} more slots, not {one.slots}"
        free, name = self._of(worker), worker.worker_id
        for each in (worker, *self._neighbours(worker)):
            known = self._of(each)
            whose = name if each is worker else f"{each.worker_id}, on the host of {name},"
            if known.closed:
                return f"{whose} is held by a group that has the host for itself"
            if wish.row.request.exclusive and not known.untouched:
                return f"{one.group_id} wants a host for itself, and {whose} is in use"
        if one.slots > free.slots:
            return f"{name} has {max(free.slots, 0)} slots free, not {one.slots}"
        needed = one.slots * millicores(wish, worker)
        if needed > free.millicores:
            return f"{name} has {free.millicores / 1000:g} cores free, not {needed / 1000:g}"
        memory = one.slots * wish.row.request.memory_bytes
        if memory > free.memory:
            return f"{name} has {free.memory} bytes of memory free, not {memory}"
        return ""

    def _devices(self, wish: Wish, worker: Worker, one: ProposedAllocation) -> str:
        """Exactly the devices that are asked for: none missing, none to spare, none in use."""
        left, free = set(one.device_ids), self._of(worker)
        taken = free.taken | {name for name, _ in free.parts}
        for device_class, count in demands(wish):
            parted = _parted(wish, worker, device_class, left)
            if parted:
                wrong = self._portions(wish, worker, one, count, device_class)
                if wrong:
                    return wrong
                left.difference_update(each.device_id for each in worker.devices if usable(each, device_class, wish))
                continue
            able = {each.device_id: each for each in worker.devices if usable(each, device_class, wish)}
            chosen = [each for each in able if each in left]
            shared = [each for each in chosen if able[each].device_class == SHARED]
            exact = len(shared) == count if shared else len(chosen) == count * one.slots
            if not exact:
                kind, devices = device_class or "any class", "1 device" if count == 1 else f"{count} devices"
                return (
                    f"{one.slots} slots of {one.group_id} need {devices} of {kind} each; of those that it may have "
                    f"{len(chosen)} are proposed ({', '.join(one.device_ids) or 'no device at all'})"
                )
            used = sorted(set(chosen) & taken)
            if used:
                return f"{', '.join(used)} on {worker.worker_id} is in use"
            left.difference_update(chosen)
        if left:
            return f"{one.group_id} may not have, or does not ask for, {', '.join(sorted(left))}"
        return ""

    def _portions(self, wish: Wish, worker: Worker, one: ProposedAllocation, count: int, device_class: str) -> str:
        """Each device as often as slots take a portion of it, and enough left of it for these."""
        able = {each.device_id: each for each in worker.devices if usable(each, device_class, wish)}
        named = Counter(each for each in one.device_ids if each in able)
        if named.total() != count * one.slots or max(named.values()) > one.slots:
            return (
                f"{one.slots} slots of {one.group_id} need {count} devices of {device_class} each, which are named once a slot; "
                f"named are {', '.join(one.device_ids)}"
            )
        free = self._of(worker)
        for name, times in named.items():
            parts = amounts(wish, device_class) if able[name].shareable else {}
            if name in free.taken or (not parts and (times > 1 or any(name == held for held, _ in free.parts))):
                return f"{name} on {worker.worker_id} is in use"
            for capacity, amount in parts.items():
                rest = able[name].capacities.get(capacity, 0) - free.parts[name, capacity]
                if amount * times > rest:
                    return f"{name} on {worker.worker_id} has {rest} of {capacity} left, not {amount * times}"
        return ""

    def _of(self, worker: Worker) -> _Free:
        found = self._free.get(worker.worker_id)
        if found is None:
            found = _Free(worker.slots, round(worker.cpu_cores * 1000), worker.memory_bytes, set(), Counter())
            self._free[worker.worker_id] = found
            for one in self._on.get(worker.worker_id, ()):
                self._take(found, one, worker)
        return found

    def _neighbours(self, worker: Worker) -> list[Worker]:
        if not self._on_host:
            for one in self._truth.workers.values():
                self._on_host.setdefault(one.host or f" {one.worker_id}", []).append(one)
        return [one for one in self._on_host.get(worker.host, ()) if one.worker_id != worker.worker_id]

    def _take(self, free: _Free, one: Holding, worker: Worker) -> None:
        wish = self._truth.wishes.get(one.group_id)
        free.untouched = False
        free.slots -= one.slots
        free.millicores -= one.slots * millicores(wish, worker)
        free.memory -= one.slots * (wish.row.request.memory_bytes if wish else 0)
        shared = {each.device_id for each in worker.devices if each.device_class == SHARED}
        for name, parts in one.portions:
            shared.add(name)
            free.parts.update({(name, capacity): amount for capacity, amount in parts})
        free.taken.update(set(one.device_ids) - shared)
        free.closed = free.closed or bool(wish and wish.row.request.exclusive)


def as_holding(truth: Truth, holding_id: str, one: ProposedAllocation) -> Holding:
    """A proposal as what it asks for."""
    wish, worker = truth.wishes.get(one.group_id), truth.workers.get(one.worker_id)
    taken: dict[str, Counter[str]] = {}
    if wish is not None and worker is not None:
        shareable = {each.device_id: each.device_class for each in worker.devices if each.shareable}
        for name in (each for each in one.device_ids if each in shareable):
            taken.setdefault(name, Counter()).update(amounts(wish, shareable[name]))
    portions = tuple((name, tuple(sorted(parts.items()))) for name, parts in taken.items() if parts)
    return Holding(holding_id, one.group_id, one.worker_id, one.slots, tuple(one.device_ids), portions=portions)


def broken_gang(truth: Truth, unit: Collection[ProposedAllocation]) -> str:
    """Why proposals that are committed together leave a gang incomplete; empty where they do not."""
    for group_id in dict.fromkeys(one.group_id for one in unit):
        wish = truth.groups.get(group_id)
        if wish is None or wish.row.request.gang <= 1:
            continue
        request, own = wish.row.request, [one for one in unit if one.group_id == group_id]
        each = max(request.slots_min, 1)
        whole = len({one.worker_id for one in own}) == len(own) == request.gang
        if not whole or any(one.slots != each for one in own):
            return (
                f"{group_id} is a gang: {each} slots on each of {request.gang} workers with one gang_id, all or nothing; "
                f"proposed: {', '.join(f'{one.slots} on {one.worker_id}' for one in own)}"
            )
    return ""


def unsuited(wish: Wish, worker: Worker) -> str:
    """Why a worker does not do for a group, whatever its state and what is in use of it; devices aside. Empty where it does."""
    row, name = wish.row, worker.worker_id
    if row.runner and row.runner not in worker.runners:
        return f"{name} has no runner {row.runner!r}"
    intolerable = sorted(set(worker.taints) - set(row.request.tolerations))
    if intolerable:
        return f"{name} is tainted {', '.join(intolerable)}, which {row.group_id} does not tolerate"
    limits = row.request.gates
    asked = [field.name for field, _ in limits.ListFields() if field.name in _GATES]
    unmeasured = [gate for gate in asked if gate not in worker.gates]
    if unmeasured:
        return f"{name} cannot measure {', '.join(unmeasured)}"
    if wish.workers is not None and name not in wish.workers:
        return f"{name} does not satisfy {row.selector}"
    return ""


def demands(wish: Wish) -> list[tuple[str, int]]:
    """The classes of devices that a slot asks for (empty: any), and how many of each."""
    asked = [(one.device_class, one.count or 1) for one in wish.row.request.devices]
    return asked or ([("", 1)] if wish.devices is not None else [])


def amounts(wish: Wish, device_class: str) -> dict[str, int]:
    """What each slot takes of a shareable device of a class; nothing where it takes it whole."""
    return {
        name: amount
        for one in wish.row.request.devices
        if one.device_class == device_class
        for name, amount in one.capacities.items()
    }


def _parted(wish: Wish, worker: Worker, device_class: str, named: Collection[str]) -> bool:
    """Whether slots take portions of a device that is named."""
    shareable = (each for each in worker.devices if each.shareable and each.device_id in named)
    return bool(amounts(wish, device_class)) and any(usable(each, device_class, wish) for each in shareable)


def usable(one: Device, device_class: str, wish: Wish) -> bool:
    """Whether a device would do for a group."""
    good = not device_class or one.device_class == device_class
    good = good and all(
        one.capacities.get(name, 0) >= amount for name, amount in amounts(wish, one.device_class).items()
    )
    blocked = _BLOCKING.intersection(one.conditions).difference(wish.row.request.tolerations)
    return good and not blocked and (wish.devices is None or one.device_id in wish.devices)


def millicores(wish: Wish | None, worker: Worker) -> int:
    """Thousandths of cores that a slot of a group takes of a worker; None: a group that nobody knows any more."""
    cores = wish.row.request.cpu_cores if wish else 0.0
    return round(cores * 1000) if cores > 0 else round(worker.cpu_cores * 1000) // max(worker.slots, 1)
