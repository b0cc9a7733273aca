"""Gives devices to slots: as many slots as possible, each with every device that it asks for."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from crossfleet.matching.model import WorkerView

Candidates = tuple[tuple[str, ...], ...]
"""For each device request, the ids of the devices that satisfy it, in the worker's order."""


def grant(
    worker: WorkerView, counts: Sequence[int], candidates: Candidates, free: AbstractSet[str], most: int
) -> tuple[tuple[str, ...], ...]:
    """The ids for each slot, at most ``most`` slots; deterministic, and no fewer slots than possible.

    Shared devices serve every slot. The others are matched by augmenting paths (Kuhn 1955), because taking
    greedily can strand a device that only one of several overlapping requests accepts.
    """
    shared = worker.shared_ids
    common: list[str] = []
    units: list[tuple[str, ...]] = []
    for count, ids in zip(counts, candidates, strict=True):
        together = [one for one in ids if one in shared][:count]
        common += together
        alone = tuple(one for one in ids if one not in shared and one in free)
        units += [alone] * (count - len(together))
    if not units:
        return (tuple(dict.fromkeys(common)),) * most
    if len(counts) == 1:
        # One request, one list: no assignment can strand anything, so take them in order.
        size, ids = len(units), units[0]
        starts = range(0, min(most, len(ids) // size) * size, size)
        return tuple((*common, *ids[start : start + size]) for start in starts)
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


def capacity(
    worker: WorkerView, counts: Sequence[int], candidates: Candidates, free: AbstractSet[str], most: int
) -> int:
    """For how many slots ``grant`` finds devices."""
    if len(counts) > 1:
        return len(grant(worker, counts, candidates, free, most))
    count, ids, shared = counts[0], candidates[0], worker.shared_ids
    if shared:
        count -= min(len(shared.intersection(ids)), count)
    if not count:
        return most
    return min(most, sum([one in free and one not in shared for one in ids]) // count)


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
