"""What a pilot for a request asks Slurm for, and whether its worker would be one that the request wants."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import ceil

from crossfleet.matching.cel import Selector, SelectorError
from crossfleet.matching.fit import Eligible, eligible
from crossfleet.matching.model import SHARED_CLASSES, Device, DeviceRequest, Request, WorkerView
from crossfleet.matching.selectors import Selectors
from crossfleet.slurm.core.pool import Pool, Shape

_KNOWN_KINDS = 32
_KNOWN_REQUESTS = 4096
_Kind = tuple[frozenset[str], str]
"""The device classes that were asked for, and what the worker is, by its signature."""


def shape_of(request: Request, pool: Pool) -> Shape | None:
    """What a slot of this pool would get for a request; None where the pool cannot give it."""
    asked: dict[str, int] = {}
    for demand in request.devices:
        asked[demand.device_class] = asked.get(demand.device_class, 0) + demand.count
    given = {name: count for name, count in asked.items() if name and name not in SHARED_CLASSES}
    if any(name not in pool.gres for name in given) or request.slots_min > pool.slots or request.gang > 1:
        return None
    devices = {name: max(given.get(name, 0), pool.devices.get(name, 0)) for name in given.keys() | pool.devices.keys()}
    return Shape(
        pool.name,
        request.cpu_cores or pool.cpu_cores,
        request.memory_bytes or pool.memory_bytes,
        tuple(sorted((name, count) for name, count in devices.items() if count)),
        request.exclusive,
    )


def cpus(shape: Shape, slots: int) -> int:
    """Whole processors of a pilot."""
    return max(ceil(shape.cpu_cores * slots - 1e-9), 1)


class Suitability:
    """Judges pools by what the settings say of them, and by the workers that came from them.

    What neither says, such as the memory of a GPU that nobody has seen, is taken for right: the first pilot shows it.
    """

    def __init__(self, pools: Iterable[Pool]) -> None:
        """Nothing seen yet."""
        self._pools = {pool.name: pool for pool in pools}
        self._seen: dict[str, dict[_Kind, WorkerView]] = {name: {} for name in self._pools}
        self._selectors = Selectors()
        self._found: dict[Request, tuple[Shape, ...]] = {}

    def learn(self, worker: WorkerView, shape: Shape) -> None:
        """The worker of a pilot of this shape has come. That it lacks devices which were asked for says something, too."""
        seen = self._seen.get(shape.pool)
        if seen is None or not worker.devices:
            return
        self._selectors.learn([worker])
        # The next one may come from another node, where all is well.
        devices = tuple(replace(device, conditions=frozenset()) for device in worker.devices)
        kind = replace(worker, name="", host="", taints=frozenset(), devices=devices)
        key = frozenset(name for name, _ in shape.devices), kind.signature
        if key in seen:
            return
        seen[key] = kind
        self._found.clear()
        while len(seen) > _KNOWN_KINDS:
            del seen[next(iter(seen))]

    def shapes(self, request: Request) -> tuple[Shape, ...]:
        """The pilots that would serve a request, by pool, in the order of the settings."""
        found = self._found.get(request)
        if found is None:
            if len(self._found) >= _KNOWN_REQUESTS:
                self._found.clear()
            pairs = ((pool, shape_of(request, pool)) for pool in self._pools.values())
            found = tuple(shape for pool, shape in pairs if shape is not None and self._suits(request, pool, shape))
            self._found[request] = found
        return found

    def _suits(self, request: Request, pool: Pool, shape: Shape) -> bool:
        # How many there are of each device is what the pilot asks for.
        kind = replace(request, devices=tuple(replace(one, count=1) for one in request.devices))
        classes = {name for name, _ in shape.devices}
        # Workers for which other devices were asked say nothing of these.
        seen = [worker for (asked, _), worker in self._seen[pool.name].items() if classes <= asked]
        if seen:
            return any(
                isinstance(eligible(kind, _sized(worker, pool, shape), self._selectors), Eligible) for worker in seen
            )
        return self._may_suit(kind, _sized(WorkerView("", runners=frozenset({request.runner})), pool, shape))

    def _may_suit(self, request: Request, worker: WorkerView) -> bool:
        """The same of a worker that nobody has seen: what cannot be told counts as right."""
        if "*" not in request.tolerations and worker.taints - request.tolerations:
            return False
        try:
            selector = self._selectors.compile(request.selector)
            demands = [(one, self._selectors.compile(one.selector)) for one in request.devices]
        except SelectorError:
            return False
        if not selector.uses_device and not self._holds(selector, worker, None):
            return False
        if not demands and selector.uses_device:
            demands = [(DeviceRequest(), self._selectors.compile(""))]
        return all(
            any(
                demand.device_class in ("", device.device_class)
                and self._holds(own, worker, device)
                and (not selector.uses_device or self._holds(selector, worker, device))
                for device in worker.devices
            )
            for demand, own in demands
        )

    def _holds(self, selector: Selector, worker: WorkerView, device: Device | None) -> bool:
        answer = self._selectors.answer(selector, worker, device)
        return answer.holds or (device is not None and bool(answer.missing))


def _sized(worker: WorkerView, pool: Pool, shape: Shape) -> WorkerView:
    """A worker as a full pilot of this shape would be."""
    labels: Mapping[str, str] = {**pool.labels, "pool": pool.name}
    classes = ["cpu", *(name for name, _ in shape.devices)]
    return replace(
        worker,
        labels=labels,
        devices=worker.devices or tuple(Device(f"{name}-0", name) for name in classes),
        cpu_cores=float(cpus(shape, pool.slots)),
        memory_bytes=shape.memory_bytes * pool.slots or 1 << 60,
        slots_total=pool.slots,
        taints=frozenset(pool.taints),
    )
