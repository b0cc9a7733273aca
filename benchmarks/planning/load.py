"""A fleet and a queue of any size, always the same for the same sizes."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from crossfleet.matching.model import Device, DeviceRequest, Request, WorkerView
from crossfleet.matching.version import Version
from crossfleet.scheduler.core.model import Delta, Group, Share

_MODELS = ("a100", "h100", "l4", "t4", "mi300")
_ZONES = ("eu", "us")
_GIB = 2**30


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large a load is. A worker has four devices and four slots."""

    workers: int = 10_000
    groups: int = 20_000
    shapes: int = 200
    projects: int = 50
    kinds: int = 40

    def __str__(self) -> str:
        return (
            f"{self.workers} workers ({self.workers * 4} devices, {self.kinds} kinds), {self.groups} groups, "
            f"{self.shapes} shapes, {self.projects} projects"
        )


def rows(sizes: Sizes) -> Delta:
    """All rows of a load, nothing placed yet. It asks for about twice the slots that the fleet has."""
    random = Random(6)
    requests = [_request(number) for number in range(sizes.shapes)]
    groups = tuple(
        Group(
            id=f"run-{number // 2:06}/t{number % 2}",
            run_id=f"run-{number // 2:06}",
            project=f"project-{(number // 2) % sizes.projects:03}",
            target=f"t{number % 2}",
            request=requests[random.randrange(sizes.shapes)],
            priority=random.choice((0, 0, 0, 5)) if number % 2 == 0 else 0,
            submitted_at=1000.0 + number // 2,
            wanted_slots=random.choice((1, 2, 4, 8)),
            remaining_cases=100,
            collected=True,
            estimated_seconds=random.choice((20.0, 60.0, 300.0)),
        )
        for number in range(sizes.groups)
    )
    shares = tuple(
        Share(f"project-{number:03}", 1.0 + number % 3, {"cpu": random.random() / sizes.projects})
        for number in range(sizes.projects)
    )
    return Delta(
        workers=tuple(_worker(number, sizes.kinds) for number in range(sizes.workers)), groups=groups, shares=shares
    )


def _worker(number: int, kinds: int) -> WorkerView:
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
        for at in range(4)
    )
    return WorkerView(
        f"host-{number:06}",
        labels={"zone": _ZONES[kind // len(_MODELS) % 2], "rack": f"r{kind % 20}"},
        devices=devices,
        cpu_cores=16.0,
        memory_bytes=64 * _GIB,
        slots_total=4,
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
