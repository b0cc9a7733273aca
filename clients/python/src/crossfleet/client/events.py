"""The events of a fleet, without gap or repetition over broken streams."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc

from crossfleet.api.coordinator.v1 import event_service_pb2 as wire
from crossfleet.api.coordinator.v1.event_service_pb2_grpc import EventServiceStub
from crossfleet.client.connection import Connection
from crossfleet.foundation.errors import CrossfleetError
from crossfleet.foundation.errors.status import error_from_rpc

_RESUMABLE = frozenset(("UNAVAILABLE", "DRAINING", "SLOW_WATCHER", "NOT_LEADER", "NO_LEADER"))
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 2.0
_QUIET_ENDS = 3


class EventCalls:
    """The EventService of a fleet. `outage_seconds`: how long a fleet may be away before the watch gives up."""

    def __init__(
        self,
        connection: Connection,
        *,
        outage_seconds: float = 60.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stub = EventServiceStub(connection.channel)
        self._outage_seconds = outage_seconds
        self._sleep = sleep
        self._monotonic = monotonic

    async def watch(
        self, *, after: str = "", run_id: str = "", until_finished: bool = False, executing: bool = False
    ) -> AsyncIterator[wire.Event]:
        """Events after a cursor, live ones too. A broken stream is taken up again after the last event seen.

        With `executing` also what workers are executing, which has no cursor. With `until_finished` it ends after the
        run's RunFinished, or when the fleet has nothing more to tell of it. Raises the fleet's error where resuming cannot
        help (CursorExpired, RunNotFound), and Unavailable when the fleet stays away for longer than the outage.
        """
        cursor, pause, away_since = after, _FIRST_PAUSE_SECONDS, self._monotonic()
        quiet_ends = 0
        while quiet_ends < _QUIET_ENDS:
            request = wire.WatchEventsRequest(
                after=cursor, run_id=run_id, until_finished=until_finished, executing=executing
            )
            try:
                async for response in self._stub.WatchEvents(request):
                    pause, quiet_ends = _FIRST_PAUSE_SECONDS, 0
                    for event in response.events:
                        cursor = event.cursor or cursor
                        yield event
                        if until_finished and event.WhichOneof("kind") == "run_finished":
                            return
                    away_since = self._monotonic()
                # A server that drains ends its streams like this too, and is gone at the next try.
                quiet_ends += until_finished
            except grpc.aio.AioRpcError as broken:
                error = error_from_rpc(broken)
                if not _resumable(error) or self._monotonic() - away_since > self._outage_seconds:
                    raise error from broken
            await self._sleep(pause)
            pause = min(_LONGEST_PAUSE_SECONDS, pause * 2)


def _resumable(error: CrossfleetError) -> bool:
    return error.reason in _RESUMABLE
