"""How long a lease is safe to act under, judged by the holder's own clock alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

MARGIN = 0.2
"""Share of the lease that the holder does not use: what its clock may be slower than that of who granted it."""
_RENEWED_AFTER = 1 / 3


@dataclass(frozen=True, slots=True)
class Tenure:
    """A lease of `ttl` seconds whose last renewal that was answered was sent at `sent`, by a monotonic clock.

    Whoever granted it counts from when the renewal arrived, so never from earlier. Once it has been over it stays over,
    whatever answer comes late: who held it may have stopped already.
    """

    sent: float
    ttl: float
    ended: bool = False

    @property
    def safe_until(self) -> float:
        """The first moment at which the holder must not act any more."""
        return self.sent + self.ttl * (1.0 - MARGIN)

    @property
    def renewal_due(self) -> float:
        """When to renew it; that leaves time to try again before it is over."""
        return self.sent + self.ttl * _RENEWED_AFTER

    def remaining(self, now: float) -> float:
        """Seconds for which the holder may act; 0 when it must not."""
        return 0.0 if self.ended else max(0.0, self.safe_until - now)

    def renewed(self, sent: float, ttl: float, now: float) -> Tenure:
        """After the answer, at `now`, to a renewal sent at `sent`. An answer to an older renewal shortens nothing."""
        if self.remaining(now) <= 0:
            return self.over()
        other = replace(self, sent=sent, ttl=ttl)
        return max(self, other, key=lambda tenure: tenure.safe_until)

    def over(self) -> Tenure:
        """Given up, revoked, or gone."""
        return replace(self, ended=True)
