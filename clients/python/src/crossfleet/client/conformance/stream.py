"""One stream to a scheduler, read as plans come."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import grpc

from crossfleet.api.scheduler.v1.scheduler_service_pb2 import ScheduleRequest, ScheduleResponse

_MOST_UNREAD = 1000


class StreamEnded(Exception):
    """The scheduler ended the stream; the text says how."""


class Stream:
    """Opened with the first update. gRPC's flow control holds a scheduler back that says more than is read."""

    def __init__(self, call: Any) -> None:
        """Read what comes of a call until it ends."""
        self._call = call
        self._plans: asyncio.Queue[ScheduleResponse | None] = asyncio.Queue(_MOST_UNREAD)
        self._end = ""
        self._reader = asyncio.ensure_future(self._read())

    async def write(self, update: ScheduleRequest, seconds: float) -> None:
        """Send an update; for so long a scheduler may not read. Raises StreamEnded."""
        try:
            async with asyncio.timeout(seconds):
                await self._call.write(update)
        except TimeoutError:
            raise StreamEnded(f"the scheduler has not read an update for {seconds:g} s") from None
        except (grpc.RpcError, asyncio.InvalidStateError, grpc.aio.UsageError):
            with suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await asyncio.shield(self._reader)
            raise StreamEnded(self._end or "the stream cannot be written to") from None

    async def next(self, seconds: float) -> ScheduleResponse | None:
        """The next plan; None where none comes for so long. Raises StreamEnded."""
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                plan = await self._plans.get()
        except TimeoutError:
            return None
        if plan is None:
            self._plans.put_nowait(None)
            raise StreamEnded(self._end)
        return plan

    async def close(self) -> None:
        """Say that nothing more is sent."""
        with suppress(grpc.RpcError, asyncio.InvalidStateError, grpc.aio.UsageError):
            await self._call.done_writing()

    async def end(self) -> None:
        """Give the stream up."""
        self._call.cancel()
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def _read(self) -> None:
        try:
            async for plan in self._call:
                await self._plans.put(plan)
            self._end = "the scheduler ended the stream"
        except grpc.RpcError as error:
            code = getattr(error, "code", lambda: None)()
            details = getattr(error, "details", lambda: "")()
            self._end = f"the scheduler broke the stream: {getattr(code, 'name', code)} {details or ''}".rstrip()
        await self._plans.put(None)
