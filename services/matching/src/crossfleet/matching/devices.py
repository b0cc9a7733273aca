"""Gives devices to slots: as many slots as possible, each with every device that it asks for."""

from collections.abc import Sequence, Set

from crossfleet.matching.model import WorkerView

Candidates = tuple[tuple[str, ...], ...]
"""For each device request, the ids of the devices that satisfy it, in the worker's order."""


def grant(
    worker: WorkerView, counts: Sequence[int], candidates: Candidates, free: Set[str], most: int
) -> tuple[tuple[str, ...], ...]:
    """The ids for each slot, at most ``most`` slots; deterministic, and no fewer slots than possible.

    Shared devices serve every slot. The others are matched by augmenting paths (Kuhn 1955), because taking
    greedily can strand a device that only one of several overlapping requests accepts.
    """
    shared = {device.id for device in worker.devices if device.shared}
    common: list[str] = []
    units: list[tuple[str, ...]] = []
    for count, ids in zip(counts, candidates, strict=True):
        together = [id for id in ids if id in shared][:count]
        common += together
        alone = tuple(id for id in ids if id not in shared and id in free)
        units += [alone] * (count - len(together))
    if not units:
        return (tuple(dict.fromkeys(common)),) * most
    holders: dict[str, int] = {}
    demands: list[tuple[str, ...]] = []
    slots = 0
    while slots < most:
        before = dict(holders)
        demands += units
        first = len(demands) - len(units)
        if not all(_assign(unit, demands, holders, set()) for unit in range(first, len(demands))):
            holders = before
            break
        slots += 1
    return _by_slot(holders, len(units), slots, common)


def _assign(unit: int, demands: list[tuple[str, ...]], holders: dict[str, int], tried: set[str]) -> bool:
    for device in demands[unit]:
        if device in tried:
            continue
        tried.add(device)
        holder = holders.get(device)
        if holder is None or _assign(holder, demands, holders, tried):
            holders[device] = unit
            return True
    return False


def _by_slot(holders: dict[str, int], size: int, slots: int, common: list[str]) -> tuple[tuple[str, ...], ...]:
    granted: list[list[str]] = [list(dict.fromkeys(common)) for _ in range(slots)]
    for device, unit in sorted(holders.items(), key=lambda item: item[1]):
        granted[unit // size].append(device)
    return tuple(tuple(slot) for slot in granted)
