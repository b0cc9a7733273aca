"""Durable tasks a second through state machine, projection and SQLite, beside this disk's floor of full-sync commits.

    python benchmarks/ledger_floor.py [--tasks 20000] [--slots 8] [--folder DIR]

Each task has one case; each round trip reports what runs on all slots and asks for more, as busy sessions do. The floor
is the rate at which a bare sqlite3 connection commits one small row in the same folder with synchronous=FULL.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from pathlib import Path

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core.outcomes import Cause, Outcome
from crossfleet.coordinator.ledger.ledger import Ledger
from crossfleet.coordinator.ledger.memory import MemoryStore
from crossfleet.coordinator.ledger.sql import SqlStore
from crossfleet.coordinator.ledger.store import Store
from crossfleet.matching.model import Request, WorkerView


def floor(folder: str, seconds: float = 2.0) -> float:
    """Full-sync commits a second of one small row each."""
    connection = sqlite3.connect(Path(folder) / "floor.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE floor (id INTEGER PRIMARY KEY, value BLOB)")
    count, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        connection.execute("INSERT INTO floor (value) VALUES (?)", (b"x" * 100,))
        count += 1
    connection.close()
    return count / seconds


def drive(store: Store, tasks: int, slots: int) -> tuple[float, float, int]:
    """Wall seconds, CPU seconds and commits of a run of `tasks` one-case tasks."""
    ledger = Ledger(store)
    ledger.open("benchmark")
    cases = tuple(f"case-{index}" for index in range(tasks))
    view = WorkerView("w", cpu_cores=float(slots), slots_total=slots, runners=frozenset({"noop"}))
    policy = c.PolicySpec(max_cases_per_task=1)
    target = c.TargetSpec("default", "", Request())
    submit = c.SubmitRun("r", "f", "run", "p", "s", "noop", 0, (target,), policy, 1, b"", cases)
    ledger.commit([submit, c.WorkerHello("w", "i", "session", view, ("noop",), b"")], 0.0)
    ledger.commit([c.ApplyPlan("plan", (c.ProposedAllocation("run/default", "w", slots),))], 0.0)
    every = tuple(range(slots))
    ledger.commit([c.WantTasks("w", "a1", every)], 0.0)
    commits, now = 0, 0.0
    wall, cpu = time.perf_counter(), time.process_time()
    while "run" in ledger.state.runs and ledger.state.runs["run"].state < 4:
        now += 0.001
        attempts = list(ledger.state.attempts.values())
        reports: list[c.Command] = [
            c.WorkerReport(
                "w",
                "i",
                (
                    c.AttemptResults(one.attempt_id, (c.CaseOutcome(one.cases[0], Outcome.PASSED, 0.001),)),
                    c.AttemptFinished(one.attempt_id, Cause.DONE),
                ),
            )
            for one in attempts
        ]
        ledger.commit([*reports, c.WantTasks("w", "a1", every)], now)
        commits += 1
    return time.perf_counter() - wall, time.process_time() - cpu, commits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--folder", default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        commits_a_second = floor(folder)
        print(f"{'floor: full-sync commits of one row':42} {commits_a_second:10,.0f} /s")
        stores: tuple[tuple[str, Store], ...] = (
            ("state machine and projection (memory)", MemoryStore()),
            ("the same, SQLite synchronous=FULL", SqlStore.sqlite(Path(folder) / "ledger.db")),
        )
        for name, store in stores:
            wall, cpu, commits = drive(store, options.tasks, options.slots)
            rate = options.tasks / wall
            print(
                f"{name:42} {rate:10,.0f} tasks/s {1e6 * cpu / options.tasks:6.0f} us CPU a task "
                f"{options.tasks / commits:6.1f} tasks a commit   {rate / commits_a_second:5.2f} x floor"
            )
            store.close()


if __name__ == "__main__":
    main()
