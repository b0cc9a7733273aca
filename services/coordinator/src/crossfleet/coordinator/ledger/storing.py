"""Where SQL is spoken: in a thread, or on the loop where that is quicker; and again, while the database is away."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from crossfleet.coordinator.core.commands import Command
from crossfleet.coordinator.ledger.ledger import Ledger, Outcome, Prepared
from crossfleet.coordinator.ledger.store import StoreAway, StoreRefused
from crossfleet.foundation.logs import get_logger

# A disk is fast where a commit takes no longer than so much, and so much more for each command.
_FAST_SECONDS, _EACH_SECONDS = 0.002, 0.00025
# What few commands take in the thread tells as well; of many the thread and a busy loop would only wait for each other.
_FEW = 4
_FIRST_REST, _LAST_REST = 0.1, 5.0
_FIRST_PAUSE, _LAST_PAUSE = 0.05, 1.0
_CLOSE_SECONDS = 1.0

_Result = TypeVar("_Result")


class Storing:
    """A ledger's way to its store. One batch at a time."""

    def __init__(self, ledger: Ledger, *, again: bool) -> None:
        """`again`: a batch is written again and again while the store is away, until the caller is cancelled."""
        self._ledger = ledger
        self._again = again
        self._thread = ThreadPoolExecutor(1, "ledger")
        self._at_store = threading.Lock()
        self._fast = True
        self._rest, self._rested_at = _FIRST_REST, 0.0
        self.kept_seconds = 0.0
        """For how long the last batch was written on the loop."""
        self._closed = False

    async def write(self, commands: Sequence[Command], prepared: Prepared) -> Outcome | None:
        """Makes a prepared batch durable; answers and raises as Ledger.write. What is unknown of it is found out."""
        # Two turns of the loop: what was foreseen leaves before it may be held up.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        pause, away = _FIRST_PAUSE, False
        while True:
            try:
                found = await self._write(commands, prepared)
            except (StoreAway, StoreRefused) as error:
                if not self._again:
                    raise
                if not away:
                    get_logger().warning("the database is away", cause=str(error))
                away = True
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LAST_PAUSE)
            else:
                if away:
                    get_logger().info("the database is back")
                return found

    async def _write(self, commands: Sequence[Command], prepared: Prepared) -> Outcome | None:
        """What goes to a fast disk of this machine is written here, unless the thread is at the store; all else by the thread."""
        near = self._ledger.store.on_local_disk
        begun = time.perf_counter()
        if near and (self._fast or begun >= self._rested_at) and self._at_store.acquire(blocking=False):
            try:
                found = self._ledger.write(commands, prepared)
            finally:
                self._at_store.release()
            self.kept_seconds = time.perf_counter() - begun
            self._judge(len(commands), self.kept_seconds, here=True)
        else:
            self.kept_seconds = 0.0
            found = await self.threaded(self._ledger.write, commands, prepared)
            if near and len(commands) <= _FEW:
                self._judge(len(commands), time.perf_counter() - begun, here=False)
        return found

    def _judge(self, commands: int, seconds: float, *, here: bool) -> None:
        """One slow commit here, and the thread has them for a while, longer each time."""
        self._fast = seconds < _FAST_SECONDS + commands * _EACH_SECONDS
        if self._fast:
            self._rest = _FIRST_REST
        elif here:
            self._rested_at = time.perf_counter() + self._rest
            self._rest = min(self._rest * 2, _LAST_REST)

    async def threaded(self, work: Callable[..., _Result], *arguments: Any) -> _Result:
        """Waits for the thread, which does `work` with the store."""
        return await self._in_thread(work, *arguments)

    def _in_thread(self, work: Callable[..., _Result], *arguments: Any) -> asyncio.Future[_Result]:
        def alone() -> _Result:
            with self._at_store:
                return work(*arguments)

        return asyncio.get_running_loop().run_in_executor(self._thread, alone)

    def cut(self) -> None:
        """Breaks off what the thread waits for, and refuses what comes."""
        self._ledger.store.cut()

    async def close(self) -> None:
        """Lets go of the store; where the thread still waits for it, without waiting for the thread."""
        if self._closed:
            return
        self._closed = True
        closing = self._in_thread(self._ledger.store.close)
        await asyncio.wait([closing], timeout=_CLOSE_SECONDS)
        self._thread.shutdown(wait=False)
