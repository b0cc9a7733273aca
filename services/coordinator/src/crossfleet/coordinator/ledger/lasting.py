"""What outlasts runs becomes rows: semaphores, quotas, priority classes, reservations, proofs and schedules."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.priority_class import PriorityClassRemoved, PriorityClassSet
from crossfleet.coordinator.core.proof import InputsProved, Place, Proof, ProofsDropped
from crossfleet.coordinator.core.quota import QuotaRemoved, QuotaSet
from crossfleet.coordinator.core.reservation import ReservationChanged, ReservationEnded
from crossfleet.coordinator.core.schedule import ScheduleChanged, ScheduleCreated, ScheduleDeleted
from crossfleet.coordinator.core.semaphore import SemaphoreRemoved, SemaphoreSet
from crossfleet.coordinator.ledger.store import Mode, Row, Write
from crossfleet.coordinator.ledger.stored_rows import (
    priority_class_row,
    proof_row,
    quota_row,
    reservation_row,
    schedule_variables,
)


@dataclass(frozen=True, slots=True)
class _Kept:
    """How a table follows the state: the row of a key, None where there is nothing, and which columns the key is."""

    table: str
    row: Callable[[State, Any], Row | None]
    key: Callable[[Any], Row]


def _semaphore(state: State, name: str) -> Row | None:
    found = state.semaphores.get(name)
    return {"name": name, "capacity": found.capacity} if found is not None else None


def _quota(state: State, project: str) -> Row | None:
    return quota_row(state.quotas[project]) if project in state.quotas else None


def _priority_class(state: State, name: str) -> Row | None:
    return priority_class_row(state.priority_classes[name]) if name in state.priority_classes else None


def _reservation(state: State, reservation_id: str) -> Row | None:
    return reservation_row(state.reservations[reservation_id]) if reservation_id in state.reservations else None


def _proof(state: State, key: tuple[Place, str]) -> Row | None:
    found = state.proofs.find(*key)
    return proof_row(found) if found is not None else None


def _proof_key(key: tuple[Place, str]) -> Row:
    (project, suite, target), inputs = key
    return {"project": project, "suite": suite, "target": target, "inputs": inputs}


_SEMAPHORES = _Kept("semaphores", _semaphore, lambda name: {"name": name})
_QUOTAS = _Kept("quotas", _quota, lambda project: {"project": project})
_CLASSES = _Kept("priority_classes", _priority_class, lambda name: {"name": name})
_RESERVATIONS = _Kept("reservations", _reservation, lambda one: {"reservation_id": one})
_PROOFS = _Kept("proofs", _proof, _proof_key)


def _keys(*proofs: Proof) -> list[tuple[Place, str]]:
    return [(one.place, one.inputs) for one in proofs]


_TOUCHED: dict[type, tuple[_Kept, Callable[[Any], Iterable[Hashable]]]] = {
    SemaphoreSet: (_SEMAPHORES, lambda fact: (fact.name,)),
    SemaphoreRemoved: (_SEMAPHORES, lambda fact: (fact.name,)),
    QuotaSet: (_QUOTAS, lambda fact: (fact.quota.project,)),
    QuotaRemoved: (_QUOTAS, lambda fact: (fact.project,)),
    PriorityClassSet: (_CLASSES, lambda fact: (fact.priority_class.name,)),
    PriorityClassRemoved: (_CLASSES, lambda fact: (fact.name,)),
    ReservationChanged: (_RESERVATIONS, lambda fact: (fact.reservation.reservation_id,)),
    ReservationEnded: (_RESERVATIONS, lambda fact: (fact.reservation_id,)),
    InputsProved: (_PROOFS, lambda fact: _keys(fact.proof)),
    ProofsDropped: (_PROOFS, lambda fact: _keys(*fact.proofs)),
}


def lasting_rows(state: State, events: Sequence[e.Event]) -> list[Write]:
    """What was made, changed or removed by a commit, as it stands after the last of its facts."""
    touched: dict[_Kept, dict[Hashable, None]] = {}
    schedules: dict[str, bool] = {}
    for event in events:
        found = _TOUCHED.get(type(event))
        if found is not None:
            kept, keys = found
            touched.setdefault(kept, {}).update(dict.fromkeys(keys(event)))
        elif isinstance(event, ScheduleCreated | ScheduleChanged):
            schedules[event.schedule.name] = isinstance(event, ScheduleCreated) or schedules.get(
                event.schedule.name, False
            )
        elif isinstance(event, ScheduleDeleted):
            schedules.setdefault(event.name, False)
    writes = []
    for kept, keys_touched in touched.items():
        rows = {key: kept.row(state, key) for key in keys_touched}
        writes.append(Write(kept.table, Mode.UPSERT, [row for row in rows.values() if row is not None]))
        writes.append(Write(kept.table, Mode.DELETE, [kept.key(key) for key, row in rows.items() if row is None]))
    return writes + _schedules(state, schedules) if schedules else writes


def _schedules(state: State, touched: dict[str, bool]) -> list[Write]:
    """By name, whether it is new. What one submits is written once."""
    known = {name: schedule_variables(state.schedules[name]) for name in touched if name in state.schedules}
    made = [{**row, "spec": state.schedule_specs[name]} for name, row in known.items() if touched[name]]
    return [
        Write("schedules", Mode.UPSERT, made),
        Write("schedules", Mode.UPDATE, [row for name, row in known.items() if not touched[name]]),
        Write("schedules", Mode.DELETE, [{"name": name} for name in touched if name not in known]),
    ]
