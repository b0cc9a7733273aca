"""Slots and devices of an allocation are there, are its own, and lie where its target may have them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.last_cases import SlotsGivenBack
from crossfleet.coordinator.core.override import DeviceOverridden
from crossfleet.coordinator.core.places import AllocationPlaced, PortionsTaken
from tests.simulation.audits.books import Audit, Books


class Places(Audit):
    """Allocations, from opening to close."""

    def __init__(self, books: Books) -> None:
        super().__init__(books)
        self._hidden: set[str] = set()
        self._opened: set[str] = set()

    def settle(self) -> None:
        """Look at the devices of workers on which a slot was opened: portions are told after that."""
        for worker_id in sorted(self._opened):
            self._check_devices(worker_id)
        self._opened.clear()

    def _AllocationOpened(self, event: e.AllocationOpened) -> None:
        host = self._world.host(event.worker_id)
        if not event.slots or not set(event.slots) <= set(range(host.identity.slots)):
            self._wrong(f"{event.allocation_id} has slots {event.slots} of {host.identity.slots}")
        self._check_others(event)
        devices = [device for slot in event.device_ids for device in slot]
        known = {device.device_id for device in host.devices}
        if not set(devices) <= known:
            self._wrong(f"{event.allocation_id} has devices {devices} of {sorted(known)}")
        if self._hidden & set(devices):
            self._wrong(f"{event.allocation_id} has hidden devices of {devices}")
        if event.group_id.endswith("/gpu") and len(devices) != len(event.slots):
            self._wrong(f"{event.allocation_id} has {len(devices)} devices for {len(event.slots)} slots")
        self._opened.add(event.worker_id)
        self._books.allocations[event.allocation_id] = event
        self._check_neighbours(event)

    def _check_others(self, event: e.AllocationOpened) -> None:
        """No two have a slot at once, and who is alone on a host is."""
        groups = self._books.groups
        for other in self._books.allocations.values():
            alone = groups[event.group_id].exclusive or groups[other.group_id].exclusive
            if alone and self._world.share_a_host(event.worker_id, other.worker_id):
                self._wrong(f"{event.allocation_id} shares its host with {other.allocation_id}")
            if other.worker_id == event.worker_id and set(other.slots) & set(event.slots):
                self._wrong(f"{event.allocation_id} shares slots with {other.allocation_id}")

    def _check_neighbours(self, event: e.AllocationOpened) -> None:
        """A group is where those are that it is to be near to, and where none is that it keeps away from."""
        group, run_id = self._books.groups[event.group_id], event.run_id
        for name in group.near:
            beside = self._books.groups[f"{run_id}/{name}"]
            if not beside.hosts and not beside.over:
                self._wrong(f"{event.group_id} was begun before {name}, which it is to be near to")
            if beside.hosts and event.worker_id not in beside.hosts:
                self._wrong(f"{event.allocation_id} is on {event.worker_id}, and {name} never was")
        for name in group.apart:
            held = self._books.allocations_of(f"{run_id}/{name}")
            if any(one.worker_id == event.worker_id for one in held):
                self._wrong(f"{event.allocation_id} is on {event.worker_id}, and so is {name}")
        group.hosts.add(event.worker_id)

    def _PortionsTaken(self, event: PortionsTaken) -> None:
        opened = self._books.allocations[event.allocation_id]
        self._books.portions[event.allocation_id] = dict(zip(opened.slots, event.portions, strict=True))

    def _check_devices(self, worker_id: str) -> None:
        """Each device is held by one slot alone, or in portions that are no more than it has."""
        whole, parts = Counter[str](), Counter[str]()
        for one in (one for one in self._books.allocations.values() if one.worker_id == worker_id):
            for slot, ids in zip(one.slots, one.device_ids, strict=False):
                mine = dict(self._books.portions.get(one.allocation_id, {}).get(slot, ()))
                for device in ids:
                    (parts if device in mine else whole)[device] += dict(mine.get(device, ())).get("memory", 1)
        memory = {
            device.device_id: device.capacities.get("memory", 0) for device in self._world.host(worker_id).devices
        }
        if any(number > 1 for number in whole.values()) or whole.keys() & parts.keys():
            self._wrong(f"{worker_id} gives devices twice: {whole} whole, {parts} in portions")
        if any(amount > memory[device] for device, amount in parts.items()):
            self._wrong(f"{worker_id} gives {parts} of {memory}")

    def _AllocationPlaced(self, event: AllocationPlaced) -> None:
        alternatives = self._books.groups[event.group_id].alternatives
        alternatives[event.allocation_id] = event.alternative
        live = {one.allocation_id for one in self._books.allocations_of(event.group_id)}
        found = {number for allocation_id, number in alternatives.items() if allocation_id in live}
        if len(found) > 1:
            self._wrong(f"{event.group_id} has slots by alternatives {sorted(found)} at once")

    def _DeviceOverridden(self, event: DeviceOverridden) -> None:
        if event.override is not None and event.override.hidden:
            self._hidden.add(event.device_id)
        else:
            self._hidden.discard(event.device_id)

    def _WorkerForgotten(self, event: e.WorkerForgotten) -> None:
        """Whoever comes back after that is new."""
        self._hidden = {one for one in self._hidden if not one.startswith(f"{event.worker_id}-")}

    def _SlotsGivenBack(self, event: SlotsGivenBack) -> None:
        """Only what has nothing to do is given back, and it is free only when it really is."""
        opened = self._books.allocations[event.allocation_id]
        name = f"slots {event.slots} of {event.allocation_id}"
        busy = {one.slot for one in self._books.attempts.values() if one.allocation_id == event.allocation_id}
        if busy.intersection(event.slots):
            self._wrong(f"{name} are given back with attempts")
        self._books.leaving.update((event.allocation_id, number) for number in event.slots)
        if not event.gone:
            return
        shim = self._world.host(event.worker_id).shim
        there = shim.allocations.get(event.allocation_id) if shim is not None and shim.process.alive else None
        if there is not None and there.slots.keys() & set(event.slots):
            self._wrong(f"{name} count as free, and are not")
        left = [place for place, number in enumerate(opened.slots) if number not in event.slots]
        if not left:
            self._wrong(f"{event.allocation_id} has given back all its slots, and goes on")
        self._books.allocations[event.allocation_id] = replace(
            opened,
            slots=tuple(opened.slots[place] for place in left),
            device_ids=tuple(opened.device_ids[place] for place in left),
        )

    def _AllocationClosing(self, event: e.AllocationClosing) -> None:
        self._books.closing.add(event.allocation_id)

    def _AllocationClosed(self, event: e.AllocationClosed) -> None:
        del self._books.allocations[event.allocation_id]
        for number, attempt in self._books.attempts.items():
            if attempt.allocation_id == event.allocation_id:
                self._wrong(f"{event.allocation_id} was closed under attempt {number}")
