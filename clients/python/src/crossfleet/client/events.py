"""The events of a fleet, without gap or repetition over broken streams."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import grpc

from crossfleet.api.coordinator.v1 import event_service_pb2 as wire
from crossfleet.api.coordinator.v1.event_service_pb2_grpc import EventServiceStub
from crossfleet.client.connection import Connection
from crossfleet.client.outage import Outage, nobody
from crossfleet.foundation.errors import CrossfleetError

_QUIET_ENDS = 3
_QUIET_PAUSE_SECONDS = 0.05
_PASSING = frozenset(("SLOW_WATCHER",))


class EventCalls:
    """The EventService of a fleet. `outage_seconds`: how long a fleet may be away before the watch gives up."""

    def __init__(self, connection: Connection, *, outage_seconds: float | None = None) -> None:
        self._connection = connection
        self._stub = EventServiceStub(connection.channel)
        self._outage_seconds = outage_seconds

    async def watch(
        self,
        *,
        after: str = "",
        run_id: str = "",
        until_finished: bool = False,
        executing: bool = False,
        tell: Callable[[str], None] = nobody,
    ) -> AsyncIterator[wire.Event]:
        """Events after a cursor, live ones too. A broken stream is taken up again after the last event seen.

        With `executing` also what workers are executing, which has no cursor. With `until_finished` it ends after the
        run's RunFinished, or when the fleet has nothing more to tell of it. `tell` gets a line for people when the
        coordinator is away, and when another is followed. Raises the fleet's error where resuming cannot help
        (CursorExpired, RunNotFound), and Unavailable when the fleet stays away for longer than the outage.
        """
        cursor, quiet_ends = after, 0
        pursuit = self._connection.pursuit(self._outage_seconds, passing=_PASSING)
        outage = Outage(pursuit, tell)
        while quiet_ends < _QUIET_ENDS:
            request = wire.WatchEventsRequest(
                after=cursor, run_id=run_id, until_finished=until_finished, executing=executing
            )
            try:
                await pursuit.begin()
                async with aclosing(self._connection.attend(pursuit, self._stub.WatchEvents(request))) as responses:
                    async for response in responses:
                        quiet_ends = 0
                        outage.over()
                        for event in response.events:
                            cursor = event.cursor or cursor
                            yield event
                            if until_finished and event.WhichOneof("kind") == "run_finished":
                                return
                # A server that drains ends its streams like this too, and is gone at the next try.
                quiet_ends += until_finished
                await self._connection.channel.clock.sleep(_QUIET_PAUSE_SECONDS * 2**quiet_ends)
            except (grpc.aio.AioRpcError, CrossfleetError) as failure:
                await outage.goes_on(failure)

    async def stored(self) -> AsyncIterator[wire.Event]:
        """What the fleet still keeps, in order, up to now. A broken stream is taken up again after the last event seen.

        Raises the fleet's error where resuming cannot help, and Unavailable when it stays away for longer than the outage.
        """
        cursor = "0"
        pursuit = self._connection.pursuit(self._outage_seconds, passing=_PASSING)
        while True:
            try:
                await pursuit.begin()
                call = self._stub.WatchEvents(wire.WatchEventsRequest(after=cursor))
                async with aclosing(self._connection.attend(pursuit, call)) as responses:
                    async for response in responses:
                        pursuit.advanced()
                        if not response.events:
                            return
                        for event in response.events:
                            cursor = event.cursor
                            yield event
                await self._connection.channel.clock.sleep(_QUIET_PAUSE_SECONDS)  # it drains
            except (grpc.aio.AioRpcError, CrossfleetError) as failure:
                await pursuit.after(failure)
