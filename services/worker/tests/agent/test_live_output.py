"""What slots write on its way up, whatever becomes of the connection."""

from __future__ import annotations

import asyncio
import contextlib

import grpc

from crossfleet.foundation.channel import open_channel
from crossfleet.foundation.serve import ServiceDefinition
from crossfleet.foundation.testing import serving
from crossfleet.foundation.wait import eventually
from crossfleet.worker.about import About
from crossfleet.worker.logs import LogPusher
from services.worker.tests.agent.store import MemoryStore, servicers

_STUCK_SECONDS = 0.2


async def test_output_that_is_not_taken_when_a_session_ends_goes_on_in_the_next() -> None:
    store, loop = MemoryStore(), asyncio.get_running_loop()
    store.taking.clear()
    async with serving(ServiceDefinition("coordinator", servicers(store))) as served:
        channels: list[grpc.aio.Channel] = [open_channel(served.address), served.channel]
        logs = LogPusher("w1", lambda: channels[0])
        pushing = asyncio.ensure_future(logs.run())

        async def stuck() -> bool:
            logs.output(About("run-1", "default", (0,), ""), 0, "stdout", "x" * 1_000_000)
            began = loop.time()
            await logs.flush(_STUCK_SECONDS)
            return loop.time() - began >= _STUCK_SECONDS

        await eventually(stuck, deadline=30, what="the line is full")
        await channels.pop(0).close()
        store.taking.set()
        await eventually(lambda: store.chunks or pushing.done(), deadline=30, what="what was not taken")
        pushing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await pushing

    assert store.chunks
