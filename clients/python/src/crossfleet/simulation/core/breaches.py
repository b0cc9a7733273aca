"""What must hold at every moment, counted anew from what is held: not by the arithmetic with which plans are judged."""

from __future__ import annotations

from collections import Counter

from crossfleet.matching.free import millicores, slot_millicores
from crossfleet.matching.model import Portion, WorkerView
from crossfleet.matching.portions import together
from crossfleet.simulation.core.model import Group, Worker


class Broken(Exception):
    """The simulated fleet broke a rule of its own: what it measured is worth nothing."""


def examine_worker(worker: Worker) -> None:
    """No worker gives more than it has. Raises Broken."""
    view, held = worker.view, [*worker.allocations.values()]
    slots = sum(len(one.slots) for one in held)
    cores = sum(len(one.slots) * slot_millicores(one.group.request, view) for one in held)
    memory = sum(len(one.slots) * one.group.request.memory_bytes for one in held)
    shared = {device.id for device in view.devices if device.shared}
    parted = [{each.device_id for each in one.portions} for one in held]
    alone_with = zip(held, parted, strict=True)
    devices = Counter(name for one, parts in alone_with for name in one.device_ids if name not in shared | parts)
    portions = together(each for one in held for each in one.portions)
    divided = {each.device_id for each in portions}
    alone = [one for one in held if one.group.request.exclusive]
    found = (
        (slots > view.slots_total, f"{slots} of {view.slots_total} slots"),
        (cores > millicores(view.cpu_cores), f"{cores} of {millicores(view.cpu_cores)} thousandths of cores"),
        (memory > view.memory_bytes and memory > 0, f"{memory} of {view.memory_bytes} bytes"),
        (max(devices.values(), default=0) > 1, f"a device twice: {devices}"),
        (not devices.keys() | divided <= {device.id for device in view.devices}, "a device that it does not have"),
        (bool(devices.keys() & divided), f"a device whole and in portions: {devices.keys() & divided}"),
        (any(_too_much(each, view) for each in portions), f"more of a device than it is: {portions}"),
        (bool(alone) and len(held) > 1, f"{alone[0].id if alone else ''} has it alone, and others hold it too"),
    )
    for broken, text in found:
        if broken:
            raise Broken(f"worker {view.name} gives {text}")


def _too_much(portion: Portion, view: WorkerView) -> bool:
    have = next((one.capacities for one in view.devices if one.id == portion.device_id), {})
    return any(amount > have.get(name, 0) for name, amount in portion.amounts)


def examine_group(group: Group) -> None:
    """Every case waits, runs or has ended, once. Raises Broken."""
    running = sum(len(slot.task) for one in group.allocations.values() for slot in one.slots)
    if len(group.cases) + running + group.done != group.total:
        raise Broken(
            f"group {group.id} has {group.total} cases; {len(group.cases)} wait, {running} run, {group.done} have ended"
        )


def examine_gang(group: Group) -> None:
    """What was just given to a gang is whole. Raises Broken."""
    held = [one for one in group.allocations.values() if one.closing is None]
    hosts = {one.worker.view.name for one in held}
    if group.request.gang > 1 and not len(hosts) == len(held) == group.request.gang:
        raise Broken(f"gang {group.id} holds {len(hosts)} of {group.request.gang} workers")
