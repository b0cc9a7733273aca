"""The duration model in SQL."""

from __future__ import annotations

from sqlalchemy import Connection, select

from crossfleet.coordinator.core.durations import Duration, observe
from crossfleet.coordinator.ledger import tables
from crossfleet.coordinator.ledger.statements import Statements
from crossfleet.coordinator.ledger.store import Mode, Observed, Write

_table = tables.durations
_known = select(_table.c.case_id, _table.c.mean, _table.c.variance, _table.c.weight)


def known_durations(connection: Connection, suite_key: str) -> dict[str, Duration]:
    """All that is known of a suite's cases on a device class, by case id."""
    rows = connection.execute(_known.where(_table.c.suite_key == suite_key))
    return {row[0]: Duration(row[1], row[2], row[3]) for row in rows}


def page_of_durations(connection: Connection, suite_key: str, after: str, limit: int) -> list[tuple[str, float]]:
    """Medians of cases with larger ids than `after`, by id."""
    query = _known.where(_table.c.suite_key == suite_key, _table.c.case_id > after)
    rows = connection.execute(query.order_by(_table.c.case_id).limit(limit))
    return [(row[0], Duration(row[1], row[2], row[3]).seconds) for row in rows]


def observe_durations(connection: Connection, statements: Statements, observed: Observed) -> None:
    """Take new seconds into the model."""
    ids = [case_id for case_id, _ in observed.seconds]
    query = _known.where(_table.c.suite_key == observed.suite_key, _table.c.case_id.in_(ids))
    known = {row[0]: Duration(row[1], row[2], row[3]) for row in connection.execute(query)}
    rows = []
    for case_id, seconds in observed.seconds:
        after = observe(known.get(case_id), seconds)
        rows.append(
            {
                "suite_key": observed.suite_key,
                "case_id": case_id,
                "mean": after.mean,
                "variance": after.variance,
                "weight": after.weight,
                "updated_at": observed.at,
            }
        )
    statements.write(connection, Write("durations", Mode.UPSERT, rows))
