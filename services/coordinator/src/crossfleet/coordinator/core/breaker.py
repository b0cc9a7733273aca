"""Whether a scheduler is let decide: a circuit breaker for a stream of proposals, which is judged by what it says and when.

Foundation's is for calls, each of which succeeds or fails by itself.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum

PROBES = 3
"""Answers in time and without a fault that close it again."""
QUIET_SECONDS = 1.0
"""For so long it stays half open while nothing is asked."""
FIRST_REST, LAST_REST = 0.5, 30.0
CALM_SECONDS = 10.0
"""Whoever did well for so long rests only as long as the first time."""
WINDOW_SECONDS = 10.0
MOST_FAULTS, FAULTY_SHARE = 3, 0.5
"""So many faults within the window, which are such a part of all that was judged, open it."""
_MOST_ENTRIES = 256


class Stage(StrEnum):
    """CLOSED: it decides. HALF_OPEN: for what it is tried with. OPEN: for nothing."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


class Breaker:
    """All times are seconds of one clock that never goes back.

    It is open until the first connection, which closes it. Opened later, it rests, is half open from the next
    connection on, and closes after `PROBES` good answers, or when nothing was asked for a while.
    """

    def __init__(self, deadline: float) -> None:
        """`deadline`: seconds for an answer."""
        self.deadline = deadline
        self.stage = Stage.OPEN
        self.cause = "it is not connected yet"
        """Why it is open, or was before it was half open."""
        self.since = 0.0
        self.openings = 0
        self._rest = 0.0
        self._rests_until = 0.0
        self.neglects = False
        """Of something that could be placed it says nothing: such answers do not close it, nor does quiet."""
        self._asked_at: float | None = None
        self._good = 0
        self._judged: deque[tuple[float, int, int]] = deque(maxlen=_MOST_ENTRIES)

    def rest_left(self, now: float) -> float:
        """Seconds until it may be dialled."""
        return max(self._rests_until - now, 0.0) if self.stage is Stage.OPEN else 0.0

    def connected(self, now: float) -> None:
        """A stream is up."""
        if self.openings:
            self._change(Stage.HALF_OPEN, self.cause, now)
        else:
            self._change(Stage.CLOSED, "", now)

    def lost(self, now: float, cause: str) -> None:
        """The stream broke, or could not be opened; or it said what makes no sense."""
        if self.stage is Stage.OPEN:
            self.cause = cause
            return
        calm = self.stage is Stage.CLOSED and now - self.since >= CALM_SECONDS
        self._rest = FIRST_REST if calm or not self._rest else min(self._rest * 2, LAST_REST)
        self._rests_until = now + self._rest
        self.openings += 1
        self._change(Stage.OPEN, cause, now)

    def asked(self, now: float) -> None:
        """It was told of something that waits for its answer."""
        if self._asked_at is None and self.stage is not Stage.OPEN:
            self._asked_at = now

    def answered(self, now: float) -> float | None:
        """It answered what it was asked; answers after how many seconds, None where nothing was asked."""
        if self._asked_at is None:
            return None
        seconds, self._asked_at = now - self._asked_at, None
        self._good += not self.neglects
        if self.stage is Stage.HALF_OPEN and self._good >= PROBES:
            self._change(Stage.CLOSED, "", now)
        return seconds

    def excused(self, now: float) -> None:
        """There was nothing that it should have answered."""
        self._asked_at = None
        self.advance(now)

    def overdue(self, now: float) -> bool:
        """Whether it has not answered within the deadline."""
        return self._asked_at is not None and now - self._asked_at >= self.deadline

    def judged(self, now: float, good: int, faults: int, cause: str) -> None:
        """So many of its proposals held, or did not through no fault of its own; so many others were wrong when it made them."""
        if self.stage is Stage.OPEN or not (good or faults):
            return
        self._judged.append((now, good, faults))
        while self._judged[0][0] < now - WINDOW_SECONDS:
            self._judged.popleft()
        wrong = sum(entry[2] for entry in self._judged)
        every = wrong + sum(entry[1] for entry in self._judged)
        if faults and (self.stage is Stage.HALF_OPEN or (wrong >= MOST_FAULTS and wrong >= FAULTY_SHARE * every)):
            self.lost(now, f"{wrong} of its last {every} proposals could not hold: {cause}")

    def advance(self, now: float) -> None:
        """Time went by: it closes where nothing was asked for a while."""
        if self._quiet and now - self.since >= QUIET_SECONDS:
            self._change(Stage.CLOSED, "", now)

    def due(self) -> float | None:
        """When `overdue` or `advance` is to be looked at again; None: not before something happens."""
        if self._asked_at is not None:
            return self._asked_at + self.deadline
        return self.since + QUIET_SECONDS if self._quiet else None

    @property
    def _quiet(self) -> bool:
        """Half open, and nothing is asked of it."""
        return self.stage is Stage.HALF_OPEN and self._asked_at is None and not self.neglects

    def _change(self, stage: Stage, cause: str, now: float) -> None:
        self.stage, self.cause, self.since = stage, cause, now
        self._asked_at, self._good = (None if stage is Stage.OPEN else self._asked_at), 0
        self.neglects = False
        self._judged.clear()
