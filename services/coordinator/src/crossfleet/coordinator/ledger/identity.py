"""Which fleet a ledger is of: an id that is made once, and that no backup carries."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from crossfleet.coordinator.ledger import tables


def identify(connection: Connection, candidate: str) -> str:
    """The id of the fleet; `candidate` where it has none yet."""
    found = connection.execute(select(tables.fleet.c.fleet_id)).scalar_one_or_none()
    if found is None:
        connection.execute(insert(tables.fleet).values(id=1, fleet_id=candidate))
    return found or candidate
