"""A quantity over time in little memory."""

from __future__ import annotations

_MOST = 480


class Curve:
    """Means over equal spans of time. When there are too many spans, each two become one: memory stays bounded."""

    def __init__(self, span: float = 1.0) -> None:
        """Nothing yet. `span` in seconds; doubles as time goes on."""
        self.span = span
        self._sums: list[float] = []
        self._end = 0.0

    def add(self, begin: float, end: float, value: float) -> None:
        """The quantity was `value` from `begin` to `end`; each call begins where the one before ended, or later."""
        self._end = max(self._end, end)
        while end > self.span * _MOST:
            self._halve()
        at = int(begin / self.span)
        while begin < end:
            border = min((at + 1) * self.span, end)
            self._sums.extend([0.0] * (at + 1 - len(self._sums)))
            self._sums[at] += value * (border - begin)
            begin, at = border, at + 1

    def means(self) -> list[float]:
        """The mean of each span, in order; of the last one up to where it is known."""
        lengths = [min(self.span, self._end - at * self.span) for at in range(len(self._sums))]
        return [one / length if length > 0 else 0.0 for one, length in zip(self._sums, lengths, strict=True)]

    def integral(self) -> float:
        """The quantity times seconds, over all."""
        return sum(self._sums)

    def _halve(self) -> None:
        self.span *= 2
        if len(self._sums) % 2:
            self._sums.append(0.0)
        self._sums = [self._sums[at] + self._sums[at + 1] for at in range(0, len(self._sums), 2)]


class Level:
    """A quantity that changes by steps, counted into a curve from `begin` on."""

    def __init__(self) -> None:
        """Zero, and not counted yet."""
        self.curve = Curve()
        self.value = 0
        self._since: float | None = None

    def begin(self, now: float) -> None:
        """From now on it is counted."""
        self._since = now if self._since is None else self._since

    def change(self, by: int, now: float) -> None:
        """It becomes so much more."""
        if self._since is not None:
            self.curve.add(self._since, now, self.value)
            self._since = max(now, self._since)
        self.value += by
