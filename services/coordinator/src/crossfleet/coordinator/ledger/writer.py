"""LedgerWriter: the task that feeds the ledger. Idle, a command commits at once; busy, what queued is the next batch."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from crossfleet.coordinator.core.answers import Answer
from crossfleet.coordinator.core.commands import Command
from crossfleet.coordinator.core.emitter import Rejection
from crossfleet.coordinator.core.events import Event
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.ledger.ledger import Committed, Ledger, Outcome, Prepared
from crossfleet.coordinator.ledger.projection import in_parts
from crossfleet.coordinator.ledger.store import Cleaning, Deposed, Observed
from crossfleet.foundation.logs import get_logger

# More in one transaction saves nothing and makes the first wait for the last.
_LARGEST_BATCH = 512
# So few commands are written on the loop, where the disk has been as fast as this: to hand them to the thread takes longer.
_FEW, _FAST_SECONDS = 4, 0.002
# A refusal that is older says nothing of the disk as it is now.
_LATELY_SECONDS = 10.0

_Result = TypeVar("_Result")
_Waiter = tuple[Command, asyncio.Future[Answer]]
Subscriber = Callable[[Committed], None]
Foresight = Callable[[Sequence[Event]], None]

__all__ = ["Committed", "LedgerRejected", "LedgerWriter"]


class LedgerRejected(Exception):
    """A command was refused; nothing was recorded for it. `rejection.reason` names an ErrorReason."""

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(rejection.message)
        self.rejection = rejection


class LedgerWriter:
    """Owns a ledger that is open, and a thread for its store."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float], limit: int = 10_000) -> None:
        """`clock` gives unix seconds; at most `limit` commands wait."""
        self._ledger = ledger
        self._state = ledger.state
        self._clock = clock
        self._limit = limit
        self._queue: deque[_Waiter] = deque()
        self._subscribers: list[Subscriber] = []
        self._foresights: list[Foresight] = []
        self._observed: deque[Observed] = deque(maxlen=1_000)
        self._wake = asyncio.Event()
        self._over = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "ledger")
        self._at_store = threading.Lock()
        self._fast = True
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
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
        return len(self._queue)

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
        """Commit what is queued, then end. Later commands are refused (DRAINING)."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task
        self._thread.shutdown(wait=True)

    async def submit(self, command: Command) -> Answer:
        """The answer, once it is durable. Raises LedgerRejected."""
        if self.failed:
            raise LedgerRejected(Rejection("NOT_LEADER", self.failed))
        if self._stopping:
            raise LedgerRejected(Rejection("DRAINING", "the coordinator is going down"))
        if len(self._queue) >= self._limit:
            text = f"{self._limit} commands wait already; try again soon"
            raise LedgerRejected(
                Rejection("QUEUE_FULL", text, metadata=(("queue", "ledger"), ("limit", str(self._limit))))
            )
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._queue.append((command, future))
        self._wake.set()
        return await future

    async def prune(self, before_seq: int) -> None:
        """Drop the events of commits before `before_seq` whose runs are over. Raises StoreFull, StoreFailed, Deposed."""
        await self._threaded(self._ledger.store.prune, before_seq, self._ledger.epoch)

    async def identify(self, candidate: str) -> str:
        """The id of the fleet; `candidate` becomes it where it has none. Raises StoreFull, StoreFailed, Deposed."""
        return await self._threaded(self._ledger.store.identify, candidate, self._ledger.epoch)

    async def clean(self, cleaning: Cleaning) -> int:
        """Remove what is not kept any longer; answers the rows. Commits wait for it. Raises StoreFull, StoreFailed, Deposed."""
        removed = await self._threaded(self._ledger.store.clean, cleaning, self._ledger.epoch)
        for state in (self._state, self._ledger.state):
            for run_id, request_id in cleaning.runs.items():
                if run_id in state.past_runs:
                    state.past_runs.discard(run_id)
                    state.requests.pop(request_id, None)
        return removed

    async def learn(self, suite_key: str, seconds: Sequence[tuple[str, float]]) -> None:
        """Take durations into the model that were measured elsewhere. Raises StoreFull, StoreFailed, Deposed."""
        for part in in_parts(suite_key, seconds, self._clock()):
            await self._threaded(self._ledger.store.observe, part, self._ledger.epoch)

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

        Only for whom it does no harm to hear of what may be taken back: the state is then another object. It must
        return quickly and must not raise. What only a recovery committed is never foreseen.
        """
        self._foresights.append(foresight)

    async def wait_failed(self) -> str:
        """Wait until the ledger can no longer be written; says why."""
        await self._over.wait()
        return self.failed

    async def _work(self) -> None:
        while True:
            if not self._queue:
                if self._observed:
                    await self._learn()
                    continue
                if self._stopping:
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            waiters = [self._queue.popleft() for _ in range(min(len(self._queue), _LARGEST_BATCH))]
            began = asyncio.get_running_loop().time()
            try:
                outcome = await self._commit([command for command, _ in waiters])
                self.commit_seconds = asyncio.get_running_loop().time() - began
                self._tell(waiters, outcome)
            except Exception as error:  # noqa: BLE001 - nothing more can be written: everybody is told
                self._fail(error, waiters)
                return

    async def _commit(self, commands: Sequence[Command]) -> Outcome:
        """The state follows here, on the loop that reads it; only SQL is waited for in the thread."""
        ledger, now = self._ledger, self._clock()
        try:
            prepared = ledger.prepare(commands, now)
        except Exception as error:  # noqa: BLE001 - a command broke the machine
            get_logger().error("a command could not be carried out", exc_info=error)
            return await self._threaded(ledger.recover, commands, now)
        if prepared.batch is None:
            return ledger.accept(prepared)
        for foresight in self._foresights:
            foresight(prepared.events)
        taken_back = await self._write(commands, prepared)
        return taken_back or ledger.accept(prepared)

    async def _write(self, commands: Sequence[Command], prepared: Prepared) -> Outcome | None:
        """Few commands for a fast disk are written here, unless the thread is at the store; all else by the thread."""
        # Two turns of the loop: what was foreseen leaves before it may be held up.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        store_is_near = len(commands) <= _FEW and self._ledger.store.on_local_disk
        begun = time.perf_counter()
        if store_is_near and self._fast and self._at_store.acquire(blocking=False):
            try:
                taken_back = self._ledger.write(commands, prepared)
            finally:
                self._at_store.release()
        else:
            taken_back = await self._threaded(self._ledger.write, commands, prepared)
        if store_is_near:
            self._fast = time.perf_counter() - begun < _FAST_SECONDS
        return taken_back

    async def _threaded(self, work: Callable[..., _Result], *arguments: Any) -> _Result:
        """Waits for the thread, which does `work` with the store."""

        def alone() -> _Result:
            with self._at_store:
                return work(*arguments)

        return await asyncio.get_running_loop().run_in_executor(self._thread, alone)

    async def _learn(self) -> None:
        """The duration model is written when nothing waits; to lose some of it does no harm."""
        observed = self._observed.popleft()
        store, epoch = self._ledger.store, self._ledger.epoch
        try:
            await self._threaded(store.observe, observed, epoch)
        except Exception as error:  # noqa: BLE001 - a deposed or broken store shows at the next commit
            get_logger().warning("durations were not stored", error=str(error))

    def _note_fullness(self, outcome: Outcome) -> None:
        if outcome.committed:
            self._refused = None
        elif any(isinstance(answer, Rejection) and answer.reason == "DISK_FULL" for answer in outcome.answers):
            now = asyncio.get_running_loop().time()
            self._refused = (self._refused[0] if self._refused else now, now)

    def _tell(self, waiters: Sequence[_Waiter], outcome: Outcome) -> None:
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
        self._observed.extend(outcome.observed)
        for (_, future), answer in zip(waiters, outcome.answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, Rejection):
                future.set_exception(LedgerRejected(answer))
            else:
                future.set_result(answer)

    def _fail(self, error: Exception, waiters: Sequence[_Waiter]) -> None:
        deposed = isinstance(error, Deposed)
        self.failed = f"another coordinator leads now: {error}" if deposed else f"the ledger failed: {error}"
        get_logger().error("the ledger ends", cause=self.failed, exc_info=None if deposed else error)
        reason = "NOT_LEADER" if deposed else "INTERNAL"
        for _, future in [*waiters, *self._queue]:
            if not future.done():
                future.set_exception(LedgerRejected(Rejection(reason, self.failed)))
        self._queue.clear()
        self._over.set()
