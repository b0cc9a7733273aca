"""Whether exactly one proposal of a scheduler holds now. The coordinator asks this before it commits."""

from collections import Counter

from crossfleet.matching.fit import Eligible, eligible, lacking, place
from crossfleet.matching.free import Free
from crossfleet.matching.misfit import Code, Misfit, Wait
from crossfleet.matching.model import Request, WorkerState, WorkerView
from crossfleet.matching.portions import deal, rooms, shortage
from crossfleet.matching.selectors import Selectors


def check(
    request: Request, worker: WorkerView, free: Free, slots: int, device_ids: tuple[str, ...], selectors: Selectors
) -> tuple[tuple[str, ...], ...] | Misfit:
    """The device ids of each of ``slots`` slots (empty tuples where none are asked for), or why it does not hold.

    Exactly the proposed devices must do: none missing, none to spare, none in use. One of which slots take portions is
    proposed once for each of them.
    """
    if slots < 1:
        return Misfit(Wait.NEVER, Code.SLOTS, f"a proposal of {slots} slots")
    if worker.state is not WorkerState.READY:
        return Misfit(Wait.LATER, Code.STATE, f"{worker.name} is {worker.state}")
    found = eligible(request, worker, selectors)
    if isinstance(found, Misfit):
        return found
    parts = _portions(worker, free, found, slots, device_ids) if found.amounts else ((),) * slots
    if isinstance(parts, Misfit):
        return parts
    proposed = frozenset(device_ids).difference(one for ids in parts for one in ids)
    whole = [
        (count, tuple(one for one in ids if one in proposed))
        for at, (count, ids) in enumerate(zip(found.counts, found.candidates, strict=True))
        if not (found.amounts and found.amounts[at])
    ]
    only = Eligible(tuple(count for count, _ in whole), tuple(ids for _, ids in whole))
    placed = place(request, worker, free, only, slots, slots)
    if isinstance(placed, Misfit):
        return placed
    if proposed != frozenset(placed.device_ids):
        spare = ", ".join(sorted(proposed.difference(placed.device_ids)))
        return Misfit(Wait.NEVER, Code.DEVICES, f"devices that the request does not ask for: {spare}")
    if not placed.devices:
        return parts
    return tuple((*ids, *more) for ids, more in zip(placed.devices, parts, strict=True))


def _portions(
    worker: WorkerView, free: Free, found: Eligible, slots: int, device_ids: tuple[str, ...]
) -> tuple[tuple[str, ...], ...] | Misfit:
    """The devices of which each slot takes portions: as often as they are proposed, and no oftener than there is room."""
    parts: tuple[tuple[str, ...], ...] = ((),) * slots
    for count, ids, amounts in zip(found.counts, found.candidates, found.amounts, strict=True):
        if not amounts:
            continue
        named = Counter(one for one in device_ids if one in ids)
        wanted = count * slots
        if named.total() != wanted:
            text = f"{slots} slots of {count} devices with portions name {wanted}, not {named.total()}"
            return Misfit(Wait.NEVER, Code.DEVICES, text)
        room = dict(rooms(amounts, ids, worker, free.devices, free.portions, slots))
        if any(room.get(name, 0) < times for name, times in named.items()):
            text = f"{worker.name} has no room on {', '.join(sorted(named))} for {slots} slots"
            missing = lacking(worker, free, found)
            return Misfit(Wait.LATER, Code.BUSY, f"{text}: {shortage(*missing)}" if missing else text)
        more = deal(tuple(named.items()), count, slots)
        parts = tuple((*mine, *others) for mine, others in zip(parts, more, strict=True))
    return parts
