"""That something has changed, told to whoever waits."""

from __future__ import annotations

import asyncio


class News:
    """Whoever takes `coming` first, then looks, and then waits for it, misses nothing."""

    def __init__(self) -> None:
        """Belongs to the running loop."""
        self._coming: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def tell(self) -> None:
        """Wakes all who wait."""
        told, self._coming = self._coming, asyncio.get_running_loop().create_future()
        told.set_result(None)

    def coming(self) -> asyncio.Future[None]:
        """Done at the next `tell`; of the waiter's own, who may cancel it."""
        return asyncio.shield(self._coming)
