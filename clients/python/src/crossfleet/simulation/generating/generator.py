"""Makes a trace of a kind: always the same for the same wish."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from crossfleet.simulation.generating.loads import CLASSES, LOADS, Load, drawn_class, drawn_span
from crossfleet.simulation.trace.rows import (
    BackRow,
    DeviceRow,
    GroupRow,
    Happening,
    LostRow,
    Row,
    Trace,
    VersionValue,
    WorkerRow,
)

_GIB = 2**30
_HOUR = 3600.0
# Of so many groups the mean is taken for that of all.
_SAMPLE = 400
_BURST = 25
_BURST_SECONDS = 60.0
_AWAY_SECONDS = 600.0
_FIRST_HOUR = 8.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted. `load`: work offered over work that the fleet can do; `losses`: how often a day a worker is lost.

    `deadlines`: the part of all groups that have one; `classes`: whether groups are of priority classes. Neither changes
    anything else of a trace.
    """

    kind: str
    workers: int = 20
    hours: float = 4.0
    projects: int = 5
    load: float = 0.9
    losses: float = 0.0
    seed: int = 1
    deadlines: float = 0.0
    classes: bool = False


def generate(wish: Wish) -> Iterator[Row]:
    """The rows of a trace, in order."""
    random = Random(wish.seed)  # noqa: S311 - it is to be foreseeable
    names = [f"project-{number}" for number in range(1, wish.projects + 1)]
    yield Trace(
        title=f"{wish.kind}: {wish.workers} workers, {wish.hours:g} h, load {wish.load:g}, seed {wish.seed}",
        project_weights={name: float(1 + at % 3) for at, name in enumerate(names)},
        priority_classes=CLASSES if wish.classes else {},
    )
    workers = [_worker(number) for number in range(wish.workers)]
    yield from workers
    speed = sum(one.slots * one.speed for one in workers)
    losses = sorted(_losses(workers, wish, random), key=lambda row: row.at)
    yield from heapq.merge(_groups(wish, names, speed, random), losses, key=lambda row: row.at)


def _worker(number: int) -> WorkerRow:
    """Of four workers two are plain, one is large and fast, one has GPUs."""
    name, kind = f"worker-{number + 1:04}", number % 4
    labels = {"zone": "eu" if number % 8 < 4 else "us", "kind": ("plain", "plain", "fast", "gpu")[kind]}
    if kind == 2:
        return WorkerRow(0.0, name, 8, 16.0, 128 * _GIB, labels, speed=2.0)
    if kind == 3:
        devices = [
            DeviceRow(
                f"{name}-gpu-{at}",
                "gpu",
                {"model": "l4", "memory": 24 * _GIB, "driver": VersionValue("550.54"), "index": at},
            )
            for at in range(4)
        ]
        return WorkerRow(0.0, name, 4, 16.0, 64 * _GIB, labels, devices=devices, speed=1.5)
    return WorkerRow(0.0, name, 4, 8.0, 32 * _GIB, labels)


def _groups(wish: Wish, names: list[str], speed: float, random: Random) -> Iterator[Happening]:
    load, own = LOADS[wish.kind], Random(wish.seed + 1)  # noqa: S311 - as above
    mean = sum(sum(load.draw(random).cases) for _ in range(_SAMPLE)) / _SAMPLE
    number = max(round(wish.load * speed * wish.hours * _HOUR / mean), 1)
    popular = [1.0 / (1 + at) for at in range(len(names))]
    for index, (at, burst) in enumerate(_times(load, wish.hours, number, random), 1):
        drawn = load.draw(random)
        project = names[burst % len(names)] if burst >= 0 else random.choices(names, popular)[0]
        named = drawn_class(drawn, own) if wish.classes else ""
        due = at + drawn_span(drawn, own)
        hurried = own.random() < wish.deadlines
        yield GroupRow(
            at=round(at, 3),
            group_id=f"run-{index:06}/all",
            run_id=f"run-{index:06}",
            cases=[*drawn.cases],
            project=project,
            target="all",
            request=drawn.request,
            priority=0 if named else drawn.priority,
            setup_seconds=drawn.setup,
            kind=drawn.kind,
            priority_class=named,
            deadline=round(due, 3) if hurried else None,
        )


def _times(load: Load, hours: float, number: int, random: Random) -> list[tuple[float, int]]:
    """When groups come, in order; with the number of their burst, or -1."""
    found: list[tuple[float, int]] = []
    together = round(number * load.bursts)
    for burst in range(math.ceil(together / _BURST)):
        begin = random.uniform(0, max(hours * _HOUR - _BURST_SECONDS, 0.0))
        size = min(_BURST, together - burst * _BURST)
        found += [(begin + random.uniform(0, _BURST_SECONDS), burst) for _ in range(size)]
    while len(found) < number:
        at = random.uniform(0, hours * _HOUR)
        if random.random() < load.rate(_FIRST_HOUR + at / _HOUR):
            found.append((at, -1))
    return sorted(found)


def _losses(workers: list[WorkerRow], wish: Wish, random: Random) -> Iterator[Happening]:
    """Each worker is lost now and then, and is back after some ten minutes."""
    for one in workers if wish.losses > 0 else ():
        at = random.expovariate(wish.losses / (24 * _HOUR))
        while at < wish.hours * _HOUR:
            back = at + _AWAY_SECONDS * random.uniform(0.5, 1.5)
            yield LostRow(round(at, 3), one.worker_id)
            yield BackRow(round(back, 3), one.worker_id)
            at = back + random.expovariate(wish.losses / (24 * _HOUR))
