"""EventService: committed facts to watchers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import grpc

from crossfleet.api.coordinator.v1 import event_service_pb2 as event_pb2
from crossfleet.api.coordinator.v1 import event_service_pb2_grpc as event_grpc
from crossfleet.coordinator.events import cursors
from crossfleet.coordinator.events.announcer import Announcer
from crossfleet.coordinator.events.cursors import Position
from crossfleet.coordinator.events.feed import EventFeed, Watcher
from crossfleet.coordinator.events.fullness import Fullness
from crossfleet.coordinator.lookup import Lookup
from crossfleet.foundation.draining import Draining
from crossfleet.foundation.errors import CursorExpired, FieldViolation, InvalidArgument, NotLeader

_PAGE = 1000

Executing = Callable[[str], Iterable[event_pb2.Event]]


class EventServicer(event_grpc.EventServiceServicer):
    """Subscribes first, then reads what is stored, then drops what came twice."""

    def __init__(
        self,
        feed: EventFeed,
        announcer: Announcer,
        lookup: Lookup,
        executing: Executing,
        draining: Draining,
        fullness: Fullness,
    ) -> None:
        """`feed` has what is live, `lookup` what is stored; `announcer` makes events of both. `executing` answers the
        events of what a run's workers (of an empty id: of no run's) execute now."""
        self._feed = feed
        self._announcer = announcer
        self._lookup = lookup
        self._executing = executing
        self._draining = draining
        self._fullness = fullness

    async def WatchEvents(
        self, request: event_pb2.WatchEventsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[event_pb2.WatchEventsResponse]:
        """Events after a cursor.

        Raises CursorExpired, SlowWatcher (resumable), DiskFull, RunNotFound, InvalidArgument, NotLeader.
        """
        if request.until_finished and not request.run_id:
            raise InvalidArgument("which run?", fields=[FieldViolation("run_id", "the run whose end ends the stream")])
        if request.run_id:
            await self._lookup.check(request.run_id)
        after = await self._after(request.after)
        watcher = self._feed.watch(request.run_id, executing=request.executing)
        for event in self._executing(request.run_id) if request.executing else ():
            watcher.show(event)
        try:
            async for events in self._events(watcher, after, request):
                last = _end(events) if request.until_finished else None
                yield event_pb2.WatchEventsResponse(events=events[:last])
                if last is not None:
                    return
        finally:
            self._feed.unwatch(watcher)

    async def _after(self, cursor: str) -> Position:
        """The position of a cursor. What another leader has given is no mistake: this one was deposed and has not noticed."""
        try:
            return cursors.parse(cursor, self._feed.last)
        except InvalidArgument:
            head = await self._lookup.queries.head()
            cursors.parse(cursor, cursors.end_of(head.seq))
            raise NotLeader("another coordinator has committed what this one does not know") from None

    async def _events(
        self, watcher: Watcher, after: Position, request: event_pb2.WatchEventsRequest
    ) -> AsyncIterator[list[event_pb2.Event]]:
        while after < watcher.since:
            # A client that watches the run that it has just submitted is served without SQL.
            recent = self._feed.recent(after, request.run_id)
            if recent is not None:
                events = [event for _, event in await self._announcer.announce(recent)]
                after = recent[-1][0] if recent else watcher.since
                if events:
                    yield events
                break
            stored = await self._stored(after, request.run_id)
            if not stored:
                break
            numbered = [((one.seq, one.index), one.at, one.event) for one in stored]
            events = [event for _, event in await self._announcer.announce(numbered)]
            after = numbered[-1][0]
            if events:
                yield events
        if request.until_finished and await self._lookup.ended(request.run_id):
            # It had ended before, or in what waits for this watcher: there is nothing to wait for.
            async for events in self._rest(watcher, after, request.run_id):
                yield events
            return
        yield []  # whoever came back is told that the watch stands, also while nothing happens
        while not self._draining.begun:
            live = watcher.taken(after)
            if live:
                after = next((_position(event) for event in reversed(live) if event.cursor), after)
                yield live
            else:
                await _either(watcher, self._draining, self._fullness.pause)
                self._fullness.check()

    async def _rest(self, watcher: Watcher, after: Position, run_id: str) -> AsyncIterator[list[event_pb2.Event]]:
        while stored := await self._stored(after, run_id):
            numbered = [((one.seq, one.index), one.at, one.event) for one in stored]
            after = numbered[-1][0]
            events = [event for _, event in await self._announcer.announce(numbered)]
            if events:
                yield events

    async def _stored(self, after: Position, run_id: str) -> list[Any]:
        from crossfleet.coordinator.ledger import queries

        try:
            return await self._lookup.queries.events(after=after, run_id=run_id, limit=_PAGE)
        except queries.CursorExpired as error:
            raise CursorExpired("these events are not kept any more", first_cursor=cursors.text(error.first)) from None


def _end(events: list[event_pb2.Event]) -> int | None:
    """How many events there are up to the end of a run, if that is among them. What is given back later is no news of it."""
    return next((n for n, event in enumerate(events, 1) if event.HasField("run_finished")), None)


def _position(event: event_pb2.Event) -> Position:
    seq, _, index = event.cursor.partition(".")
    return int(seq), int(index)


async def _either(watcher: Watcher, draining: Draining, most: float) -> None:
    waits = [asyncio.ensure_future(watcher.something()), asyncio.ensure_future(draining.wait())]
    try:
        await asyncio.wait(waits, timeout=most, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
