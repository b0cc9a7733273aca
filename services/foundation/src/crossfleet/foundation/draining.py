"""The one fact that a service is going down, and what follows from it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


class Draining:
    """Begins once, never ends. Handlers of open-ended streams end themselves when it begins.

    `grpc.aio`'s `stop(grace)` waits the whole grace for an open stream, so every such handler reads through `until`
    or waits for `wait`. Hooks run once, concurrently, after new work is refused; the server bounds their time.
    """

    def __init__(self) -> None:
        self.cause = ""
        self._event = asyncio.Event()
        self._hooks: list[Callable[[], Awaitable[object]]] = []

    @property
    def begun(self) -> bool:
        """Whether draining has begun."""
        return self._event.is_set()

    def begin(self, cause: str) -> None:
        """Begins draining; the first cause stays."""
        if not self.begun:
            self.cause = cause
            self._event.set()

    async def wait(self) -> None:
        """Returns when draining has begun."""
        await self._event.wait()

    def on_drain(self, hook: Callable[[], Awaitable[object]]) -> None:
        """Registers what must be done before connections close, such as handing work back."""
        self._hooks.append(hook)

    async def run_hooks(self, seconds: float) -> list[BaseException]:
        """Runs all hooks at once, for at most `seconds`; returns what failed (a hook that was cut off: TimeoutError)."""
        tasks = [asyncio.ensure_future(hook()) for hook in self._hooks]
        if not tasks:
            return []
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        cut_off = TimeoutError(f"a drain hook took longer than {seconds} s")
        return [
            cut_off if task in late else o
            for task, o in zip(tasks, outcomes, strict=True)
            if isinstance(o, BaseException)
        ]

    async def until(self, stream: AsyncIterable[T]) -> AsyncIterator[T]:
        """The items of `stream` until it ends or draining begins; an item that is already there is not dropped."""
        iterator = stream.__aiter__()
        begun = asyncio.ensure_future(self._event.wait())
        try:
            while not self.begun:
                following = asyncio.ensure_future(_next(iterator))
                try:
                    await asyncio.wait({following, begun}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    if not following.done():
                        following.cancel()
                if not following.done() or following.cancelled():
                    await asyncio.wait({following})
                    return
                item = following.result()
                if item is None:
                    return
                yield item[0]
        finally:
            begun.cancel()


async def _next(iterator: AsyncIterator[T]) -> tuple[T] | None:
    try:
        return (await iterator.__anext__(),)
    except StopAsyncIteration:
        return None
