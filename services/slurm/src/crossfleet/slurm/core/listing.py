"""Pilots as Slurm lists them. What a pilot is for stands in its job's comment, so that a new bridge knows it too."""

import re
from collections.abc import Iterator

from crossfleet.slurm.core.pool import Order, Pilot, Shape, Stage

FORMAT = "%i|%T|%S|%r|%k"
"""For squeue: job id, state, start, reason, comment."""

_QUEUED = frozenset({"PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT"})
_RUNNING = frozenset({"CONFIGURING", "RUNNING", "SUSPENDED", "RESIZING", "SIGNALING", "STOPPED"})
_COMMENT = re.compile(
    r"crossfleet pool=(\S+) slots=(\d+) cpus=([0-9.]+) memory=(\d+) devices=(\S*) exclusive=([01]) group=(.*)"
)
_UNPRINTABLE = re.compile(r"[^ -~]|[|\"'\\]")


def comment(order: Order) -> str:
    """What the job of an order says of itself."""
    shape = order.shape
    devices = ",".join(f"{name}:{count}" for name, count in shape.devices)
    group = _UNPRINTABLE.sub("?", order.group_id)
    return (
        f"crossfleet pool={shape.pool} slots={order.slots} cpus={shape.cpu_cores:g} memory={shape.memory_bytes}"
        f" devices={devices} exclusive={int(shape.exclusive)} group={group}"
    )


def pilots(text: str) -> list[Pilot]:
    """What squeue printed in FORMAT; lines that are none of it are left out."""
    return list(_pilots(text))


def _pilots(text: str) -> Iterator[Pilot]:
    for line in text.splitlines():
        parts = line.strip().split("|", 4)
        if len(parts) == 5 and parts[0]:
            job, state, start, reason, told = parts
            yield Pilot(job, _stage(state), state, "" if reason == "None" else reason, _seconds(start), _order(told))


def _stage(state: str) -> Stage:
    if state in _QUEUED:
        return Stage.QUEUED
    return Stage.RUNNING if state in _RUNNING else Stage.ENDED


def _seconds(start: str) -> float | None:
    return float(start) if start.isdigit() else None


def _order(told: str) -> Order | None:
    found = _COMMENT.fullmatch(told.strip())
    if found is None:
        return None
    pool, slots, cpus, memory, devices, exclusive, group = found.groups()
    try:
        pairs = tuple(
            (name, int(count)) for name, _, count in (one.partition(":") for one in devices.split(",") if one)
        )
        shape = Shape(pool, float(cpus), int(memory), pairs, exclusive == "1")
    except ValueError:
        return None
    return Order(shape, int(slots), group)
