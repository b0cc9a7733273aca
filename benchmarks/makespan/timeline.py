"""Virtual time: what is to happen, in order."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any


class Timeline:
    """Calls what is due, in the order of time and, at one time, of asking."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[..., Any], tuple[Any, ...]]] = []
        self._asked = 0

    def after(self, seconds: float, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function so much later."""
        self._asked += 1
        heapq.heappush(self._due, (self.now + seconds, self._asked, function, arguments))

    def run(self) -> None:
        """Until nothing is left to happen."""
        while self._due:
            self.now, _, function, arguments = heapq.heappop(self._due)
            function(*arguments)
