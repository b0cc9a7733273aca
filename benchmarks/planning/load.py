"""A fleet and a queue of any size, always the same for the same sizes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from crossfleet.matching.model import Device, DeviceRequest, Placement, Preference, Request, WorkerView
from crossfleet.matching.version import Version
from crossfleet.scheduler.core.model import Delta, Group, Share

_MODELS = ("a100", "h100", "l4", "t4", "mi300")
_ZONES = ("eu", "us")
_GIB = 2**30


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large a load is. A worker has as many devices as slots, at most eight.

    ``wishes``: of ten requests one is for a gang, one for whole hosts, one for two slots at once, one is spread, and two
    prefer some hosts. ``sharing``: all devices are shareable, and whoever wants one wants a part of its memory.
    """

    workers: int = 10_000
    groups: int = 20_000
    shapes: int = 200
    projects: int = 50
    kinds: int = 40
    slots: int = 4
    wishes: bool = False
    sharing: bool = False

    def __str__(self) -> str:
        devices = self.workers * min(self.slots, 8)
        return (
            f"{self.workers} workers ({devices} devices, {self.kinds} kinds), {self.groups} groups, "
            f"{self.shapes} shapes, {self.projects} projects"
        )


def rows(sizes: Sizes) -> Delta:
    """All rows of a load, nothing placed yet. By itself it asks for about twice the slots that the fleet has."""
    random = Random(6)
    requests = [
        _wishful(_request(number), number) if sizes.wishes else _request(number) for number in range(sizes.shapes)
    ]
    if sizes.sharing:
        requests = [_portioned(one, number) for number, one in enumerate(requests)]
    groups = tuple(_group(number, requests, sizes, random) for number in range(sizes.groups))
    shares = tuple(
        Share(f"project-{number:03}", 1.0 + number % 3, {"cpu": random.random() / sizes.projects})
        for number in range(sizes.projects)
    )
    workers = tuple(_worker(number, sizes.kinds, sizes.slots) for number in range(sizes.workers))
    if sizes.sharing:
        workers = tuple(replace(one, devices=tuple(map(_shareable, one.devices))) for one in workers)
    return Delta(workers=workers, groups=groups, shares=shares)


def _group(number: int, requests: list[Request], sizes: Sizes, random: Random) -> Group:
    request = requests[random.randrange(sizes.shapes)]
    priority = random.choice((0, 0, 0, 5)) if number % 2 == 0 else 0
    wanted = random.choice((1, 2, 4, 8))
    return Group(
        id=f"run-{number // 2:06}/t{number % 2}",
        run_id=f"run-{number // 2:06}",
        project=f"project-{(number // 2) % sizes.projects:03}",
        target=f"t{number % 2}",
        request=request,
        priority=priority,
        submitted_at=1000.0 + number // 2,
        wanted_slots=request.gang * request.slots_min if request.gang > 1 else max(wanted, request.slots_min),
        remaining_cases=100,
        collected=True,
        estimated_seconds=random.choice((20.0, 60.0, 300.0)),
    )


def _worker(number: int, kinds: int, slots: int) -> WorkerView:
    kind = number % kinds
    model = _MODELS[kind % len(_MODELS)]
    devices = tuple(
        Device(
            f"GPU-{number:06}-{at}",
            "gpu",
            {
                "model": model,
                "memory": (16 << kind % 3) * _GIB,
                "driver": Version(f"550.{kind}"),
                "uuid": f"GPU-{number:06}-{at}",
                "index": at,
            },
        )
        for at in range(min(slots, 8))
    )
    return WorkerView(
        f"host-{number:06}",
        labels={"zone": _ZONES[kind // len(_MODELS) % 2], "rack": f"r{kind % 20}"},
        devices=devices,
        cpu_cores=4.0 * slots,
        memory_bytes=16 * slots * _GIB,
        slots_total=slots,
        runners=frozenset({"pytest"}),
        host=f"host-{number:06}",
        version="0.1.0",
    )


def _request(number: int) -> Request:
    """Distinct for each number: one of four sizes, and a selector."""
    size, which = number % 4, number // 4
    selector = (
        f'worker.labels.rack != "r{20 + which}"',
        f'worker.labels.zone == "{_ZONES[which // 4 % 2]}" && worker.slots >= {-(which // 8)}',
        f'device.class == "gpu" && device.model == "{_MODELS[which // 4 % 5]}" && device.memory >= {which // 20}',
        f'device.memory >= quantity("{16 << which // 4 % 3}Gi") && version(device.driver) >= version("550.{which // 12}")',
    )[which % 4]
    return Request(
        selector=selector,
        cpu_cores=(0.0, 2.0, 4.0, 1.0)[size],
        memory_bytes=(0, 4, 16, 2)[size] * _GIB,
        devices=(DeviceRequest("gpu", "", 2),) if which % 20 == 2 and size == 1 else (),
        runner="pytest",
    )


def _shareable(device: Device) -> Device:
    return replace(device, capacities={"memory": 16 * _GIB}, shareable=True)


def _portioned(request: Request, number: int) -> Request:
    asks = request.devices or ((DeviceRequest("gpu"),) if "device" in request.selector else ())
    amount = (("memory", (3, 5, 8, 16)[number // 3 % 4] * _GIB),)
    return replace(request, devices=tuple(replace(one, capacities=amount) for one in asks))


def _wishful(request: Request, number: int) -> Request:
    europe = Preference('worker.labels.zone == "eu"', 3)
    rack = Preference(f'worker.labels.rack == "r{number % 20}"')
    return {
        1: lambda: replace(request, gang=2 + number // 10 % 3, slots_min=1 + number // 30 % 2),
        3: lambda: replace(request, exclusive=True),
        4: lambda: replace(request, slots_min=2),
        6: lambda: replace(request, placement=Placement.SPREAD),
        7: lambda: replace(request, preferred=(europe,)),
        9: lambda: replace(request, preferred=(europe, rack)),
    }.get(number % 10, lambda: request)()
