"""Loops on which gRPC's events do not wait for a turn each."""

from __future__ import annotations

import asyncio
import functools
import socket

import grpc
import pytest

from crossfleet.foundation.loop import new_loop

BYTES = 200


class PollerCompletionQueue:
    """Reads as gRPC's class of that name does: a byte each time that it is called."""

    def __init__(self) -> None:
        self.reading, self.writing = socket.socketpair()
        self.calls = 0
        self.left: list[int] = []

    def handle(self, _: object) -> None:
        self.reading.recv(1)
        self.calls += 1
        self.reading.setblocking(False)
        try:
            self.left.append(len(self.reading.recv(4096, socket.MSG_PEEK)))
        except BlockingIOError:
            self.left.append(0)
        self.reading.setblocking(True)


@pytest.mark.parametrize("uvloop", [True, False])
def test_all_events_that_wait_are_taken_in_one_turn(uvloop: bool) -> None:
    queue = PollerCompletionQueue()

    async def read() -> None:
        loop = asyncio.get_running_loop()
        queue.writing.send(b"1" * BYTES)
        loop.add_reader(queue.reading, functools.partial(queue.handle, loop))
        async with asyncio.timeout(10):
            while not queue.calls:
                await asyncio.sleep(0)
        loop.remove_reader(queue.reading)
        queue.reading.close()
        queue.writing.close()

    with asyncio.Runner(loop_factory=functools.partial(new_loop, uvloop=uvloop)) as runner:
        runner.run(read())

    assert (queue.calls, queue.left) == (1, [0])


async def _ask(channel: grpc.aio.Channel) -> None:
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/a/b")
    await call(b"")


@pytest.mark.parametrize("uvloop", [True, False])
def test_the_reader_of_grpc_is_known(uvloop: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    known = []
    monkeypatch.setattr("crossfleet.foundation.loop._take_all", lambda events, callback: known.append(callback))

    async def dial() -> None:
        async with grpc.aio.insecure_channel("unix:/nowhere/at.all") as channel:
            asking = asyncio.ensure_future(_ask(channel))
            async with asyncio.timeout(10):
                while not known:
                    await asyncio.sleep(0)
            asking.cancel()

    # In a process of its own gRPC would take this loop; here another test's may have been the first.
    loop = new_loop(uvloop=uvloop)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(dial())

    assert known
