"""Which cases last: told to the coordinator once a second at most, and only when that has changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from crossfleet.worker.core.link import Link
from crossfleet.worker.translate import facts

_LASTING_SECONDS = 1.0
_LOOK_SECONDS = 1.0


class Lasting:
    """What each attempt is executing, as far as it has run long enough for the shim to say so."""

    def __init__(self, link: Link, wake_soon: Callable[[], None], now: Callable[[], float] | None = None) -> None:
        """`now` in seconds since 1970, as the shim's times are; by default this machine's clock."""
        self._link = link
        self._wake_soon = wake_soon
        self._now = now or time.time
        self._current: dict[int, tuple[int, float]] = {}
        self._told: dict[int, tuple[int, float]] = {}

    @property
    def current(self) -> dict[int, tuple[int, float]]:
        """By attempt, the case and since when (seconds since 1970)."""
        return dict(self._current)

    def started(self, attempt: int, case: int, since: float) -> None:
        """An attempt is executing a case."""
        self._current[attempt] = (case, since)

    def ended(self, attempt: int, case: int) -> None:
        """A case has its result."""
        if self._current and self._current.get(attempt, (-1,))[0] == case:
            del self._current[attempt]

    def finished(self, attempt: int) -> None:
        """An attempt has ended."""
        self._current.pop(attempt, None)

    def start_over(self) -> None:
        """The shim is another one: what the former executed is over."""
        self._current.clear()

    def welcomed(self) -> None:
        """A session begins: whoever is there knows nothing yet."""
        self._told = {}

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self.tell()

    def tell(self) -> None:
        """Say what lasts, unless that was said."""
        now = self._now()
        lasting = {attempt: each for attempt, each in self._current.items() if now - each[1] >= _LASTING_SECONDS}
        if lasting != self._told and self._link.connected:
            self._told = lasting
            self._link.say(facts.progress(lasting, now))
            self._wake_soon()
