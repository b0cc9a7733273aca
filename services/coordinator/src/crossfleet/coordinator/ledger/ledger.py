"""The one writer of the truth, without time, threads or tasks: commands in, one transaction, answers and facts out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from crossfleet.coordinator.core.answers import Answer
from crossfleet.coordinator.core.commands import Command
from crossfleet.coordinator.core.emitter import Rejection
from crossfleet.coordinator.core.events import (
    Event,
    HealthChanged,
    WorkerForgotten,
    WorkerGone,
    WorkerJoined,
    WorkerStateChanged,
    WorkerUpdated,
)
from crossfleet.coordinator.core.machine import apply
from crossfleet.coordinator.core.model import State, Worker
from crossfleet.coordinator.core.override import DeviceOverridden
from crossfleet.coordinator.ledger.loading import rebuild
from crossfleet.coordinator.ledger.observing import observations
from crossfleet.coordinator.ledger.projection import project
from crossfleet.coordinator.ledger.store import (
    Batch,
    Deposed,
    Observed,
    Store,
    StoreAway,
    StoreFailed,
    StoreFull,
    StoreRefused,
)

_WORKER_FACTS = (
    WorkerJoined,
    WorkerUpdated,
    WorkerStateChanged,
    WorkerGone,
    WorkerForgotten,
    HealthChanged,
    DeviceOverridden,
)


@dataclass(frozen=True, slots=True)
class Committed:
    """Facts of one commit. The cursor of `events[i]` is `(seq, i)`; `at` in unix seconds."""

    seq: int
    at: float
    events: tuple[Event, ...]


@dataclass(slots=True)
class Outcome:
    """What became of commands: an answer or a rejection each, in their order, and what was committed."""

    answers: list[Answer | Rejection]
    committed: list[Committed] = field(default_factory=list)
    observed: list[Observed] = field(default_factory=list)


@dataclass(slots=True)
class Prepared:
    """A batch by which the state has evolved and that is not durable yet."""

    answers: list[Answer | Rejection]
    events: list[Event]
    at: float
    batch: Batch | None
    observed: list[Observed]


class Ledger:
    """Owns the state and its store. After an exception other than those documented it must be opened again."""

    def __init__(self, store: Store) -> None:
        """Nothing is read before `open`."""
        self.store = store
        self.state = State()
        self.epoch = 0
        self.seq = 0
        self._workers: dict[str, Worker] = {}

    def open(self, leader: str, cluster: str = "", revision: int = 1) -> None:
        """Take over and load. Raises TakeOverRefused, StoreFailed, and SchemaUnsupported for facts of a later version."""
        self.epoch = self.store.take_over(leader, cluster, revision).epoch
        self._workers = {}
        self.reload()

    def reload(self) -> None:
        """Go back to the last commit. Sessions of workers are not in SQL; those of the last commit are kept."""
        stored = self.store.load()
        if stored.head.epoch != self.epoch:
            raise Deposed(f"epoch {stored.head.epoch} has begun")
        state = rebuild(stored)
        for worker_id, known in self._workers.items():
            allocations = state.workers[worker_id].allocations
            state.take_in(replace(known, allocations=allocations))
        state.selectors.learn(worker.view for worker in state.workers.values())
        self.state, self.seq = state, stored.head.seq

    def confirm(self) -> None:
        """Raises Deposed where a later term has begun, and StoreFailed."""
        epoch = self.store.head().epoch
        if epoch != self.epoch:
            raise Deposed(f"epoch {epoch} has begun")

    def commit(self, commands: Sequence[Command], now: float) -> Outcome:
        """Carry out commands and make them durable. Raises Deposed, or StoreFailed (CommitUnsettled) where nothing can be read back.

        A command that breaks the machine is found, refused alone (INTERNAL), and the others are carried out.
        """
        try:
            prepared = self.prepare(commands, now)
        except Exception:  # noqa: BLE001 - whatever a command broke, the state is half changed
            return self.recover(commands, now)
        return self.settle(commands, prepared)

    def prepare(self, commands: Sequence[Command], now: float) -> Prepared:
        """Apply commands to the state in memory. On any exception `recover` must follow."""
        answers: list[Answer | Rejection] = []
        events: list[Event] = []
        for command in commands:
            applied = apply(self.state, command, now)
            if isinstance(applied, Rejection):
                answers.append(applied)
            else:
                answers.append(applied.answer)
                events += applied.events
        if not events:
            return Prepared(answers, events, now, None, [])
        state = self.state
        seq = self.seq + 1
        writes = project(state, events, seq, now)
        batch = Batch(self.epoch, seq, state.next_attempt, state.next_task, state.next_allocation, writes)
        return Prepared(answers, events, now, batch, observations(state, events, now))

    def settle(self, commands: Sequence[Command], prepared: Prepared) -> Outcome:
        """Make a prepared batch durable, or take it back."""
        return self.write(commands, prepared) or self.accept(prepared)

    def write(self, commands: Sequence[Command], prepared: Prepared) -> Outcome | None:
        """Write a prepared batch. None: it is durable, and `accept` must follow; else it was taken back.

        Raises StoreAway (CommitUnsettled) and StoreRefused while the database cannot tell: then the same is to be called again,
        or `open`. Raises Deposed, and StoreFailed where the last commit cannot be read back.
        Touches no state that others see, so that it may run in a thread.
        """
        if prepared.batch is None:
            return None
        try:
            self.store.commit(prepared.batch)
        except StoreFull as full:
            self.reload()
            refused = Rejection("DISK_FULL", f"the write was refused and nothing was recorded: {full}")
            return Outcome([refused] * len(commands))
        except (StoreAway, StoreRefused):
            raise
        except StoreFailed as failure:
            if len(commands) > 1:
                return self.recover(commands, prepared.at)
            self.reload()
            return Outcome([_internal(commands[0], failure)])
        return None

    def accept(self, prepared: Prepared) -> Outcome:
        """A prepared batch is durable: what is over is forgotten, the facts may be told."""
        batch = prepared.batch
        if batch is None:
            return Outcome(prepared.answers)
        self.seq = batch.seq
        for run in [run for run in self.state.runs.values() if run.forgettable]:
            self.state.forget(run.run_id)
        for event in prepared.events:
            if isinstance(event, _WORKER_FACTS):
                worker = self.state.workers.get(event.worker_id)
                if worker is None:
                    self._workers.pop(event.worker_id, None)
                else:
                    self._workers[event.worker_id] = replace(worker, allocations=set())
        committed = Committed(batch.seq, prepared.at, tuple(prepared.events))
        return Outcome(prepared.answers, [committed], prepared.observed)

    def recover(self, commands: Sequence[Command], now: float) -> Outcome:
        """Go back to the last commit and carry commands out one at a time; those that break something are refused."""
        self.reload()
        whole = Outcome([])
        for command in commands:
            try:
                one = self._carry_out(command, now)
            except (StoreAway, StoreRefused) as away:
                # A part of the batch may be written: the whole must not be given again.
                raise StoreFailed(f"the database went away while a batch was carried out again: {away}") from away
            whole.answers += one.answers
            whole.committed += one.committed
            whole.observed += one.observed
        return whole

    def _carry_out(self, command: Command, now: float) -> Outcome:
        try:
            return self.settle([command], self.prepare([command], now))
        except (Deposed, StoreFailed):
            raise
        except Exception as poison:  # noqa: BLE001 - it is refused alone, whatever it is
            self.reload()
            return Outcome([_internal(command, poison)])


def _internal(command: Command, failure: BaseException) -> Rejection:
    cause = failure.__cause__ or failure
    return Rejection("INTERNAL", f"{type(command).__name__} could not be carried out: {type(cause).__name__}: {cause}")
