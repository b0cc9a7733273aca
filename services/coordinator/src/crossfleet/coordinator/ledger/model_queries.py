"""On which models of devices cases were executed that were run again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, select

from crossfleet.coordinator.ledger import tables
from crossfleet.coordinator.ledger.rows import CaseRow

_AT_ONCE = 500


def with_models(connection: Connection, run_id: str, found: list[CaseRow]) -> list[CaseRow]:
    """Cases of a run, those that were run again with the models of each execution, where they are known."""
    again = [one for one in found if one.earlier]
    if not again:
        return found
    wanted = {one.attempt_id for one in again} | {each.attempt_id for one in again for each in one.earlier}
    models = _models(connection, run_id, sorted(wanted))
    if not models:
        return found
    return [
        replace(
            one,
            models=models.get(one.attempt_id, ()),
            earlier=tuple(replace(each, models=models.get(each.attempt_id, ())) for each in one.earlier),
        )
        if one.earlier
        else one
        for one in found
    ]


def _models(connection: Connection, run_id: str, attempt_ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """By attempt."""
    held = tables.allocations.c
    query = select(held.allocation_id, held.models).where(held.run_id == run_id, held.models != "")
    by_slot = {row.allocation_id: json.loads(row.models) for row in connection.execute(query)}
    if not by_slot:
        return {}
    table = tables.attempts.c
    models = {}
    for start in range(0, len(attempt_ids), _AT_ONCE):
        some = attempt_ids[start : start + _AT_ONCE]
        query = select(table.attempt_id, table.allocation_id, table.slot).where(table.attempt_id.in_(some))
        for row in connection.execute(query):
            models[row.attempt_id] = tuple(by_slot.get(row.allocation_id, {}).get(str(row.slot), ()))
    return models
