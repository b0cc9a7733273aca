"""Reads the facts of every commit: what the audits know of them must hold after each step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.ledger import codec
from crossfleet.coordinator.ledger.store import Batch
from tests.simulation.audits.answers import Answers
from tests.simulation.audits.attempts import Attempts
from tests.simulation.audits.books import Audit, Books
from tests.simulation.audits.commits import Commits
from tests.simulation.audits.comparisons import Comparisons
from tests.simulation.audits.hosts import Hosts
from tests.simulation.audits.limits import Limits
from tests.simulation.audits.places import Places
from tests.simulation.audits.runs import Runs
from tests.simulation.audits.verdicts import Verdicts


class Auditor:
    """`committed` is called within the store, `commits.told` by whoever publishes, `answers` at the far end."""

    def __init__(self, world: Any) -> None:
        self.books = books = Books(world)
        self.seen: Counter[str] = Counter()
        self.commits, self.answers = Commits(books), Answers(books)
        self.limits = Limits(books)
        self._runs = Runs(books)
        self._comparisons = Comparisons(books)
        # Hosts and verdicts look at what places and attempts take out of the books; limits count what places write there.
        self._audits: tuple[Audit, ...] = (
            Hosts(books),
            Verdicts(books),
            Attempts(books),
            Places(books),
            self._runs,
            self.limits,
            self._comparisons,
        )
        self._checks: dict[str, list[Callable[[Any], None]]] = {}

    def committed(self, batch: Batch) -> None:
        """One commit, as it stands in the store."""
        events = self._read(batch)
        self.commits.stored(batch, [type(event).__name__ for event in events])
        for event in events:
            name = type(event).__name__
            self.seen[name] += 1
            for check in self._checks_of(name):
                check(event)
        for audit in self._audits:
            audit.settle()

    def left(self, run_id: str, target: str) -> set[tuple[str, str]]:
        """Name and digest of the artifacts of a target that are stored."""
        return self._comparisons.left.get(f"{run_id}/{target}", set())

    def finish(self) -> None:
        """At the very end: every run has its verdict."""
        self._runs.finish()

    def _read(self, batch: Batch) -> list[e.Event]:
        numbered: list[tuple[int, e.Event]] = []
        for write in batch.writes:
            if write.table == "collections":
                for row in write.rows:
                    cases = codec.decode_cases(row["cases"])
                    self.books.collections[row["digest"]] = [case.case_id for case in cases]
            if write.table == "events":
                for row in write.rows:
                    numbered += codec.decode_events(row["body"])
        return [event for _, event in sorted(numbered, key=lambda one: one[0])]

    def _checks_of(self, name: str) -> list[Callable[[Any], None]]:
        found = self._checks.get(name)
        if found is None:
            checks = (getattr(audit, f"_{name}", None) for audit in self._audits)
            found = self._checks[name] = [check for check in checks if check is not None]
        return found
