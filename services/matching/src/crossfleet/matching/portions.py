"""Portions of devices that several allocations may hold at once: how many fit, which are given, and what they come to."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from crossfleet.matching.model import Amounts, Device, Portion, Portions, Request, WorkerView
from crossfleet.matching.quantity import format_quantity, parse_quantity

Rooms = tuple[tuple[str, int], ...]
"""Devices by id, and for how many slots each has room."""

_PARTLY, _WHOLE, _ALONE = range(3)


def rooms(
    amounts: Amounts, ids: Sequence[str], worker: WorkerView, whole: Iterable[str], taken: Portions, most: int
) -> Rooms:
    """Of some devices those with room for so much, for at most ``most`` slots each; first those of which something is taken.

    Of those in ``whole`` nothing is taken. Those that nobody else may use have room for one slot, and come last.
    """
    untouched, held = frozenset(whole), dict(taken)
    found = []
    for at, name in enumerate(ids):
        device = worker.shareable.get(name)
        if device is None:
            order, room = _ALONE, int(name in untouched)
        elif name in held:
            order, room = _PARTLY, _room(amounts, device, dict(held[name]))
        else:
            order, room = _WHOLE, _room(amounts, device, {}) if name in untouched else 0
        if room > 0:
            found.append((order, at, name, min(room, most)))
    return tuple((name, room) for _, _, name, room in sorted(found))


def _room(amounts: Amounts, device: Device, taken: Mapping[str, int]) -> int:
    return min((device.capacities.get(name, 0) - taken.get(name, 0)) // amount for name, amount in amounts)


def most_slots(room: Rooms, count: int, most: int) -> int:
    """For how many slots, at most ``most``, there are ``count`` different devices each."""
    while most > 0:
        units = sum(min(one, most) for _, one in room)
        if units >= most * count:
            return most
        # Fewer slots get no more than so many units, however these lie.
        most = units // count
    return 0


def deal(room: Rooms, count: int, slots: int) -> tuple[tuple[str, ...], ...]:
    """The devices of each slot, ``count`` different ones each, for which there is room.

    By McNaughton's wrap-around rule (1959): units of one device lie side by side and are at most as many as the slots, so
    dealing them out in turn gives none of these two of it.
    """
    units = [name for name, one in room for _ in range(min(one, slots))][: count * slots]
    return tuple(tuple(units[slot::slots]) for slot in range(slots))


def portions_of(request: Request, devices: Sequence[Sequence[str]], worker: WorkerView) -> tuple[Portions, ...]:
    """What each slot takes of shareable devices, given the devices of each; empty where no slot takes a portion."""
    amounts = {one.device_class: one.capacities for one in request.devices if one.capacities}
    if not amounts or not worker.shareable:
        return ()
    found = []
    for ids in devices:
        divided = (worker.shareable[one] for one in ids if one in worker.shareable)
        mine = (Portion(one.id, amounts[one.device_class]) for one in divided if one.device_class in amounts)
        found.append(tuple(sorted(mine)))
    return tuple(found) if any(found) else ()


def together(portions: Iterable[Portion]) -> Portions:
    """Their sum: each device once."""
    found: dict[str, dict[str, int]] = {}
    for name, amounts in portions:
        mine = found.setdefault(name, {})
        for capacity, amount in amounts:
            mine[capacity] = mine.get(capacity, 0) + amount
    return tuple(Portion(name, tuple(sorted(found[name].items()))) for name in sorted(found))


def thousandths(portion: Portion, device: Device) -> int:
    """How much of a device a portion is, by the capacity of which it has most, rounded up."""
    have = device.capacities
    parts = (-(-amount * 1000 // have[name]) if have.get(name, 0) > 0 else 1000 for name, amount in portion.amounts)
    return max(parts, default=1000)


def thousandths_by_class(device_ids: Iterable[str], portions: Portions, worker: WorkerView) -> dict[str, int]:
    """How much of a worker's devices is held, by class; those that slots share without limit aside."""
    held, parts, found = frozenset(device_ids), dict(portions), Counter[str]()
    for device in worker.devices if held else ():
        if device.id in held and not device.shared:
            parted = device.id in parts and device.id in worker.shareable
            amount = thousandths(Portion(device.id, parts[device.id]), device) if parted else 1000
            found[device.device_class] += amount
    return found


def selector_of(amounts: Amounts) -> str:
    """A selector that holds for devices which, were they free, have so much."""
    return " && ".join(f"device.capacities[{json.dumps(name)}] >= {_literal(amount)}" for name, amount in amounts)


def told(amounts: Amounts) -> str:
    """``4Gi of memory``, for people."""
    return " and ".join(f"{format_quantity(amount)} of {name}" for name, amount in amounts)


def nearest(amounts: Amounts, ids: Sequence[str], worker: WorkerView, taken: Portions) -> Portion | None:
    """Of some devices that are partly taken the one of which least is missing, and what is left of it; None if there is none."""
    best: tuple[float, Portion] | None = None
    for name, held in taken:
        if name in ids and name in worker.shareable:
            have, used = worker.shareable[name].capacities, dict(held)
            left = [(one, max(have.get(one, 0) - used.get(one, 0), 0)) for one, _ in amounts]
            part = min(rest / amount for (_, rest), (_, amount) in zip(left, amounts, strict=True))
            if best is None or part > best[0]:
                best = (part, Portion(name, tuple(left)))
    return best[1] if best is not None else None


def shortage(amounts: Amounts, left: Portion) -> str:
    """``a slot needs 4Gi of memory, gpu-0 has 2Gi of memory left``."""
    return f"a slot needs {told(amounts)}, {left.device_id} has {told(left.amounts)} left"


def _literal(amount: int) -> str:
    text = format_quantity(amount)
    try:
        exact = not text.isdigit() and parse_quantity(text) == amount
    except ValueError:  # rounded up, it is more than there can be
        exact = False
    return f'quantity("{text}")' if exact else str(amount)
