"""The port to durable storage: what a ledger needs of SQL, and how it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

Row = Mapping[str, Any]


class Deposed(Exception):
    """The head row is not where this leader left it: another one has taken over. Nothing was written."""


class TermOver(Deposed):
    """By its own clock the leader must not decide any more. Nothing is told of what may have been written."""


class StoreFull(Exception):
    """The disk, or the quota, is full. Nothing was written."""


class StoreFailed(Exception):
    """The batch was not written, for another cause; the cause is chained."""


class StoreAway(StoreFailed):
    """The database cannot be reached, or takes no writes at this moment. Nothing was written; trying again may help."""


class StoreLocked(StoreAway):
    """Another connection holds what this one waited for."""


class StoreRefused(StoreFailed):
    """The database wants something that only an operator can give: a password, a right, the database itself."""


class CommitUnsettled(StoreAway):
    """Whether the batch was written could not be found out. Nothing may be answered: give it again, or open the ledger again."""


class SchemaUnsupported(Exception):
    """The database was written by a version that this one does not know."""

    def __init__(self, found: str, supported: str, what: str = "schema") -> None:
        super().__init__(
            f"the database has {what} {found!r}; this version knows up to {supported!r}: install a later one"
        )
        self.found = found
        self.supported = supported


class Mode(Enum):
    """What is done with rows."""

    INSERT = "insert"
    UPDATE = "update"
    UPSERT = "upsert"
    IGNORE = "ignore"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Write:
    """Rows for one table; all have the same columns, the primary key among them. IGNORE inserts what is not there; of DELETE they are the key alone."""

    table: str
    mode: Mode
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Head:
    """The one row that fences and orders. Events of commits before `first_seq` may be gone."""

    epoch: int = 0
    seq: int = 0
    leader: str = ""
    election_cluster: str = ""
    election_revision: int = 0
    next_attempt: int = 1
    next_task: int = 1
    next_allocation: int = 1
    first_seq: int = 1

    def admits(self, cluster: str, revision: int) -> bool:
        """Whether the winner of an election may take over. An empty cluster stands for no election yet, or none."""
        same = cluster == self.election_cluster and revision > self.election_revision
        return same or not self.election_cluster


class TakeOverRefused(Exception):
    """A later election has been won meanwhile, or the election's cluster is another one.

    `reset_needed`: no candidate of this cluster can lead before an operator has reset the election. Where it is False and
    the candidate still holds its election, the cluster was restored to an earlier revision, and the same is needed.
    """

    def __init__(self, found: Head, cluster: str, revision: int) -> None:
        self.reset_needed = found.election_cluster != cluster
        known, here = found.election_cluster, cluster or "none"
        if self.reset_needed:
            text = (
                f"the ledger is led by the election of cluster {known}, and this coordinator takes part in {here}: give it"
                " the same etcd.endpoints and election. If the cluster was replaced, run: crossfleet admin election reset"
            )
        else:
            text = (
                f"revision {revision} of the election does not follow {found.election_revision}, by which"
                f" {found.leader or 'a leader'} took over. If the cluster was restored, run: crossfleet admin election reset"
            )
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class Batch:
    """One transaction: commit number `seq` of the leader of `epoch`, after `seq - 1`."""

    epoch: int
    seq: int
    next_attempt: int
    next_task: int
    next_allocation: int
    writes: Sequence[Write]


@dataclass(frozen=True, slots=True)
class Observed:
    """Seconds of cases of one suite on one device class, for the duration model."""

    suite_key: str
    seconds: Sequence[tuple[str, float]]
    at: float


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What is removed in one transaction. Nothing of a live run is, whatever stands here."""

    runs: Mapping[str, str] = field(default_factory=dict)
    """Request id by run id: from now on there are no such runs."""
    groups: Sequence[tuple[str, str]] = ()
    """Run id and group id: at most about `rows` of the rows of such groups, where their run is gone."""
    artifacts: Sequence[tuple[str, str, str]] = ()
    """Run id, target, name."""
    collections: Sequence[str] = ()
    """Digests; those that a group has stay."""
    rows: int = 500


@dataclass(frozen=True, slots=True)
class Stored:
    """What a leader starts from: the head and the rows of what is not over."""

    head: Head
    runs: Sequence[Row] = ()
    requests: Sequence[tuple[str, str, str, bool]] = ()
    """Request id, run id, fingerprint, live: of all runs that are kept."""
    events: Sequence[tuple[int, float, bytes]] = ()
    """Commit number, time and body, of live runs, in order."""
    collections: Mapping[str, bytes] = field(default_factory=dict)
    workers: Sequence[Row] = ()
    semaphores: Sequence[Row] = ()
    schedules: Sequence[Row] = ()
    reservations: Sequence[Row] = ()
    quotas: Sequence[Row] = ()
    priority_classes: Sequence[Row] = ()
    proofs: Sequence[Row] = ()


class Store(Protocol):
    """Durable storage. Used by one thread at a time."""

    @property
    def on_local_disk(self) -> bool:
        """Whether a commit waits for nothing but a disk of this machine: mostly for less than a millisecond."""

    def take_over(self, leader: str, cluster: str, revision: int) -> Head:
        """Raise the epoch. Raises TakeOverRefused, StoreFailed."""

    def load(self) -> Stored:
        """All that is not over. Raises StoreFailed."""

    def commit(self, batch: Batch) -> None:
        """Write a batch, or nothing: on return it is durable. Raises Deposed, StoreFull, StoreFailed, CommitUnsettled.

        After StoreAway and CommitUnsettled the same batch may be given again: it is written once.
        """

    def head(self) -> Head:
        """The head as it is committed. Raises StoreFailed."""

    def observe(self, observed: Observed, epoch: int) -> None:
        """Update the duration model. Raises Deposed, StoreFull, StoreFailed."""

    def prune(self, before_seq: int, epoch: int, rows: int) -> int:
        """Drop events of commits before `before_seq` whose runs are over: the oldest, about `rows`. Answers how many.

        Raises Deposed, StoreFull, StoreFailed.
        """

    def cut(self) -> None:
        """Break off what another thread waits for here, and refuse what comes: the term is over. May be called from any thread."""

    def identify(self, candidate: str, epoch: int) -> str:
        """The id of the fleet; `candidate` becomes it where it has none. Raises Deposed, StoreFull, StoreFailed."""

    def clean(self, cleaning: Cleaning, epoch: int) -> int:
        """Remove what is not kept any longer; answers the rows. Raises Deposed, StoreFull, StoreFailed."""

    def close(self) -> None:
        """Let go of files and connections."""
