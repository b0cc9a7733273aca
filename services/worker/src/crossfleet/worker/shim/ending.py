"""Ends a process group step by step: a request, a firmer one, SIGKILL."""

from __future__ import annotations

from collections.abc import Callable

from crossfleet.worker.shim.loop import Loop, Timer


class Ending:
    """Runs ``steps`` of (seconds to wait before it, action); ``cancel`` stops what has not been done."""

    def __init__(self, loop: Loop, steps: list[tuple[float, Callable[[], object]]]) -> None:
        self._loop = loop
        self._steps = steps
        self._done = 0
        self._timer: Timer | None = None
        self._advance()

    @property
    def done(self) -> int:
        """How many steps have been taken."""
        return self._done

    def cancel(self) -> None:
        """Take no further step."""
        self._steps = self._steps[: self._done]
        if self._timer is not None:
            self._timer.cancel()

    def _advance(self) -> None:
        while self._done < len(self._steps):
            wait, action = self._steps[self._done]
            if wait > 0 and self._timer is None:
                self._timer = self._loop.call_after(wait, self._advance)
                return
            self._timer = None
            self._done += 1
            action()
