"""What the fence costs: tasks a second through state machine and store, with and without the move of the head row.

    python -m benchmarks.fencing [--quick] [--rounds N]

Each round drives one run of one-case tasks on 64 slots, with and without the fence in turn, on SQLite and on a PostgreSQL
of its own; all commits wait for the disk. The cost is the median, over rounds, of the time of the fenced drive to that of
the unfenced one beside it, less one. Exits 1 where it is 5 % or more.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy import Connection

from benchmarks.ledger_floor import drive
from benchmarks.measuring import machine, middle, verdict
from crossfleet.coordinator.ledger.engines import sqlite_engine
from crossfleet.coordinator.ledger.postgres import PostgresAddress
from crossfleet.coordinator.ledger.postgres_store import PostgresStore
from crossfleet.coordinator.ledger.sql import SqlStore
from crossfleet.coordinator.ledger.store import Batch
from tests.real.postgres import PostgresServer

GOAL = 0.05
_SLOTS = 64


class UnfencedSqlite(SqlStore):
    """Writes the rows alone."""

    def _write(self, connection: Connection, batch: Batch) -> bool:
        for rows in batch.writes:
            self._statements.write(connection, rows)
        return True


class UnfencedPostgres(PostgresStore):
    """The same."""

    def _write(self, connection: Connection, batch: Batch) -> bool:
        driver = connection.connection.driver_connection
        assert driver is not None
        with driver.pipeline():
            for write in batch.writes:
                self._sent.send(driver, write)
        return True


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; answers the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fencing", description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="three rounds of few tasks")
    parser.add_argument("--tasks", type=int, default=10_000, help="tasks of a drive; default 10000")
    parser.add_argument("--rounds", type=int, default=9, help="rounds; default 9")
    options = parser.parse_args(arguments)
    tasks, rounds = (3_000, 3) if options.quick else (options.tasks, options.rounds)
    print(f"fencing: {machine()}; {tasks} tasks a drive, {rounds} rounds")
    print(f"  {'':12}{'fenced/s':>10}{'unfenced/s':>12}{'cost':>8}")
    met = True
    with tempfile.TemporaryDirectory() as folder, PostgresServer() as server:
        files = (str(Path(folder) / f"{number}.db") for number in range(1 << 20))
        urls = (PostgresAddress(server.create(f"fencing_{number}")) for number in range(1 << 20))
        for name, fenced, unfenced in (
            ("SQLite", lambda: SqlStore.sqlite(next(files)), lambda: UnfencedSqlite(sqlite_engine(next(files)))),
            ("PostgreSQL", lambda: SqlStore.postgres(next(urls)), lambda: UnfencedPostgres(next(urls))),
        ):
            met &= _compare(name, fenced, unfenced, tasks, rounds)
    return 0 if met else 1


def _compare(
    name: str, fenced: Callable[[], SqlStore], unfenced: Callable[[], SqlStore], tasks: int, rounds: int
) -> bool:
    with_fence: list[float] = []
    without: list[float] = []
    for number in range(rounds + 1):
        # Whoever comes first in a round has a little less behind it: they take turns.
        pair = [(with_fence, fenced), (without, unfenced)]
        for seconds, store in pair if number % 2 else pair[::-1]:
            seconds.append(_seconds(store(), tasks))
    del with_fence[0], without[0]
    cost = middle([a / b for a, b in zip(with_fence, without, strict=True)]) - 1
    print(f"  {name:12}{tasks / middle(with_fence):10.0f}{tasks / middle(without):12.0f}{cost:8.1%}")
    return verdict(f"cost of the fence on {name}", cost * 100, GOAL * 100, " %")


def _seconds(store: SqlStore, tasks: int) -> float:
    try:
        return drive(store, tasks, _SLOTS)[0]
    finally:
        store.close()


if __name__ == "__main__":
    sys.exit(main())
