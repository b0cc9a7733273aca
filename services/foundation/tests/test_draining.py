"""What follows from the fact that a service is going down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from crossfleet.foundation.draining import Draining


async def _numbers(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


async def test_a_stream_passes_whole_while_nothing_drains() -> None:
    assert [number async for number in Draining().until(_numbers(5))] == [0, 1, 2, 3, 4]


async def test_a_stream_ends_when_draining_begins_and_what_arrived_is_kept() -> None:
    draining = Draining()
    queue: asyncio.Queue[int] = asyncio.Queue()

    async def endless() -> AsyncIterator[int]:
        while True:
            yield await queue.get()

    seen = []
    queue.put_nowait(1)
    async for number in draining.until(endless()):
        seen.append(number)
        draining.begin("test")
    assert seen == [1]
    assert [number async for number in draining.until(endless())] == []


async def test_an_error_of_the_stream_is_raised() -> None:
    async def broken() -> AsyncIterator[int]:
        yield 1
        raise ValueError("why")

    with pytest.raises(ValueError, match="why"):
        assert [number async for number in Draining().until(broken())] == [1]


async def test_a_reader_that_is_cancelled_leaves_no_task_behind() -> None:
    stream = Draining().until(_never())
    reader = asyncio.ensure_future(stream.__anext__())
    before = asyncio.Event()
    asyncio.get_running_loop().call_soon(before.set)
    await before.wait()
    reader.cancel()
    await asyncio.wait({reader})
    await stream.aclose()  # type: ignore[attr-defined]
    pending = {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}
    await asyncio.wait_for(asyncio.gather(*pending, return_exceptions=True), 5)
    assert reader.cancelled()


async def test_the_first_cause_stays_and_failures_of_hooks_are_told() -> None:
    draining = Draining()

    async def broken() -> None:
        raise ValueError("why")

    draining.on_drain(broken)
    draining.begin("first")
    draining.begin("second")
    assert draining.cause == "first"
    (failure,) = await draining.run_hooks(1.0)
    assert isinstance(failure, ValueError)


async def _never() -> AsyncIterator[int]:
    await asyncio.Event().wait()
    yield 1
