"""The event log, read after a cursor."""

from __future__ import annotations

from sqlalchemy import Connection, select

from crossfleet.coordinator.ledger import codec, tables
from crossfleet.coordinator.ledger.rows import StoredEvent
from crossfleet.coordinator.ledger.sql import read_head


class CursorExpired(Exception):
    """Events after the cursor are gone. `first` is the oldest cursor that works."""

    def __init__(self, first: tuple[int, int]) -> None:
        super().__init__(f"events before {first[0]}.{first[1]} are no longer kept")
        self.first = first


def events(connection: Connection, after: tuple[int, int], run_id: str, limit: int) -> list[StoredEvent]:
    """Facts after `(seq, index)`, commits never split, so that more than `limit` may come. (0, -1): from the first kept.

    Raises CursorExpired.
    """
    head = read_head(connection)
    if 0 < after[0] < head.first_seq - 1 and not _kept(connection, run_id):
        raise CursorExpired((head.first_seq - 1, 1 << 30))
    table = tables.events.c
    query = select(table.seq, table.run_id, table.at, table.body).where(table.seq >= after[0])
    if run_id:
        query = query.where(table.run_id == run_id)
    found: list[StoredEvent] = []
    last = 0
    # A row holds at least one fact, so `limit + 1` rows suffice; a commit cut off at the end is left for later.
    rows = connection.execute(query.order_by(table.seq, table.run_id).limit(limit + 1)).all()
    if not rows:
        return found
    whole_until = rows[-1].seq if len(rows) <= limit else max(rows[-1].seq - 1, rows[0].seq)
    for row in rows:
        if row.seq > whole_until or (len(found) >= limit and row.seq != last):
            break
        last = row.seq
        found += [
            StoredEvent(row.seq, index, row.at, row.run_id, event)
            for index, event in codec.decode_events(row.body)
            if (row.seq, index) > after
        ]
    found.sort(key=lambda one: (one.seq, one.index))
    return found


def _kept(connection: Connection, run_id: str) -> bool:
    """The events of a run that is not over are all kept."""
    table = tables.runs.c
    return bool(run_id) and bool(connection.execute(select(table.live).where(table.run_id == run_id)).scalar())
