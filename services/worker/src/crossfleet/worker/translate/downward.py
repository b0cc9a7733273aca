"""From what the coordinator says to the shim's lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crossfleet.api.worker.v1 import worker_service_pb2 as wire
from crossfleet.worker.core.holdings import Task

Line = dict[str, Any]

_WAIT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Opening:
    """Everything that the shim needs to open an allocation: paths are absolute, the environment is complete.

    Times in seconds and sizes in bytes; zero: no limit. `first_number`: of its first slot among the `run_slots` of the run.
    `next_seed`: hash seed of the next run in the same folder, if it can be foreseen.
    """

    allocation: str
    runner: str
    arguments: Sequence[str]
    python: str
    as_module: bool
    directory: str
    environment: Mapping[str, str]
    slot_environments: Mapping[int, Mapping[str, str]]
    artifacts: str
    memory_bytes: int = 0
    case_seconds: float = 0.0
    max_failures: int = 0
    collect_seconds: float = 0.0
    grace_seconds: float = 5.0
    output_bytes: int = 64 * 1024
    junit_globs: Sequence[str] = field(default_factory=tuple)
    run: str = ""
    first_number: int = 0
    run_slots: int = 0
    program: str = ""
    next_seed: int = 0
    gates: Line = field(default_factory=dict)


def open_line(opening: Opening) -> Line:
    """`open`."""
    return {
        "op": "open",
        "allocation": opening.allocation,
        "runner": opening.runner,
        "program": opening.program,
        "argv": list(opening.arguments),
        "python": opening.python or None,
        "as_module": opening.as_module,
        "cwd": opening.directory,
        "env": dict(opening.environment),
        "slots": [
            {"slot": slot, "number": number, "env": dict(env), "memory_bytes": opening.memory_bytes}
            for number, (slot, env) in enumerate(opening.slot_environments.items(), opening.first_number)
        ],
        "run": opening.run,
        "run_slots": opening.run_slots,
        "next_seed": opening.next_seed,
        "limits": {
            "case_seconds": opening.case_seconds,
            "max_failures": opening.max_failures,
            "collect_seconds": opening.collect_seconds,
            "grace_seconds": opening.grace_seconds,
            "output_bytes": opening.output_bytes,
        },
        "artifacts_dir": opening.artifacts,
        "junit_globs": list(opening.junit_globs),
        "gates": opening.gates,
    }


def gates(order: wire.OpenAllocation, root: str) -> Line:
    """The gates of an `open`, nothing where none is asked for; the host's /proc and /sys are below `root`."""
    message = order.gates
    limits = {each.name: value for each, value in message.ListFields() if each.name not in ("wait", "repeats")}
    if not limits:
        return {}
    devices = dict.fromkeys(device for slot in order.devices for device in slot.device_ids)
    return {
        "limits": limits,
        "wait": message.wait.ToTimedelta().total_seconds() if message.HasField("wait") else _WAIT_SECONDS,
        "repeats": message.repeats if message.HasField("repeats") else 1,
        "devices": list(devices),
        "root": root,
    }


def tasks(message: wire.Assign) -> list[Task]:
    """The tasks of an Assign."""
    return [
        Task(task.attempt_id, task.slot, tuple(task.case_indices), task.last, tuple(task.case_timeout_seconds))
        for task in message.tasks
    ]


def run_line(allocation: str, task: Task) -> Line:
    """`run`."""
    line: Line = {
        "op": "run",
        "allocation": allocation,
        "slot": task.slot,
        "attempt": task.attempt,
        "cases": list(task.cases),
        "last": task.last,
    }
    limits = {str(case): limit for case, limit in zip(task.cases, task.limits, strict=False) if limit > 0}
    return {**line, "case_seconds": limits} if limits else line


def last_line(allocation: str, slot: int) -> Line:
    """`last`."""
    return {"op": "last", "allocation": allocation, "slot": slot}


def cancel_line(attempts: Iterable[int], grace: float) -> Line:
    """`cancel`; grace in seconds."""
    return {"op": "cancel", "attempts": list(attempts), "grace": grace}


def inspect_line(message: wire.Inspect) -> Line:
    """`inspect`; places are in bytes."""
    places = list(message.output_places)
    return {
        "op": "inspect",
        "request": message.request_id,
        "attempts": list(message.attempt_ids),
        "stacks": message.stacks,
        "places": places if len(places) == 2 else None,
    }


def close_slots_line(allocation: str, slots: Iterable[int]) -> Line:
    """`close_slots`."""
    return {"op": "close_slots", "allocation": allocation, "slots": list(slots)}


def preempt_line(allocation: str, seconds: float) -> Line:
    """`preempt`."""
    return {"op": "preempt", "allocation": allocation, "seconds": seconds}


def close_line(allocation: str) -> Line:
    """`close`."""
    return {"op": "close", "allocation": allocation}
