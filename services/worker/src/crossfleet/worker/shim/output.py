"""Output of processes that nobody captured: forwarded live within a budget, its tail kept."""

from __future__ import annotations

import os
from collections.abc import Callable

from crossfleet.worker.shim.loop import READ, Loop

_CHUNK = 64 * 1024
TAIL_BYTES = 64 * 1024


class OutputPipe:
    """Reads one pipe until its end. ``forward`` gets the text of each piece, surrogates standing for odd bytes.

    After ``budget`` bytes only the tail is kept, and a mark says so once; the pipe is drained on, so that the writer
    never blocks on us.
    """

    def __init__(self, loop: Loop, descriptor: int, forward: Callable[[str], None], budget: int) -> None:
        os.set_blocking(descriptor, False)
        self._loop = loop
        self._descriptor = descriptor
        self._forward = forward
        self._budget = budget
        self._left = budget
        self._tail = bytearray()
        self._total = 0
        loop.watch(descriptor, READ, self._ready)

    def tail(self) -> str:
        """Return the last bytes, with a mark of how many came before them."""
        text = bytes(self._tail[-TAIL_BYTES:]).decode("utf-8", "surrogateescape")
        cut = self._total - min(len(self._tail), TAIL_BYTES)
        return f"[crossfleet: {cut} bytes cut here]\n{text}" if cut and text else text

    def drain(self, rounds: int = 256) -> None:
        """Read what is there now. A writer that never stops is left after ``rounds`` pieces."""
        for _ in range(rounds):
            if not self._read():
                return

    def pause(self, paused: bool) -> None:
        """Read nothing for a while, so that the writer waits."""
        if self._descriptor >= 0 and paused:
            self._loop.forget(self._descriptor)
        elif self._descriptor >= 0:
            self._loop.watch(self._descriptor, READ, self._ready)

    def close(self) -> None:
        """Stop reading; harmless a second time."""
        if self._descriptor >= 0:
            self._loop.forget(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _ready(self, events: int) -> None:
        self._read()

    def _read(self) -> bool:
        if self._descriptor < 0:
            return False
        try:
            data = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self.close()
            return False
        self._total += len(data)
        self._tail += data
        if len(self._tail) > 2 * TAIL_BYTES:
            del self._tail[:-TAIL_BYTES]
        if self._left > 0:
            self._forward(data[: self._left].decode("utf-8", "surrogateescape"))
            self._left -= len(data)
            if self._left <= 0:
                self._forward(f"\n[crossfleet: more than {self._budget} bytes of live output; the rest is cut]\n")
        return True
