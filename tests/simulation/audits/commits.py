"""Commits follow one another, under the epoch that holds; watchers see what is stored, and it folds into the state."""

from __future__ import annotations

from typing import Any

from crossfleet.coordinator.ledger.loading import rebuild
from crossfleet.coordinator.ledger.store import Batch
from tests.simulation.audits.books import Audit, Books
from tests.simulation.fold import difference


class Commits(Audit):
    """`stored` is what the store has, `told` what is published."""

    def __init__(self, books: Books) -> None:
        super().__init__(books)
        self._seq = self._epoch = 0
        self._names: dict[int, list[str]] = {}
        self._told: dict[int, int] = {}
        self._random = self._world.chance.stream("auditor")

    def stored(self, batch: Batch, names: list[str]) -> None:
        """One commit, with the names of its facts in their order."""
        if batch.seq != self._seq + 1:
            self._wrong(f"commit {batch.seq} follows {self._seq}")
        if batch.epoch < self._epoch:
            self._wrong(f"epoch {batch.epoch} wrote after {self._epoch} had")
        if batch.epoch != self._world.store.head().epoch:
            self._wrong(f"epoch {batch.epoch} wrote under epoch {self._world.store.head().epoch}")
        self._seq, self._epoch = batch.seq, batch.epoch
        self._names[batch.seq] = names
        self._world.note("commit", batch.epoch, batch.seq, ",".join(names))

    def told(self, leading: Any, committed: Any) -> None:
        """A commit is published: it must be stored, be the next, and the state must be the fold of all that is stored."""
        if self._names.get(committed.seq) != [type(event).__name__ for event in committed.events]:
            self._wrong(f"epoch {leading.number} told commit {committed.seq}, which is not what is stored")
        before = self._told.get(leading.number)
        if before is not None and committed.seq != before + 1:
            self._wrong(f"watchers of epoch {leading.number} saw {committed.seq} after {before}")
        self._told[leading.number] = committed.seq
        if committed.seq == self._seq and self._random.random() < self._world.fold_rate:
            found = difference(rebuild(self._world.store.load()), leading.writer.state)
            if found:
                self._wrong(f"the state of epoch {leading.number} is not the fold of its facts: {found}")
