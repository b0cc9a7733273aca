"""The event log, read after a cursor."""

from __future__ import annotations

from sqlalchemy import Connection, select

from crossfleet.coordinator.ledger import codec, tables
from crossfleet.coordinator.ledger.rows import StoredEvent
from crossfleet.coordinator.ledger.sql import read_head

_MOST_COMMITS = 500


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
    start, found = after[0], list[StoredEvent]()
    while not found:
        seqs = _next_commits(connection, start, run_id, limit)
        if not seqs:
            break
        for seq in seqs:
            if len(found) >= limit:
                break
            found += [one for one in _commit(connection, seq, run_id) if (one.seq, one.index) > after]
        start = seqs[-1] + 1
    return found


def _next_commits(connection: Connection, start: int, run_id: str, limit: int) -> list[int]:
    table = tables.events.c
    query = select(table.seq).where(table.seq >= start).order_by(table.seq).limit(min(max(limit, 1), _MOST_COMMITS))
    query = query.where(table.run_id == run_id) if run_id else query.distinct()
    return list(connection.execute(query).scalars())


def _commit(connection: Connection, seq: int, run_id: str) -> list[StoredEvent]:
    table = tables.events.c
    query = select(table.run_id, table.at, table.body).where(table.seq == seq)
    if run_id:
        query = query.where(table.run_id == run_id)
    found = [
        StoredEvent(seq, index, row.at, row.run_id, event)
        for row in connection.execute(query)
        for index, event in codec.decode_events(row.body)
    ]
    found.sort(key=lambda one: one.index)
    return found


def _kept(connection: Connection, run_id: str) -> bool:
    """The events of a run that is not over are all kept."""
    table = tables.runs.c
    return bool(run_id) and bool(connection.execute(select(table.live).where(table.run_id == run_id)).scalar())
