"""Lists that come in pages, as one stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")


async def all_items(fetch: Callable[[str], Awaitable[tuple[Iterable[Item], str]]]) -> AsyncIterator[Item]:
    """Every item of every page. `fetch(token)` answers the items of one page and the token of the next."""
    token = ""
    while True:
        items, token = await fetch(token)
        for item in items:
            yield item
        if not token:
            return
