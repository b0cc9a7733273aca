"""Calls to a coordinator that may freeze or be cut off without a word: a silent one is asked whether it is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeVar

import grpc

from crossfleet.foundation.errors.load import Unavailable
from crossfleet.foundation.following.channel import FollowingChannel
from crossfleet.foundation.following.route import Seat

_QUIET_SECONDS = 2.0
_ANSWER_SECONDS = 4.0
T = TypeVar("T")
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


async def answered(channel: FollowingChannel, seat: Seat, attempt: Callable[[], Awaitable[T]]) -> T:
    """The answer of a call that begins now at `seat`. Only for what may be repeated: it may be carried out all the same.

    Raises Unavailable as `attended` does, and what the call raises.
    """
    call = asyncio.ensure_future(attempt())
    try:
        while not call.done():
            await asyncio.wait([call], timeout=_QUIET_SECONDS)
            lost = "" if call.done() else await _gone(channel, seat)
            if lost and not call.done():
                raise Unavailable(f"{seat.address} {lost}", address=seat.address)
        return call.result()
    finally:
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
            lost = "" if self.heard else await _gone(self._channel, self._seat)
            self.lost = "" if self.heard else lost
        self._call.cancel()


async def _gone(channel: FollowingChannel, seat: Seat) -> str:
    """Why there is nothing to wait for at a seat; empty where there is."""
    if channel.seat.number != seat.number:
        return "was left for another coordinator"
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    stub: Any = health_pb2_grpc.HealthStub(channel)
    try:
        await stub.Check(health_pb2.HealthCheckRequest(), timeout=_ANSWER_SECONDS)
    except grpc.aio.AioRpcError as error:
        # Any other answer is one.
        return "is silent and does not answer" if error.code() in _GONE else ""
    return ""
