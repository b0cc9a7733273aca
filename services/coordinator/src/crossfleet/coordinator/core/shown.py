"""What the cases of a group have shown of how long they take, beside what they were taken for."""

from __future__ import annotations

import math
from dataclasses import dataclass

_SHORTEST = 1e-5
# As a slot's pace sees it: what took very much longer or shorter has set something up for others, or was interrupted.
_SURPRISE = 8.0


@dataclass(slots=True)
class Shown:
    """Sums over executions. Of measured cases seconds: `estimated`, its `squares`, and `actual`.

    Of `guessed` ones, as many as that, the logarithms of actual to estimated seconds: `ratios`, and their squares.
    """

    estimated: float = 0.0
    squares: float = 0.0
    actual: float = 0.0
    guessed: int = 0
    ratios: float = 0.0
    ratio_squares: float = 0.0

    def note(self, estimated: float, actual: float, *, measured: bool) -> None:
        """A case was executed."""
        if measured:
            self.estimated += estimated
            self.squares += estimated * estimated
            self.actual += min(max(actual, estimated / _SURPRISE), estimated * _SURPRISE)
        else:
            ratio = math.log(max(actual, _SHORTEST) / estimated)
            self.guessed += 1
            self.ratios += ratio
            self.ratio_squares += ratio * ratio
