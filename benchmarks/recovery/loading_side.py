"""A fresh process that takes a ledger over and loads it; prints the seconds of each part as JSON. Its argument: the URL."""

from __future__ import annotations

import json
import sys
import time

begun = time.perf_counter()

from crossfleet.coordinator.ledger.ledger import Ledger  # noqa: E402 - imports are one of the parts
from crossfleet.coordinator.ledger.postgres import PostgresAddress  # noqa: E402
from crossfleet.coordinator.ledger.postgres_store import PostgresStore  # noqa: E402
from crossfleet.coordinator.ledger.store import Head, Stored  # noqa: E402


class TimedStore(PostgresStore):
    """Notes when it was asked, and when it had answered."""

    def take_over(self, leader: str, cluster: str, revision: int) -> Head:
        marks["connected"] = time.perf_counter()
        head = super().take_over(leader, cluster, revision)
        marks["taken"] = time.perf_counter()
        return head

    def load(self) -> Stored:
        stored = super().load()
        marks["read"] = time.perf_counter()
        marks["facts"] = len(stored.events)
        return stored


marks: dict[str, float] = {"imported": time.perf_counter()}
ledger = Ledger(TimedStore(PostgresAddress(sys.argv[1])))
ledger.open("recovery", "etcd", time.time_ns())
ended = time.perf_counter()
state = ledger.state
print(
    json.dumps(
        {
            "import": marks["imported"] - begun,
            "connect": marks["connected"] - marks["imported"],
            "take over": marks["taken"] - marks["connected"],
            "read": marks["read"] - marks["taken"],
            "evolve": ended - marks["read"],
            "total": ended - begun,
            "rows": marks["facts"],
            "queued": sum(len(group.queue.pending()) for group in state.groups.values()),
            "running": len(state.attempts),
        }
    )
)
ledger.store.close()
