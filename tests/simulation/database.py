"""What one coordinator sees of the SQL store that all share: the way there may be cut, slow, full, or break under a commit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from crossfleet.coordinator.ledger.memory import MemoryStore
from crossfleet.coordinator.ledger.store import (
    Batch,
    CommitUnsettled,
    Head,
    Observed,
    StoreAway,
    Stored,
    StoreFailed,
    StoreFull,
)
from tests.simulation.loop import Died, Process

_T = TypeVar("_T")
_SQL = "sql"


class SqlConnection:
    """The store's port for one process. `lost`: answers to so many commits get lost, as does what would settle them."""

    def __init__(
        self,
        store: MemoryStore,
        process: Process,
        blocked: Callable[[str, str], bool],
        took_over: Callable[[Head], None],
    ) -> None:
        """`blocked` says whether nothing gets from one machine to the other."""
        self._store = store
        self._took_over = took_over
        self._process = process
        name = process.machine.name
        self._away = lambda: blocked(name, _SQL)
        self._mute = lambda: blocked(_SQL, name)
        self._last_words = True
        self.fails = 0
        self.lost = 0
        self.full = False

    @property
    def away(self) -> bool:
        """Whether nothing can be written now, or nobody would hear of it."""
        return self._away() or self._mute() or self.full or self.fails > 0

    @property
    def on_local_disk(self) -> bool:
        """No: it is across the network."""
        return False

    def take_over(self, leader: str, cluster: str, revision: int) -> Head:
        """Raise the epoch."""
        return self._ask(self._take_over, leader, cluster, revision)

    def load(self) -> Stored:
        """All that is not over."""
        return self._ask(self._store.load)

    def commit(self, batch: Batch) -> None:
        """Write a batch, or nothing, or nobody knows."""
        if not self._process.alive:
            # One statement may be on its way when a process dies; what it would ask next is never asked.
            if not self._last_words:
                raise Died
            self._last_words = False
        if self._away():
            raise StoreAway(f"no way to the database for commit {batch.seq}")
        head = self._store.head()
        written = (head.epoch, head.seq) == (batch.epoch, batch.seq)
        if self.full and not written:
            raise StoreFull("no space left on device")
        if self.fails and not written:
            self.fails -= 1
            raise StoreFailed("the server closed the connection before the commit")
        self._store.commit(batch)
        if self.lost or self._mute():
            self.lost = max(0, self.lost - 1)
            raise CommitUnsettled(f"commit {batch.seq} may or may not have been written: no answer")

    def head(self) -> Head:
        """The head as it is committed."""
        return self._ask(self._store.head)

    def observe(self, observed: Observed, epoch: int) -> None:
        """Update the duration model."""
        self._ask(self._store.observe, observed, epoch)

    def prune(self, before_seq: int, epoch: int, rows: int) -> int:
        """Drop old events."""
        return self._ask(self._store.prune, before_seq, epoch, rows)

    def cut(self) -> None:
        """Nothing is waited for here."""

    def close(self) -> None:
        """Nothing to let go of."""

    def _take_over(self, leader: str, cluster: str, revision: int) -> Head:
        head = self._store.take_over(leader, cluster, revision)
        self._took_over(head)
        return head

    def _ask(self, question: Callable[..., _T], *arguments: Any) -> _T:
        if not self._process.alive:
            raise Died
        if self._away():
            raise StoreAway("the database cannot be reached")
        answer = question(*arguments)
        if self._mute():
            raise StoreAway("the database does not answer")
        return answer
