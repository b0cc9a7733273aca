"""MemoryStore: a store without a disk, shared by several ledgers as a database would be. Can die at any point of a commit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from crossfleet.coordinator.core import durations
from crossfleet.coordinator.ledger import tables
from crossfleet.coordinator.ledger.store import (
    Batch,
    Cleaning,
    Deposed,
    Head,
    Mode,
    Observed,
    Stored,
    StoreFailed,
    TakeOverRefused,
)

_KEYS = {table.name: tuple(column.name for column in table.primary_key) for table in tables.metadata.tables.values()}


class MemoryStore:
    """Rows in dictionaries by primary key, behind the same port as SQL.

    `on_commit` is called with "before" (nothing is written yet), "inside" (the answer may still get lost) and "after"
    (durable, not answered) and may raise what a dying process or connection would.
    """

    def __init__(self) -> None:
        """An empty database at epoch 0."""
        self.rows: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = {name: {} for name in _KEYS}
        self.on_commit: Callable[[str, Batch], None] = lambda stage, batch: None
        self._head = Head()
        self._last: Batch | None = None

    @property
    def on_local_disk(self) -> bool:
        """No: a write is waited for as if it were far away."""
        return False

    def take_over(self, leader: str, cluster: str, revision: int) -> Head:
        """Raise the epoch."""
        head = self._head
        if not head.admits(cluster, revision):
            raise TakeOverRefused(head, cluster, revision)
        self._head = replace(
            head, epoch=head.epoch + 1, leader=leader, election_cluster=cluster, election_revision=revision
        )
        return self._head

    def load(self) -> Stored:
        """All that is not over."""
        runs = [row for row in self.rows["runs"].values() if row["live"]]
        live = {row["run_id"] for row in runs}
        events = [
            (row["seq"], row["at"], row["body"])
            for (_, run_id), row in sorted(self.rows["events"].items())
            if run_id in live
        ]
        wanted = {row["digest"] for row in self.rows["task_groups"].values() if row["run_id"] in live and row["digest"]}
        return Stored(
            self._head,
            runs,
            [(row["request_id"], row["run_id"], row["fingerprint"], row["live"]) for row in self.rows["runs"].values()],
            events,
            {digest: self.rows["collections"][(digest,)]["cases"] for digest in wanted},
            *(
                list(self.rows[name].values())
                for name in (
                    "workers",
                    "semaphores",
                    "schedules",
                    "reservations",
                    "quotas",
                    "priority_classes",
                    "proofs",
                )
            ),
        )

    def commit(self, batch: Batch) -> None:
        """Write a batch, or nothing."""
        self.on_commit("before", batch)
        if batch is self._last and (self._head.epoch, self._head.seq) == (batch.epoch, batch.seq):
            return
        if (self._head.epoch, self._head.seq) != (batch.epoch, batch.seq - 1):
            raise Deposed(f"the head is at {self._head.epoch}.{self._head.seq}")
        self.on_commit("inside", batch)
        self._write(batch)
        self._last = batch
        self.on_commit("after", batch)

    def head(self) -> Head:
        """The head as it is committed."""
        return self._head

    def observe(self, observed: Observed, epoch: int) -> None:
        """Update the duration model."""
        self._fence(epoch)
        table = self.rows["durations"]
        for case_id, seconds in observed.seconds:
            known = table.get((observed.suite_key, case_id))
            before = durations.Duration(known["mean"], known["variance"], known["weight"]) if known else None
            after = durations.observe(before, seconds)
            table[observed.suite_key, case_id] = {
                "suite_key": observed.suite_key,
                "case_id": case_id,
                "mean": after.mean,
                "variance": after.variance,
                "weight": after.weight,
                "updated_at": observed.at,
            }

    def prune(self, before_seq: int, epoch: int, rows: int) -> int:
        """Drop the oldest events of commits before `before_seq` whose runs are over; answers how many."""
        self._fence(epoch)
        live = {row["run_id"] for row in self.rows["runs"].values() if row["live"]}
        events = self.rows["events"]
        gone = sorted(key for key in events if key[0] < before_seq and key[1] not in live)[:rows]
        for key in gone:
            del events[key]
        self._head = replace(self._head, first_seq=max(self._head.first_seq, before_seq))
        return len(gone)

    def cut(self) -> None:
        """Nothing is waited for here."""

    def identify(self, candidate: str, epoch: int) -> str:
        """The id of the fleet; `candidate` becomes it where it has none."""
        self._fence(epoch)
        return str(self.rows["fleet"].setdefault((1,), {"id": 1, "fleet_id": candidate})["fleet_id"])

    def clean(self, cleaning: Cleaning, epoch: int) -> int:
        """Remove what is not kept any longer; answers the rows."""
        self._fence(epoch)
        before = sum(map(len, self.rows.values()))
        for run_id in cleaning.runs:
            if not self.rows["runs"].get((run_id,), {"live": True})["live"]:
                del self.rows["runs"][run_id,]
        for key in cleaning.artifacts:
            self.rows["artifacts"].pop(key, None)
        gone = [(run_id, group_id) for run_id, group_id in cleaning.groups if (run_id,) not in self.rows["runs"]]
        for run_id, group_id in gone:
            for table in self.rows.values():
                for key in [key for key, row in table.items() if row.get("group_id") == group_id]:
                    del table[key]
                for key in [key for key, row in table.items() if row.get("run_id") == run_id]:
                    del table[key]
        used = {row["digest"] for row in self.rows["task_groups"].values()}
        for digest in set(cleaning.collections) - used:
            self.rows["collections"].pop((digest,), None)
        return before - sum(map(len, self.rows.values()))

    def close(self) -> None:
        """Nothing to let go of."""

    def _fence(self, epoch: int) -> None:
        if self._head.epoch != epoch:
            raise Deposed(f"the head is at epoch {self._head.epoch}")

    def _write(self, batch: Batch) -> None:
        for write in batch.writes:
            keys = _KEYS[write.table]
            table = self.rows[write.table]
            for row in write.rows:
                key = tuple(row[name] for name in keys)
                if write.mode is Mode.INSERT and key in table:
                    raise StoreFailed(f"{write.table} has a row {key}")
                if write.mode is Mode.IGNORE and key in table:
                    continue
                if write.mode is Mode.UPDATE and key not in table:
                    continue
                if write.mode is Mode.DELETE:
                    table.pop(key, None)
                    continue
                table[key] = {**table.get(key, {}), **row}
        self._head = replace(
            self._head,
            seq=batch.seq,
            next_attempt=batch.next_attempt,
            next_task=batch.next_task,
            next_allocation=batch.next_allocation,
        )
