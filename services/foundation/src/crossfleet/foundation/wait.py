"""Waiting for a condition, always with a deadline; for the next of a stream; and for the first of several to end."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, TypeVar, overload

T = TypeVar("T")


@overload
async def eventually(
    condition: Callable[[], Awaitable[T]], *, deadline: float = 30.0, interval: float = 0.01, what: str = ""
) -> T: ...


@overload
async def eventually(
    condition: Callable[[], T], *, deadline: float = 30.0, interval: float = 0.01, what: str = ""
) -> T: ...


async def eventually(
    condition: Callable[[], Any],
    *,
    deadline: float = 30.0,
    interval: float = 0.01,
    what: str = "",
) -> Any:
    """The first truthy value of `condition`, tried every `interval` seconds.

    Raises TimeoutError after `deadline` seconds, with `what` was waited for and the last value. An AssertionError of
    the condition counts as not yet.
    """
    end = time.monotonic() + deadline
    last: object = None
    while True:
        try:
            found = condition()
            value = await found if inspect.isawaitable(found) else found
            if value:
                return value
            last = value
        except AssertionError as error:
            last = error
        if time.monotonic() >= end:
            raise TimeoutError(f"not within {deadline} s: {what or condition}; last: {last!r}")
        await asyncio.sleep(interval)


async def flowing(source: AsyncIterable[T], seconds: float, late: Exception) -> AsyncIterator[T]:
    """What `source` gives. Raises `late` where it gives nothing for so long."""
    items = aiter(source)
    while True:
        try:
            async with asyncio.timeout(seconds):
                item = await anext(items)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise late from None
        yield item


async def first_of(*waits: Coroutine[Any, Any, Any] | asyncio.Future[Any]) -> None:
    """Until one of them ends; what it raises is raised, and the others are cancelled and waited for."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
