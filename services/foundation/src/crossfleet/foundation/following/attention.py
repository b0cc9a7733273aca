"""Streams from a coordinator that may freeze or be cut off without a word: a silent one is asked whether it is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import grpc

from crossfleet.foundation.errors.load import Unavailable
from crossfleet.foundation.following.channel import FollowingChannel
from crossfleet.foundation.following.route import Seat

_QUIET_SECONDS = 2.0
_ANSWER_SECONDS = 4.0
_GONE = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})


async def attended(channel: FollowingChannel, seat: Seat, call: Any) -> AsyncGenerator[Any, None]:
    """The responses of a streaming call that began at `seat`. Close it (`aclosing`) when it is left before its end.

    Raises Unavailable within six seconds after the coordinator there fell silent and does not answer for its health either, or
    after others of this process have gone on to another one; and what the call raises.
    """
    watch = _Watch(channel, seat, call)
    watching = asyncio.ensure_future(watch.run())
    try:
        async for response in call:
            watch.heard = True
            yield response
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if not watch.lost or (task is not None and task.cancelling()):
            raise
        raise Unavailable(f"{seat.address} {watch.lost}", address=seat.address) from None
    finally:
        watching.cancel()
        call.cancel()


class _Watch:
    """Cancels a call whose coordinator is not there any more."""

    def __init__(self, channel: FollowingChannel, seat: Seat, call: Any) -> None:
        self._channel = channel
        self._seat = seat
        self._call = call
        self.heard = False
        self.lost = ""

    async def run(self) -> None:
        while not self.lost:
            self.heard = False
            await asyncio.sleep(_QUIET_SECONDS)
            if not self.heard:
                self.lost = await self._look()
        self._call.cancel()

    async def _look(self) -> str:
        """Why there is nothing to wait for; empty where there is."""
        if self._channel.seat.number != self._seat.number:
            return "was left for another coordinator"
        from grpc_health.v1 import health_pb2, health_pb2_grpc

        stub: Any = health_pb2_grpc.HealthStub(self._channel)
        try:
            await stub.Check(health_pb2.HealthCheckRequest(), timeout=_ANSWER_SECONDS)
        except grpc.aio.AioRpcError as error:
            # Any other answer is one.
            if error.code() in _GONE and not self.heard:
                return "is silent and does not answer"
        return ""
