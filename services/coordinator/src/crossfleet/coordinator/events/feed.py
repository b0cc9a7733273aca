"""Live events: each committed batch is announced once, and shared by all watchers."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from contextlib import suppress
from typing import TYPE_CHECKING

from crossfleet.api.coordinator.v1 import event_service_pb2 as event_pb2
from crossfleet.coordinator.core import events as facts
from crossfleet.coordinator.events import cursors
from crossfleet.coordinator.events.announcer import Announced, Announcer, Numbered
from crossfleet.coordinator.events.cursors import Position, text
from crossfleet.foundation.errors import SlowWatcher
from crossfleet.foundation.logs import get_logger

if TYPE_CHECKING:
    from crossfleet.coordinator.ledger.writer import Committed

_WAITING_BATCHES = 4_096
_RECENT_RUNS = 64
_RECENT_BATCHES = 256
# People and programs do not watch single cases pass faster than this; each message to a watcher costs more than its cases.
_GATHER_SECONDS = 0.05
_MAY_GATHER = frozenset((facts.CasesFinished, facts.TasksAssigned, facts.AttemptEnded, facts.SlotsWanting))


class Watcher:
    """One open watch: what was announced since it was opened, bounded."""

    def __init__(self, run_id: str, since: Position, most: int, *, executing: bool = False) -> None:
        """Takes the events of one run, or all for an empty id, behind `since`; holds at most `most`.

        `executing`: also what workers are executing.
        """
        self.since = since
        self._run_id = run_id
        self._most = most
        self._executing = executing
        self._waiting: deque[Announced] = deque()
        self._newest: dict[tuple[str, str], event_pb2.Event] = {}
        self._wake = asyncio.Event()
        self._slow = False

    def offer(self, announced: list[Announced]) -> None:
        """Queues events; a watcher that does not keep up loses what waits and is let go."""
        if self._slow:
            return
        mine = announced if not self._run_id else [one for one in announced if one[1].run_id == self._run_id]
        if not mine:
            return
        if len(self._waiting) + len(mine) > self._most:
            self.let_go()
        else:
            self._waiting.extend(mine)
            self._wake.set()

    def show(self, event: event_pb2.Event) -> None:
        """Queues what a worker is executing, in the place of what it said of that run before."""
        if self._executing and not self._slow and self._run_id in ("", event.run_id):
            self._newest[event.run_id, event.cases_executing.worker_id] = event
            self._wake.set()

    def let_go(self) -> None:
        """Something is missing from here on: the watcher has to come back for it."""
        self._slow = True
        self._waiting.clear()
        self._newest.clear()
        self._wake.set()

    def taken(self, after: Position) -> list[event_pb2.Event]:
        """What waits and lies behind `after`. Raises SlowWatcher, with the cursor where to go on."""
        if self._slow:
            raise SlowWatcher("too slow: watch again after the cursor", cursor=text(after))
        # What was being executed comes first: the end of such a case is among the facts that follow, never before.
        found = list(self._newest.values())
        found += [event for position, event in self._waiting if position > after]
        self._waiting.clear()
        self._newest.clear()
        self._wake.clear()
        return found

    async def something(self) -> None:
        """Returns when something waits."""
        await self._wake.wait()


class EventFeed:
    """Between the writer and the watchers."""

    def __init__(self, announcer: Announcer, last: Position, watcher_events: int) -> None:
        """`last` is the position of the last committed event, `watcher_events` the most that wait for one watcher."""
        self._announcer = announcer
        self._most = watcher_events
        self._last = last
        self._watchers: set[Watcher] = set()
        self._batches: deque[Committed] = deque()
        self._wake = asyncio.Event()
        self._urgent = asyncio.Event()
        self._recent: deque[Committed] = deque(maxlen=_RECENT_BATCHES)
        self._submitted: OrderedDict[str, tuple[Position, facts.RunSubmitted]] = OrderedDict()

    def __len__(self) -> int:
        """Open watches."""
        return len(self._watchers)

    @property
    def last(self) -> Position:
        """Position of the last committed event."""
        return self._last

    def committed(self, batch: Committed) -> None:
        """Called right after each commit."""
        for fact in batch.events:
            if type(fact) is facts.RunSubmitted:
                self._submitted[fact.run_id] = (cursors.end_of(batch.seq - 1), fact)
                if len(self._submitted) > _RECENT_RUNS:
                    self._submitted.popitem(last=False)
        self._recent.append(batch)
        if batch.events:
            self._last = (batch.seq, len(batch.events) - 1)
        if self._watchers:
            self._batches.append(batch)
            self._wake.set()
            if not all(type(fact) in _MAY_GATHER for fact in batch.events):
                self._urgent.set()
        if len(self._batches) > _WAITING_BATCHES:
            self._batches.clear()
            for watcher in self._watchers:
                watcher.let_go()

    def submitted(self, run_id: str) -> tuple[Position, facts.RunSubmitted] | None:
        """The first fact of a recent run, and the position before its commit."""
        return self._submitted.get(run_id)

    def recent(self, after: Position, run_id: str) -> list[Numbered] | None:
        """The facts behind `after`, about one run or all, if all of them are still in memory; else None."""
        needed = after[0] + (after >= cursors.end_of(after[0]))
        if not self._recent or self._recent[0].seq > needed:
            return None
        return [
            ((batch.seq, index), batch.at, fact)
            for batch in self._recent
            if batch.seq >= after[0]
            for index, fact in enumerate(batch.events)
            if (batch.seq, index) > after and (not run_id or getattr(fact, "run_id", "") == run_id)
        ]

    def watch(self, run_id: str, *, executing: bool = False) -> Watcher:
        """Opens a watch of what is committed from now on, and of what workers execute where that is wanted."""
        watcher = Watcher(run_id, self._last, self._most, executing=executing)
        self._watchers.add(watcher)
        return watcher

    def show(self, event: event_pb2.Event) -> None:
        """Passes on what a worker is executing: no committed fact, so it has no cursor."""
        for watcher in self._watchers:
            watcher.show(event)

    def unwatch(self, watcher: Watcher) -> None:
        """Ends a watch."""
        self._watchers.discard(watcher)

    async def run(self) -> None:
        """Announces batches until cancelled: at once after a quiet moment, cases that pour in a few times a second."""
        last = 0.0
        while True:
            await self._wake.wait()
            await self._gather(last)
            last = asyncio.get_running_loop().time()
            self._wake.clear()
            self._urgent.clear()
            while self._batches:
                batch = self._batches.popleft()
                numbered = [((batch.seq, index), batch.at, fact) for index, fact in enumerate(batch.events)]
                try:
                    announced = await self._announcer.announce(numbered)
                except Exception as error:  # noqa: BLE001 - one bad batch must not end the feed of all that follow
                    get_logger().error("a batch could not be announced", seq=batch.seq, exc_info=error)
                    for watcher in self._watchers:
                        watcher.let_go()
                    continue
                for watcher in self._watchers:
                    watcher.offer(announced)
                await asyncio.sleep(0)  # others have their turn between two batches
                if not self._watchers:
                    self._batches.clear()

    async def _gather(self, last: float) -> None:
        """Waits for more of the same after the last announcement, unless something else than cases has happened."""
        left = last + _GATHER_SECONDS - asyncio.get_running_loop().time()
        if left > 0 and not self._urgent.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(left):  # wait_for may forget a cancellation before Python 3.12
                    await self._urgent.wait()
