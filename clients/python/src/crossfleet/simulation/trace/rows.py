"""The format of a trace: one JSON object a line, the names of the protocols. Described in docs/simulate.md."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

_MOST_SECONDS = 10 * 366 * 86_400.0
_LONGEST_CASE = 7 * 86_400.0
_WORD = 200

Name = Annotated[str, Meta(min_length=1, max_length=_WORD)]
At = Annotated[float, Meta(ge=0, le=_MOST_SECONDS)]
Seconds = Annotated[float, Meta(gt=0, le=_LONGEST_CASE)]
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Amount = Annotated[int, Meta(ge=0, le=2**63 - 1)]
MOST_CASES = 1_000_000
"""Of one group."""


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    pass


class VersionValue(_Strict, frozen=True):
    """A version, which selectors compare part by part."""

    version: Annotated[str, Meta(min_length=1, max_length=_WORD)]


class Alike(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """Cases that last equally long, as `[seconds, how many]`."""

    seconds: Seconds
    count: Annotated[int, Meta(ge=1, le=MOST_CASES)]


class DeviceRow(_Strict, frozen=True):
    """A device of a worker."""

    device_id: Name
    device_class: Name
    attributes: dict[str, bool | int | float | str | list[str] | VersionValue] = {}
    capacities: dict[str, Amount] = {}
    conditions: list[str] = []
    shareable: bool = False


class DeviceRequestRow(_Strict, frozen=True):
    """Devices that each slot needs."""

    device_class: str = ""
    selector: str = ""
    count: Annotated[int, Meta(ge=1, le=64)] = 1
    capacities: dict[str, Annotated[int, Meta(ge=1, le=2**63 - 1)]] = {}


class RequestRow(_Strict, frozen=True):
    """What each slot needs, as in a matrix file."""

    cpu_cores: Annotated[float, Meta(ge=0, le=1e6)] = 0.0
    memory_bytes: Amount = 0
    devices: list[DeviceRequestRow] = []
    slots_min: Count = 0
    slots_max: Count = 0
    exclusive: bool = False
    tolerations: list[str] = []
    gang: Count = 0


class PriorityClassRow(_Strict, frozen=True):
    """What groups of a priority class are to others, as `admin priority set` says it.

    `grace_seconds`: for which tasks go on whose slots are taken back; without it to their end.
    """

    priority: Annotated[int, Meta(ge=-1000, le=1000)] = 0
    preempts: bool = False
    preemptible: bool = False
    grace_seconds: Annotated[float, Meta(ge=0, le=_LONGEST_CASE)] | None = None


class Trace(_Strict, frozen=True, tag="trace"):
    """The first line. A project without a weight has 1; `share_half_life_seconds` is the setting of a coordinator."""

    version: Annotated[int, Meta(ge=1, le=1)] = 1
    title: Annotated[str, Meta(max_length=500)] = ""
    project_weights: dict[str, Annotated[float, Meta(gt=0, le=1e6)]] = {}
    share_half_life_seconds: Annotated[float, Meta(ge=1, le=_MOST_SECONDS)] = 86_400.0
    priority_classes: dict[Name, PriorityClassRow] = {}


class WorkerRow(_Strict, frozen=True, tag="worker"):
    """A worker joins. `cpu_cores` 0: one for each slot. `speed`: seconds of cases that a slot executes in a second."""

    at: At
    worker_id: Name
    slots: Annotated[int, Meta(ge=1, le=4096)]
    cpu_cores: Annotated[float, Meta(ge=0, le=1e6)] = 0.0
    memory_bytes: Amount = 0
    labels: dict[str, str] = {}
    taints: list[str] = []
    runners: list[str] = msgspec.field(default_factory=lambda: ["pytest"])
    devices: list[DeviceRow] = []
    speed: Annotated[float, Meta(ge=0.001, le=1000)] = 1.0


class GroupRow(_Strict, frozen=True, tag="group"):
    """A task group is submitted. A case is its seconds at speed 1, or `[seconds, how many]`.

    `class`: under which name its wait is reported. `setup_seconds`: what each of its allocations takes to get ready.
    `deadline`: when it should have ended, on the clock of `at`. `priority_class`: one of the first line, whose priority it has.
    """

    at: At
    group_id: Name
    cases: list[Seconds | Alike]
    run_id: Annotated[str, Meta(max_length=_WORD)] = ""
    project: Name = "default"
    target: Name = "default"
    selector: Annotated[str, Meta(max_length=10_000)] = ""
    request: RequestRow = RequestRow()
    priority: Annotated[int, Meta(ge=-1000, le=1000)] = 0
    runner: Name = "pytest"
    setup_seconds: Annotated[float, Meta(ge=0, le=_LONGEST_CASE)] = 0.0
    kind: Annotated[str, Meta(max_length=40)] = msgspec.field(default="", name="class")
    priority_class: Annotated[str, Meta(max_length=_WORD)] = ""
    deadline: Annotated[float, Meta(gt=0, le=_MOST_SECONDS)] | None = None


class LostRow(_Strict, frozen=True, tag="worker_lost"):
    """A worker is lost, and with it what ran there."""

    at: At
    worker_id: Name


class BackRow(_Strict, frozen=True, tag="worker_back"):
    """A lost worker is back, with nothing running."""

    at: At
    worker_id: Name


Row = Trace | WorkerRow | GroupRow | LostRow | BackRow
Happening = WorkerRow | GroupRow | LostRow | BackRow


def encode(row: Row) -> str:
    """One line."""
    return msgspec.json.encode(row).decode()
