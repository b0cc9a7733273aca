"""LedgerWriter: the task that feeds the ledger. Idle, a command commits at once; busy, what queued is the next batch."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from crossfleet.coordinator.core.answers import Answer
from crossfleet.coordinator.core.commands import Command
from crossfleet.coordinator.core.emitter import Rejection
from crossfleet.coordinator.core.events import Event
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.ledger.batching import BatchSize, let_others
from crossfleet.coordinator.ledger.ledger import Committed, Ledger, Outcome
from crossfleet.coordinator.ledger.observing import in_parts
from crossfleet.coordinator.ledger.patience import NO_PATIENCE, Patience
from crossfleet.coordinator.ledger.store import Cleaning, Deposed, Observed, TermOver
from crossfleet.coordinator.ledger.storing import Storing
from crossfleet.coordinator.ledger.waiters import LedgerRejected, Waiters
from crossfleet.foundation.logs import get_logger

# A refusal that is older says nothing of the disk as it is now.
_LATELY_SECONDS = 10.0
_FINISH_SECONDS = 3.0  # of a coordinator that goes down while its database is away

Subscriber = Callable[[Committed], None]
Foresight = Callable[[Sequence[Event]], None]
_Result = TypeVar("_Result")

__all__ = ["Committed", "LedgerRejected", "LedgerWriter"]


class LedgerWriter:
    """Owns a ledger that is open, and the way to its store."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Callable[[], float],
        limit: int = 10_000,
        *,
        remaining: Callable[[], float] = lambda: math.inf,
        patience: Patience = NO_PATIENCE,
        stopwatch: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`clock` gives unix seconds; at most `limit` commands wait. `remaining` answers the seconds left of the term: at
        0 nothing is written any more, nor told. `stopwatch` measures how long batches keep the loop."""
        self._ledger = ledger
        self._state = ledger.state
        self._clock = clock
        self._remaining = remaining
        self._patience = patience
        self._stopwatch = stopwatch
        self._size = BatchSize()
        self._kept = 0.0
        self._waiters = Waiters(limit)
        self._subscribers: list[Subscriber] = []
        self._foresights: list[Foresight] = []
        self._observed: deque[Observed] = deque(maxlen=1_000)
        self._wake = asyncio.Event()
        self._over = asyncio.Event()
        self._storing = Storing(ledger, again=patience.refuse < math.inf)
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._holding = False
        self._away = False
        self._refused: tuple[float, float] | None = None
        self.failed = ""
        self.commit_seconds = 0.0
        """How long the last batch took, from the first command applied to the answer of the disk."""
        self.cursor = (ledger.seq, 1 << 30)

    @property
    def state(self) -> State:
        """The state. It is what is committed whenever subscribers are called; read only.

        While a broken batch is carried out again in the thread, it stays the one of before: nothing that is iterated
        on the loop changes under it.
        """
        return self._state

    @property
    def waiting(self) -> int:
        """Commands that wait for the next batch."""
        return len(self._waiters)

    @property
    def full_seconds(self) -> float:
        """For how long the disk has been too full for every batch; 0.0 where none was refused lately."""
        first, last = self._refused or (0.0, 0.0)
        return last - first if asyncio.get_running_loop().time() - last < _LATELY_SECONDS else 0.0

    @property
    def epoch(self) -> int:
        """The leader's term."""
        return self._ledger.epoch

    async def start(self) -> None:
        """Begin to take commands."""
        self._task = asyncio.create_task(self._work(), name="ledger writer")

    async def stop(self) -> None:
        """Commit what is queued, then let go of the store. Later commands are refused (DRAINING)."""
        await self.finish()
        await self._storing.close()

    async def finish(self, *, holding: bool = False) -> None:
        """Commit what is queued, where that is done in time. Later commands are refused: at once (DRAINING), or, `holding`,
        when another leader may be known (NOT_LEADER, at `depose`)."""
        self._stopping = True
        self._holding = holding
        self._wake.set()
        if self._task is None or self._task.done():
            return
        limit = None if self._patience.refuse == math.inf else min(self._patience.refuse, _FINISH_SECONDS)
        await asyncio.wait([self._task], timeout=limit)
        if not self._task.done():
            self.depose("the coordinator went down while the database was away")

    def depose(self, cause: str) -> None:
        """At once: no more is written, answered or told. What the thread is writing is for the next leader to find."""
        if not self.failed:
            self._end("NOT_LEADER", cause)
        self._storing.cut()
        if self._task is not None:
            self._task.cancel()

    async def submit(self, command: Command) -> Answer:
        """The answer, once it is durable. Raises LedgerRejected."""
        if self._holding:
            await self._over.wait()
        if self.failed:
            raise LedgerRejected(Rejection("NOT_LEADER", self.failed))
        if self._stopping:
            raise LedgerRejected(Rejection("DRAINING", "the coordinator is going down"))
        if self._away:
            raise LedgerRejected(self._patience.refusal())
        answer = self._waiters.put(command)
        self._wake.set()
        return await answer

    async def prune(self, before_seq: int, rows: int) -> int:
        """Drop events of commits before `before_seq` whose runs are over: the oldest, about `rows`. Answers how many.

        Commits wait for it. Raises StoreFull, StoreFailed, Deposed.
        """
        return await self._storing.threaded(self._ledger.store.prune, before_seq, self._ledger.epoch, rows)

    async def confirm(self) -> None:
        """Returns where nobody else has begun to lead. Raises TermOver, Deposed, StoreFailed."""
        self._check_term()
        await self._storing.threaded(self._ledger.confirm)
        self._check_term()

    async def identify(self, candidate: str) -> str:
        """The id of the fleet; `candidate` becomes it where it has none. Raises StoreFull, StoreFailed, Deposed."""
        return await self._storing.threaded(self._ledger.store.identify, candidate, self._ledger.epoch)

    async def clean(self, cleaning: Cleaning) -> int:
        """Remove what is not kept any longer; answers the rows. Commits wait for it. Raises StoreFull, StoreFailed, Deposed."""
        removed = await self._storing.threaded(self._ledger.store.clean, cleaning, self._ledger.epoch)
        for state in (self._state, self._ledger.state):
            for run_id, request_id in cleaning.runs.items():
                if run_id in state.past_runs:
                    state.past_runs.discard(run_id)
                    state.requests.pop(request_id, None)
        return removed

    async def learn(self, suite_key: str, seconds: Sequence[tuple[str, float]]) -> None:
        """Take durations into the model that were measured elsewhere. Raises StoreFull, StoreFailed, Deposed."""
        for part in in_parts(suite_key, seconds, self._clock()):
            await self._storing.threaded(self._ledger.store.observe, part, self._ledger.epoch)

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber` with each commit, in order, before its commands are answered; returns how to end that.

        It must return quickly and must not raise: one that raises is logged and dropped.
        """
        self._subscribers.append(subscriber)

        def unsubscribe() -> None:
            if subscriber in self._subscribers:
                self._subscribers.remove(subscriber)

        return unsubscribe

    def foresee(self, foresight: Foresight) -> None:
        """Call `foresight` with the facts of each batch as soon as the state has followed them, before they are durable.

        Only for whom it does no harm to hear of what may be taken back: the state is then another object, and where no
        commit tells of that, it is called with no facts. It must return quickly and must not raise. What only a recovery
        committed is never foreseen.
        """
        self._foresights.append(foresight)

    async def wait_failed(self) -> str:
        """Wait until the ledger can no longer be written; says why."""
        await self._over.wait()
        return self.failed

    async def _work(self) -> None:
        while True:
            if not self._waiters:
                if self._observed and not self._holding:  # somebody waits to lead
                    await self._learn()
                    continue
                if self._stopping:
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            commands = self._waiters.take(self._size.most)
            began = self._stopwatch()
            try:
                outcome = await self._patiently(self._commit, commands)
                durable = self._stopwatch()
                self.commit_seconds = durable - began
                self._tell(outcome)
                self._size.took(len(commands), self._kept + self._storing.kept_seconds + self._stopwatch() - durable)
            except Exception as error:  # noqa: BLE001 - nothing more can be written: everybody is told
                self._fail(error)
                return
            # What the thread writes gives others time enough.
            if self._waiters and self._storing.kept_seconds:
                await let_others(self._stopwatch)

    async def _patiently(self, work: Callable[..., Awaitable[_Result]], *arguments: Any) -> _Result:
        """Does `work` at the store, while a clock runs for those who wait. Raises TermOver, also where it was done."""
        self._check_term()
        if self._patience.refuse == math.inf:
            result = await work(*arguments)
        else:
            loop, patience = asyncio.get_running_loop(), self._patience
            timers = [loop.call_later(patience.refuse, self._lose_patience)]
            if patience.leave < math.inf:
                timers.append(loop.call_later(patience.leave, self.depose, patience.absence(patience.leave)))
            try:
                result = await work(*arguments)
            finally:
                self._away = False
                for timer in timers:
                    timer.cancel()
        self._check_term()
        return result

    def _check_term(self) -> None:
        if self._remaining() <= 0:
            raise TermOver("the term is over")

    def _lose_patience(self) -> None:
        """The batch in hand may be written yet, so that nobody can be told what becomes of it."""
        self._away = True
        unknown = Rejection(
            "COMMIT_UNSETTLED", f"{self._patience.absence(self._patience.refuse)}: ask again with the same request id"
        )
        self._waiters.refuse(unknown, self._patience.refusal())

    async def _commit(self, commands: Sequence[Command]) -> Outcome:
        """The state follows here, on the loop that reads it; only SQL is waited for in the thread."""
        ledger, now, began = self._ledger, self._clock(), self._stopwatch()
        try:
            prepared = ledger.prepare(commands, now)
            self._kept = self._stopwatch() - began
        except Exception as error:  # noqa: BLE001 - a command broke the machine
            get_logger().error("a command could not be carried out", exc_info=error)
            return await self._storing.threaded(ledger.recover, commands, now)
        if prepared.batch is None:
            return ledger.accept(prepared)
        for foresight in self._foresights:
            foresight(prepared.events)
        taken_back = await self._storing.write(commands, prepared)
        return taken_back or ledger.accept(prepared)

    async def _learn(self) -> None:
        """The duration model is written when nothing waits; to lose some of it does no harm."""
        observed, ledger = self._observed.popleft(), self._ledger
        try:
            await self._patiently(self._storing.threaded, ledger.store.observe, observed, ledger.epoch)
        except Exception as error:  # noqa: BLE001 - a deposed or broken store shows at the next commit
            get_logger().warning("durations were not stored", error=str(error))

    def _note_fullness(self, outcome: Outcome) -> None:
        if outcome.committed:
            self._refused = None
        elif any(isinstance(answer, Rejection) and answer.reason == "DISK_FULL" for answer in outcome.answers):
            now = asyncio.get_running_loop().time()
            self._refused = (self._refused[0] if self._refused else now, now)

    def _tell(self, outcome: Outcome) -> None:
        taken_back = self._state is not self._ledger.state
        self._state = self._ledger.state
        self._note_fullness(outcome)
        for committed in outcome.committed:
            self.cursor = (committed.seq, len(committed.events) - 1)
            for subscriber in list(self._subscribers):
                try:
                    subscriber(committed)
                except Exception as error:  # noqa: BLE001 - one reader's fault must not stop the writer
                    get_logger().error("a subscriber failed and was dropped", exc_info=error)
                    self._subscribers.remove(subscriber)
        if taken_back and not outcome.committed:
            for foresight in self._foresights:
                foresight(())
        self._observed.extend(outcome.observed)
        self._waiters.answer(outcome.answers)

    def _fail(self, error: Exception) -> None:
        if isinstance(error, TermOver):
            self._end("NOT_LEADER", str(error))
        elif isinstance(error, Deposed):
            self._end("NOT_LEADER", f"another coordinator leads now: {error}")
        else:
            get_logger().error("the ledger ends", exc_info=error)
            self._end("INTERNAL", f"the ledger failed: {error}")

    def _end(self, reason: str, cause: str) -> None:
        self.failed = cause
        rejection = Rejection(reason, cause)
        self._waiters.refuse(rejection, rejection)
        self._over.set()
