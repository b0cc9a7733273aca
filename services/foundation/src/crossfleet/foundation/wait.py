"""Waiting for a condition, always with a deadline."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")


@overload
async def eventually(
    condition: Callable[[], Awaitable[T]], *, deadline: float = 5.0, interval: float = 0.01, what: str = ""
) -> T: ...


@overload
async def eventually(
    condition: Callable[[], T], *, deadline: float = 5.0, interval: float = 0.01, what: str = ""
) -> T: ...


async def eventually(
    condition: Callable[[], Any],
    *,
    deadline: float = 5.0,
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
