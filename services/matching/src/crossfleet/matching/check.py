"""Whether exactly one proposal of a scheduler holds now. The coordinator asks this before it commits."""

from crossfleet.matching.fit import Eligible, eligible, place
from crossfleet.matching.free import Free
from crossfleet.matching.misfit import Code, Misfit, Wait
from crossfleet.matching.model import Request, WorkerState, WorkerView
from crossfleet.matching.selectors import Selectors


def check(
    request: Request, worker: WorkerView, free: Free, slots: int, device_ids: tuple[str, ...], selectors: Selectors
) -> tuple[tuple[str, ...], ...] | Misfit:
    """The device ids of each of ``slots`` slots (empty tuples where none are asked for), or why it does not hold.

    Exactly the proposed devices must do: none missing, none to spare, none in use.
    """
    if slots < 1:
        return Misfit(Wait.NEVER, Code.SLOTS, f"a proposal of {slots} slots")
    if worker.state is not WorkerState.READY:
        return Misfit(Wait.LATER, Code.STATE, f"{worker.name} is {worker.state}")
    found = eligible(request, worker, selectors)
    if isinstance(found, Misfit):
        return found
    proposed = frozenset(device_ids)
    only = Eligible(found.counts, tuple(tuple(one for one in ids if one in proposed) for ids in found.candidates))
    placed = place(request, worker, free, only, slots, slots)
    if isinstance(placed, Misfit):
        return placed
    if proposed != frozenset(placed.device_ids):
        spare = ", ".join(sorted(proposed.difference(placed.device_ids)))
        return Misfit(Wait.NEVER, Code.DEVICES, f"devices that the request does not ask for: {spare}")
    return placed.devices or ((),) * slots
