"""Facts as bytes. Payloads, views and what stands in rows of its own are left out of the event log."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any, get_type_hints

import msgspec

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.artifact import ArtifactsAttached, ArtifactsLost, ArtifactsWaiting
from crossfleet.coordinator.core.cases import CollectedCase, StoredCases
from crossfleet.coordinator.core.health import Health
from crossfleet.coordinator.core.last_cases import CopyAssigned, CopyEnded, LimitsLearnt, SlotsFreed, SlotsGivenBack
from crossfleet.coordinator.core.override import DeviceOverridden, Override
from crossfleet.coordinator.core.places import (
    AllocationPlaced,
    AlternativeSkipped,
    AlternativesOpened,
    PlaceLeft,
    PortionsTaken,
)
from crossfleet.coordinator.core.priority_class import AllocationPreempted, PriorityClassRemoved, PriorityClassSet
from crossfleet.coordinator.core.proof import InputsKnown, InputsProved, ProofsDropped, TargetUnchanged
from crossfleet.coordinator.core.quota import GroupOverQuota, QuotaRemoved, QuotaSet
from crossfleet.coordinator.core.rerun_facts import RerunsSought, SlotModels
from crossfleet.coordinator.core.reservation import ReservationChanged, ReservationEnded
from crossfleet.coordinator.core.schedule import ScheduleChanged, ScheduleCreated, ScheduleDeleted
from crossfleet.coordinator.core.semaphore import SemaphoreRemoved, SemaphoreSet
from crossfleet.coordinator.ledger.store import SchemaUnsupported
from crossfleet.matching.model import WorkerView

# Numbers are stored: never change or reuse one. A fact whose fields change gets a new number, the old keeps its reader.
_NUMBERS: dict[int, type] = {
    1: e.RunSubmitted,
    2: e.CasesCollected,
    3: e.CasesAdded,
    4: e.AllocationOpened,
    5: e.AllocationReady,
    6: e.AllocationClosing,
    7: e.AllocationClosed,
    8: e.TasksAssigned,
    9: e.SlotsWanting,
    10: e.SlotsReleased,
    11: e.CasesFinished,
    12: e.AttemptEnded,
    13: e.AttemptsRevoked,
    14: e.GroupWaiting,
    15: e.GroupFinished,
    16: e.RunStopping,
    17: e.RunFinished,
    18: ArtifactsAttached,
    19: e.WorkerJoined,
    20: e.WorkerUpdated,
    21: e.WorkerStateChanged,
    22: e.SuiteEnded,
    23: e.RerunsMarked,
    24: e.CasesRerun,
    25: e.CasesDue,
    26: e.RunnerDescribed,
    31: e.HealthChanged,
    32: e.CanaryOpened,
    33: e.CaseStruck,
    34: ArtifactsWaiting,
    55: e.GroupHeldBack,
    56: e.GroupSkipped,
    57: SemaphoreSet,
    58: SemaphoreRemoved,
    60: ScheduleCreated,
    61: ScheduleChanged,
    62: ScheduleDeleted,
    40: e.DeciderChanged,
    70: AlternativesOpened,
    71: AllocationPlaced,
    72: PlaceLeft,
    63: ReservationChanged,
    64: ReservationEnded,
    65: DeviceOverridden,
    73: SlotsGivenBack,
    74: LimitsLearnt,
    75: CopyAssigned,
    76: CopyEnded,
    79: e.WorkerGone,
    80: e.WorkerForgotten,
    82: QuotaSet,
    83: QuotaRemoved,
    84: GroupOverQuota,
    85: PortionsTaken,
    87: PriorityClassSet,
    88: PriorityClassRemoved,
    89: AllocationPreempted,
    90: AlternativeSkipped,
    91: SlotsFreed,
    92: SlotModels,
    93: RerunsSought,
    94: InputsKnown,
    95: TargetUnchanged,
    96: InputsProved,
    97: ProofsDropped,
    98: ArtifactsLost,
}

# Facts of these numbers only add to what others say, known or not yet: a version that does not know one leaves it out.
_ADDITIONS = range(31, 100)

# (fact, field): what is read back instead.
_LEFT_OUT: dict[tuple[type, str], Any] = {
    (e.RunSubmitted, "spec"): b"",
    (e.CasesCollected, "cases"): (),
    (e.CasesFinished, "payloads"): (),
    (e.CasesRerun, "payloads"): (),
    (ScheduleCreated, "spec"): b"",
    (e.WorkerJoined, "view"): WorkerView(""),
    (e.WorkerJoined, "description"): b"",
    (e.WorkerJoined, "checks_health"): False,
    (e.WorkerJoined, "gives_back_slots"): False,
    (e.WorkerUpdated, "view"): WorkerView(""),
    (e.WorkerUpdated, "description"): b"",
    (e.WorkerUpdated, "at"): 0.0,
}

_PLAIN, _PACKED = b"\x00", b"\x01"
# Below this, compression costs more than it saves.
_PACK_FROM = 400


class _Kind:
    """How one class of facts becomes an array of its fields, and comes back."""

    def __init__(self, number: int, cls: type) -> None:
        self.number = number
        self.cls = cls
        hints = get_type_hints(cls)
        names = [field.name for field in fields(cls)]
        kept = [name for name in names if (cls, name) not in _LEFT_OUT]
        got = attrgetter(*kept)
        # Of one field alone attrgetter answers the value, not a tuple.
        self.values: Callable[[Any], tuple[Any, ...]] = got if len(kept) > 1 else lambda fact: (got(fact),)
        types = tuple(hints[name] for name in kept)
        self._decoder = msgspec.msgpack.Decoder(tuple[types])  # type: ignore[valid-type]
        self._kept = kept
        self._left_out = {name: _LEFT_OUT[cls, name] for name in names if (cls, name) in _LEFT_OUT}

    def read(self, raw: msgspec.Raw) -> e.Event:
        values = dict(zip(self._kept, self._decoder.decode(raw), strict=True))
        fact: e.Event = self.cls(**values, **self._left_out)
        return fact


_KIND_OF: dict[type, _Kind] = {cls: _Kind(number, cls) for number, cls in _NUMBERS.items()}
_KIND_BY_NUMBER: dict[int, _Kind] = {kind.number: kind for kind in _KIND_OF.values()}
_encoder = msgspec.msgpack.Encoder()
_outer: msgspec.msgpack.Decoder[list[tuple[int, int, msgspec.Raw]]] = msgspec.msgpack.Decoder(
    list[tuple[int, int, msgspec.Raw]]
)
_limits: msgspec.msgpack.Decoder[list[float]] = msgspec.msgpack.Decoder(list[float])
_payloads: msgspec.msgpack.Decoder[list[tuple[int, bytes]]] = msgspec.msgpack.Decoder(list[tuple[int, bytes]])


class _StoredId(msgspec.Struct, array_like=True):
    """The first field of a collected case."""

    case_id: str


_ids: msgspec.msgpack.Decoder[list[_StoredId]] = msgspec.msgpack.Decoder(list[_StoredId])
_cases: msgspec.msgpack.Decoder[tuple[CollectedCase, ...]] = msgspec.msgpack.Decoder(tuple[CollectedCase, ...])


def encode_events(numbered: Iterable[tuple[int, e.Event]]) -> bytes:
    """Facts with their index within the commit."""
    rows = []
    for index, event in numbered:
        kind = _KIND_OF[type(event)]
        rows.append((index, kind.number, kind.values(event)))
    return _pack(_encoder.encode(rows))


def decode_events(body: bytes) -> list[tuple[int, e.Event]]:
    """The facts, less what is left out, and less those of a later version that only add.

    Raises SchemaUnsupported for other facts of a later version.
    """
    found = []
    for index, number, raw in _outer.decode(_unpack(body)):
        kind = _KIND_BY_NUMBER.get(number)
        if kind is not None:
            found.append((index, kind.read(raw)))
        elif number not in _ADDITIONS:
            raise SchemaUnsupported(str(number), str(max(_NUMBERS)), "facts of kind")
    return found


def encode_payloads(payloads: Sequence[tuple[int, bytes]]) -> bytes:
    """Full results by case index."""
    return _pack(_encoder.encode(payloads))


def decode_payloads(body: bytes) -> dict[int, bytes]:
    """Full results by case index."""
    return dict(_payloads.decode(_unpack(body)))


def encode_cases(cases: Sequence[CollectedCase]) -> bytes:
    """A collection, in order."""
    return cases.stored if isinstance(cases, StoredCases) else _pack(_encoder.encode(cases))


def stored_cases(cases: Sequence[CollectedCase]) -> StoredCases:
    """A collection that need not be encoded any more. Takes some hundredths of a second for 50,000 cases."""
    made = StoredCases(cases)
    made.stored = encode_cases(cases)
    return made


def decode_cases(body: bytes) -> tuple[CollectedCase, ...]:
    """A collection, in order."""
    return _cases.decode(_unpack(body))


def decode_case_ids(body: bytes) -> tuple[str, ...]:
    """The ids of a collection, in order; several times as fast as its cases."""
    return tuple(case.case_id for case in _ids.decode(_unpack(body)))


def encode_limits(seconds: Sequence[float]) -> bytes:
    """Time limits of a group's cases, by index."""
    return _pack(_encoder.encode(seconds))


def decode_limits(body: bytes) -> list[float]:
    """The same again; none where none were learnt."""
    return _limits.decode(_unpack(body)) if body else []


def encode_health(health: Mapping[str, Health]) -> str:
    """What is known of a worker's health, as JSON; empty where that is nothing."""
    return msgspec.json.encode(health).decode() if health else ""


def decode_health(text: str) -> dict[str, Health]:
    """The same again."""
    return msgspec.json.decode(text, type=dict[str, Health]) if text else {}


def encode_overrides(overrides: Mapping[str, Override]) -> str:
    """What people say of a worker's devices, as JSON; empty where that is nothing."""
    return msgspec.json.encode(overrides).decode() if overrides else ""


def decode_overrides(text: str) -> dict[str, Override]:
    """The same again."""
    return msgspec.json.decode(text, type=dict[str, Override]) if text else {}


def _pack(body: bytes) -> bytes:
    return _PACKED + zlib.compress(body, 1) if len(body) > _PACK_FROM else _PLAIN + body


def _unpack(body: bytes) -> bytes:
    return zlib.decompress(body[1:]) if body[:1] == _PACKED else body[1:]
