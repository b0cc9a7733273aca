"""What Slurm refused, by pool: nothing is asked of it again for a while, longer each time."""

from dataclasses import dataclass

_FIRST_SECONDS, _LAST_SECONDS = 10.0, 600.0


@dataclass(slots=True)
class _Setback:
    text: str
    until: float
    seconds: float


class Setbacks:
    """One pause a pool. Times are of one monotonic clock."""

    def __init__(self) -> None:
        """All is well."""
        self._pools: dict[str, _Setback] = {}

    def failed(self, pool: str, text: str, now: float) -> None:
        """A pilot could not be had. What fails while the pause lasts does not prolong it."""
        before = self._pools.get(pool)
        if before is not None and now < before.until:
            before.text = text
            return
        seconds = min(before.seconds * 2, _LAST_SECONDS) if before else _FIRST_SECONDS
        self._pools[pool] = _Setback(text, now + seconds, seconds)

    def worked(self, pool: str) -> None:
        """A pilot of the pool was of use."""
        self._pools.pop(pool, None)

    def why_not(self, pool: str, now: float) -> str:
        """Why nothing is asked of a pool now; empty: it may be."""
        found = self._pools.get(pool)
        return found.text if found is not None and now < found.until else ""
