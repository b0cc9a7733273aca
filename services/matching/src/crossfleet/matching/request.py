"""Checks a request when it is submitted, so that a mistake is told before anything waits for it."""

import math
import re
from collections.abc import Sequence

from crossfleet.matching import gates
from crossfleet.matching.cel import SelectorError
from crossfleet.matching.model import HIDDEN, RESERVED, SHARED_CLASSES, DeviceRequest, Placement, Request
from crossfleet.matching.selectors import Selectors

MAX_DEVICE_REQUESTS = 16
MAX_DEVICES = 64
MAX_CAPACITIES = 16
MAX_AMOUNT = 2**63 - 1
MAX_SLOTS = 100_000
MAX_GANG = 1_000
MAX_PREFERENCES = 16
MAX_WEIGHT = 1_000
MAX_OFFERED_PREFERENCES = 24
MAX_OFFERED_WEIGHT = 20_000
"""As alternatives are offered: earlier ones go before whatever else is preferred."""
MAX_SEMAPHORES = 16
_LABEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]{0,63}")
MAX_SEMAPHORE = 1_000_000


class RequestError(ValueError):
    """A field of a request that cannot be; ``field`` is its path (``devices[1].count``)."""

    def __init__(self, field: str, message: str) -> None:
        """Keep the parts, for BadRequest details."""
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


def validate(request: Request, selectors: Selectors, *, offered: bool = False) -> None:
    """Raise RequestError for the first field that is wrong; caused by a SelectorError where it is a selector.

    `offered`: it is one as schedulers see it, not as a person wrote it.
    """
    _compile(request.selector, "selector", selectors)
    if not (math.isfinite(request.cpu_cores) and request.cpu_cores >= 0):
        raise RequestError("cpu_cores", f"{request.cpu_cores} is not a number of cores; 0 means the worker's share")
    if request.memory_bytes < 0:
        raise RequestError("memory_bytes", f"{request.memory_bytes} is less than nothing; 0 reserves none")
    for name, value in (("slots_min", request.slots_min), ("slots_max", request.slots_max)):
        if not 0 <= value <= MAX_SLOTS:
            raise RequestError(name, f"{value} is not from 0 to {MAX_SLOTS}")
    if not 0 <= request.gang <= MAX_GANG:
        raise RequestError("gang", f"{request.gang} is not from 0 to {MAX_GANG}")
    if request.slots_max and request.slots_max < request.slots_min * max(request.gang, 1):
        if request.gang > 1:
            needed = request.slots_min * request.gang
            raise RequestError("slots_max", f"{request.slots_max} is less than its gang needs, {needed}")
        raise RequestError("slots_max", f"{request.slots_max} is less than slots_min, {request.slots_min}")
    if len(request.devices) > MAX_DEVICE_REQUESTS:
        raise RequestError("devices", f"{len(request.devices)} entries; at most {MAX_DEVICE_REQUESTS} are allowed")
    if len(request.semaphores) > MAX_SEMAPHORES:
        raise RequestError("semaphores", f"{len(request.semaphores)} names; at most {MAX_SEMAPHORES} are allowed")
    for name, amount in request.semaphores:
        if not name or not 1 <= amount <= MAX_SEMAPHORE:
            raise RequestError(f"semaphores[{name!r}]", f"{amount} is not from 1 to {MAX_SEMAPHORE}")
    if any(taint.startswith(RESERVED) for taint in request.tolerations):
        raise RequestError("tolerations", f"{RESERVED}... is for the groups of the project alone that has reserved")
    if HIDDEN in request.tolerations:
        raise RequestError("tolerations", f"{HIDDEN!r} is for devices that an administrator keeps from work")
    for index, demand in enumerate(request.devices):
        _validate_devices(demand, f"devices[{index}]", selectors)
    check_capacities(request.devices, "devices", selectors)
    most, heaviest = (MAX_OFFERED_PREFERENCES, MAX_OFFERED_WEIGHT) if offered else (MAX_PREFERENCES, MAX_WEIGHT)
    if len(request.preferred) > most:
        raise RequestError("preferred", f"{len(request.preferred)} entries; at most {most} are allowed")
    for index, wish in enumerate(request.preferred):
        if not wish.selector:
            raise RequestError(f"preferred[{index}].selector", "is empty, so that every worker would satisfy it")
        _compile(wish.selector, f"preferred[{index}].selector", selectors)
        if not 1 <= wish.weight <= heaviest:
            raise RequestError(f"preferred[{index}].weight", f"{wish.weight} is not from 1 to {heaviest}")
    if request.prefer_least and not _LABEL.fullmatch(request.prefer_least):
        wrong = f"{request.prefer_least!r} is no name of a label or attribute, such as cost_per_hour or watts"
        raise RequestError("prefer_least", wrong)
    if request.placement is Placement.SPREAD and request.gang > 1:
        raise RequestError("placement", "a gang says itself on how many workers its slots lie; leave it out")
    _validate_gates(request)


def _validate_gates(request: Request) -> None:
    found = gates.wrong(request.gates)
    if found is not None:
        raise RequestError(f"gates.{found[0]}", found[1])
    if request.gates != gates.NO_GATES and not request.exclusive:
        raise RequestError("gates", "only a host of one's own is quiet: set exclusive too")
    if request.gates != gates.NO_GATES and request.gang > 1:
        raise RequestError("gates", "a gang cannot wait for them host by host; leave one of both out")
    if request.gates != gates.NO_GATES and request.slots_min > 1:
        raise RequestError("slots_min", f"{request.slots_min} slots have nothing to do: cases with gates run on one")


def _validate_devices(demand: DeviceRequest, path: str, selectors: Selectors) -> None:
    _compile(demand.selector, f"{path}.selector", selectors)
    if not 1 <= demand.count <= MAX_DEVICES:
        raise RequestError(f"{path}.count", f"{demand.count} is not from 1 to {MAX_DEVICES}")


def check_capacities(demands: Sequence[DeviceRequest], path: str, selectors: Selectors) -> None:
    """Raise RequestError for the first of some device requests whose capacities cannot be.

    Who takes portions names a class, and no other request may take a device of it: so what each slot takes of a device
    follows from its class, and requests are never in each other's way.
    """
    for index, demand in enumerate(demands):
        if not demand.capacities:
            continue
        field = f"{path}[{index}].capacities"
        if not demand.device_class:
            raise RequestError(f"{path}[{index}].device_class", "capacities are of devices of one class: name it")
        if demand.device_class in SHARED_CLASSES:
            raise RequestError(field, "of processors ask for cpu_cores, and for memory by memory_bytes")
        if any(one.device_class in ("", demand.device_class) for at, one in enumerate(demands) if at != index):
            text = f"another entry may take a device of class {demand.device_class} too; ask for it in one entry, with a count"
            raise RequestError(field, text)
        if len(demand.capacities) > MAX_CAPACITIES:
            raise RequestError(field, f"{len(demand.capacities)} names; at most {MAX_CAPACITIES} are allowed")
        for name, amount in demand.capacities:
            if not _LABEL.fullmatch(name):
                raise RequestError(field, f"{name!r} is no name of a capacity, such as memory")
            near = selectors.slip(name)
            if near:
                raise RequestError(field, f"no device is known to have {name!r}: {near}")
            if not 1 <= amount <= MAX_AMOUNT:
                raise RequestError(
                    f"{field}[{name!r}]", f"{amount} is not from 1 to {MAX_AMOUNT}; leave it out to take none"
                )


def _compile(selector: str, field: str, selectors: Selectors) -> None:
    try:
        selectors.compile(selector)
    except SelectorError as error:
        raise RequestError(field, str(error)) from error
