"""The one function that says whether a request fits a worker. Scheduler and coordinator both use it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from crossfleet.matching.cel import Selector, SelectorError
from crossfleet.matching.devices import Candidates, capacity, grant
from crossfleet.matching.free import Fit, Free, slot_millicores
from crossfleet.matching.misfit import Code, Misfit, Wait
from crossfleet.matching.model import (
    BLOCKING_CONDITIONS,
    HIDDEN,
    PASSING_CONDITIONS,
    PASSING_TAINTS,
    RESERVED,
    Amounts,
    Device,
    DeviceRequest,
    Portion,
    Request,
    WorkerState,
    WorkerView,
)
from crossfleet.matching.portions import Rooms, deal, most_slots, nearest, portions_of, rooms, shortage, told
from crossfleet.matching.quantity import format_quantity
from crossfleet.matching.selectors import Selectors

_NO_LIMIT = 2**31 - 1
_ONE_DEVICE = (DeviceRequest(),)


@dataclass(frozen=True)
class Eligible:
    """What does not depend on what is in use: how many devices of each request, and which satisfy it.

    ``amounts``: what each takes of a device that is shareable, empty where it takes devices whole; none where all do.
    """

    counts: tuple[int, ...]
    candidates: Candidates
    amounts: tuple[Amounts, ...] = ()


def fit(
    request: Request, worker: WorkerView, free: Free, selectors: Selectors, *, least: int = 1, most: int = 0
) -> Fit | Misfit:
    """Whether ``least`` to ``most`` (0: no limit) slots of a request fit what is free of a worker.

    Deterministic: the same arguments give the same slots and devices. A request whose selector does not
    compile fits nowhere. ``request.slots_min`` and ``slots_max`` speak of all workers together; the caller,
    who knows what the group holds, turns them into ``least`` and ``most``.
    """
    if worker.state is not WorkerState.READY:
        return Misfit(Wait.LATER, Code.STATE, f"{worker.name} is {worker.state}")
    found = eligible(request, worker, selectors)
    return found if isinstance(found, Misfit) else place(request, worker, free, found, least, most)


def eligible(request: Request, worker: WorkerView, selectors: Selectors) -> Eligible | Misfit:
    """The part of ``fit`` that holds until worker or request change, whatever is in use."""
    if request.runner and request.runner not in worker.runners:
        return Misfit(Wait.NEVER, Code.RUNNER, f"{worker.name} has no runner {request.runner!r}")
    try:
        selector = selectors.compile(request.selector)
        demands = device_demands(request, selector)
        wanted = [(demand, selectors.compile(demand.selector)) for demand in demands]
    except SelectorError as error:
        return Misfit(Wait.NEVER, Code.INVALID_SELECTOR, str(error))
    if not selector.uses_device and not selectors.answer(selector, worker).holds:
        return Misfit(Wait.NEVER, Code.SELECTOR, f"{worker.name} does not satisfy {selector.text}")
    unmeasured = [name for name in request.gates.limits if name not in worker.gates]
    if unmeasured:
        return Misfit(Wait.NEVER, Code.GATES, f"{', '.join(unmeasured)} cannot be measured on {worker.name}")
    candidates = []
    for demand, own in wanted:
        both = (selector, own)
        good = [device for device in worker.devices if accepts(demand, both, worker, device, request, selectors)]
        ids = tuple(device.id for device in good)
        if len(ids) < demand.count:
            out = _kept_out(demand, both, worker, request, selectors)
            if out and len(ids) + len(out) >= demand.count:
                why = "hidden by an administrator" if any(HIDDEN in one.conditions for one in out) else "quarantined"
                some = "1 device" if len(out) == 1 else f"{len(out)} devices"
                text = f"{some} of the kind asked for on {worker.name} {'is' if len(out) == 1 else 'are'} {why}"
                return Misfit(Wait.LATER, Code.STATE, text)
            asked = f" with {told(demand.capacities)}" if demand.capacities else ""
            text = f"{worker.name} has {len(ids)} of {demand.count} devices of the kind asked for{asked}"
            return Misfit(Wait.NEVER, Code.DEVICES if request.devices else Code.SELECTOR, text)
        candidates.append(ids)
    intolerable = frozenset() if "*" in request.tolerations else worker.taints - request.tolerations
    tainted = f"{worker.name} is tainted {', '.join(sorted(intolerable))}"
    if any(taint not in PASSING_TAINTS and not taint.startswith(RESERVED) for taint in intolerable):
        return Misfit(Wait.NEVER, Code.TAINT, tainted)
    found = Eligible(tuple(one.count for one in demands), tuple(candidates), _portioned(demands, candidates, worker))
    whole = place(request, worker, Free.whole(worker), found, 1, 0)
    if isinstance(whole, Misfit):
        return whole
    return Misfit(Wait.LATER, Code.STATE, _passing(worker, intolerable)) if intolerable else found


def _passing(worker: WorkerView, taints: frozenset[str]) -> str:
    """What keeps work away for a while."""
    projects = sorted(taint.removeprefix(RESERVED) for taint in taints if taint.startswith(RESERVED))
    others = sorted(taint for taint in taints if not taint.startswith(RESERVED))
    told = [f"reserved for project {' and '.join(projects)}"] if projects else []
    told += [f"tainted {', '.join(others)}, which passes"] if others else []
    return f"{worker.name} is {' and '.join(told)}"


def _kept_out(
    demand: DeviceRequest, both: tuple[Selector, Selector], worker: WorkerView, request: Request, selectors: Selectors
) -> list[Device]:
    """The devices that it would have besides, were none of them quarantined or hidden."""
    tolerant = replace(request, tolerations=request.tolerations | PASSING_CONDITIONS)
    out = (one for one in worker.devices if PASSING_CONDITIONS & one.conditions - request.tolerations)
    return [device for device in out if accepts(demand, both, worker, device, tolerant, selectors)]


def _portioned(
    demands: Sequence[DeviceRequest], candidates: Sequence[Sequence[str]], worker: WorkerView
) -> tuple[Amounts, ...]:
    """What each request takes of devices that are shareable, where there are some."""
    if not worker.shareable:
        return ()
    pairs = zip(demands, candidates, strict=True)
    found = tuple(one.capacities if not worker.shareable.keys().isdisjoint(ids) else () for one, ids in pairs)
    return found if any(found) else ()


def device_demands(request: Request, selector: Selector) -> tuple[DeviceRequest, ...]:
    """The devices of a slot: as requested, or one if only the selector speaks of a device."""
    return request.devices or (_ONE_DEVICE if selector.uses_device else ())


def accepts(
    demand: DeviceRequest,
    both: tuple[Selector, Selector],
    worker: WorkerView,
    device: Device,
    request: Request,
    selectors: Selectors,
) -> bool:
    """Whether one device is of the class asked for, as large, usable, and satisfies both selectors."""
    if demand.device_class and device.device_class != demand.device_class:
        return False
    if any(device.capacities.get(name, 0) < amount for name, amount in demand.capacities):
        return False
    if (device.conditions & BLOCKING_CONDITIONS) - request.tolerations:
        return False
    return all(selectors.answer(selector, worker, device).holds for selector in both)


def place(
    request: Request, worker: WorkerView, free: Free, found: Eligible, least: int = 1, most: int = 0
) -> Fit | Misfit:
    """The part of ``fit`` that depends on what is in use."""
    if request.exclusive and not free.untouched:
        return Misfit(Wait.LATER, Code.BUSY, f"the host of {worker.name} is in use, and the request wants it alone")
    slots = min(_slots(request, worker, free), most or _NO_LIMIT)
    devices: tuple[tuple[str, ...], ...] = ()
    asked = bool(found.counts) and slots >= least
    if asked:
        devices = granted(worker, free, found, slots)
        slots = len(devices)
    if slots >= least and slots > 0:
        return Fit(slots, devices, portions_of(request, devices, worker) if found.amounts else ())
    code = Code.DEVICES if asked else _tightest(request, worker, free)
    return _shortage(request, worker, free, code, slots, least, found)


def room(request: Request, worker: WorkerView, free: Free, found: Eligible) -> int:
    """How many slots ``place`` would find room for. Whoever plans asks this far more often than for a placement."""
    if request.exclusive and not free.untouched:
        return 0
    slots = _slots(request, worker, free)
    if slots <= 0 or not found.counts:
        return slots
    if not found.amounts:
        return capacity(worker, found.counts, found.candidates, free.devices, slots)
    whole, portioned = _apart(worker, free, found, slots)
    for count, one in portioned:
        slots = most_slots(one, count, slots)
    return capacity(worker, whole.counts, whole.candidates, free.devices, slots) if slots and whole.counts else slots


def granted(worker: WorkerView, free: Free, found: Eligible, most: int) -> tuple[tuple[str, ...], ...]:
    """The ids for each slot, at most ``most`` slots; deterministic, and no fewer slots than possible.

    Requests that take portions name classes of their own (see ``validate``), so none of them is in another one's way.
    """
    if not found.amounts:
        return grant(worker, found.counts, found.candidates, free.devices, most)
    whole, portioned = _apart(worker, free, found, most)
    for count, one in portioned:
        most = most_slots(one, count, most)
    parts = grant(worker, whole.counts, whole.candidates, free.devices, most) if whole.counts else ((),) * most
    for count, one in portioned:
        parts = tuple((*ids, *more) for ids, more in zip(parts, deal(one, count, len(parts)), strict=True))
    return parts


def _apart(worker: WorkerView, free: Free, found: Eligible, most: int) -> tuple[Eligible, list[tuple[int, Rooms]]]:
    """The requests that take devices whole; and of the others how many, and the room that each device has for them."""
    rows = list(zip(found.counts, found.candidates, found.amounts, strict=True))
    whole = [(count, ids) for count, ids, amounts in rows if not amounts]
    portioned = [
        (count, rooms(amounts, ids, worker, free.devices, free.portions, most))
        for count, ids, amounts in rows
        if amounts
    ]
    return Eligible(tuple(count for count, _ in whole), tuple(ids for _, ids in whole)), portioned


def _slots(request: Request, worker: WorkerView, free: Free) -> int:
    """How many slots fit, devices aside."""
    slots, cpu = free.slots, slot_millicores(request, worker)
    if cpu > 0:
        slots = min(slots, free.cpu_millis // cpu)
    if request.memory_bytes > 0:
        slots = min(slots, free.memory_bytes // request.memory_bytes)
    return max(slots, 0)


def _tightest(request: Request, worker: WorkerView, free: Free) -> Code:
    """What of a worker, devices aside, is enough for the fewest slots."""
    limits = {Code.SLOTS: max(free.slots, 0)}
    cpu = slot_millicores(request, worker)
    if cpu > 0:
        limits[Code.CPU] = max(free.cpu_millis // cpu, 0)
    if request.memory_bytes > 0:
        limits[Code.MEMORY] = max(free.memory_bytes // request.memory_bytes, 0)
    return min(limits, key=limits.__getitem__)


def _shortage(
    request: Request, worker: WorkerView, free: Free, code: Code, slots: int, least: int, found: Eligible
) -> Misfit:
    if free.untouched:
        wanted = {
            Code.CPU: f"{request.cpu_cores:g} cores a slot; {worker.name} has {worker.cpu_cores:g}",
            Code.MEMORY: f"{format_quantity(request.memory_bytes)} a slot; {worker.name} has "
            + format_quantity(worker.memory_bytes),
        }.get(code, f"{least} slots; {worker.name} has room for {slots}")
        return Misfit(Wait.NEVER, code, f"the request wants {wanted}")
    if free.closed:
        return Misfit(Wait.LATER, Code.BUSY, f"somebody has the host of {worker.name} alone")
    missing = lacking(worker, free, found) if code is Code.DEVICES else None
    text = f"{worker.name} has {slots} of {least} slots free, short of {code}"
    return Misfit(Wait.LATER, Code.BUSY, f"{text}: {shortage(*missing)}" if missing else text)


def lacking(worker: WorkerView, free: Free, found: Eligible) -> tuple[Amounts, Portion] | None:
    """What a slot takes of a device that is partly taken, and what is left of that; None where it takes no portion, or nothing is held."""
    for ids, amounts in zip(found.candidates, found.amounts, strict=False):
        left = nearest(amounts, ids, worker, free.portions) if amounts else None
        if left is not None:
            return amounts, left
    return None
