"""Which blobs somebody was told of lately: they may be referred to before the reference is committed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

_MOST = 200_000


class Recent:
    """Digests by the time when they were last named; as many as fit. Where more come, nothing is certain for a while."""

    def __init__(self, clock: Callable[[], float], most: int = _MOST) -> None:
        """`clock` gives seconds that only grow. What was named before is unknown: see `certain`."""
        self._clock = clock
        self._most = most
        self._named: dict[str, float] = {}
        self._blind = clock()

    def add(self, digests: Iterable[str]) -> None:
        """These have just been named."""
        now = self._clock()
        for digest in digests:
            self._named.pop(digest, None)
            self._named[digest] = now
        while len(self._named) > self._most:
            oldest = next(iter(self._named))
            self._blind = max(self._blind, self._named.pop(oldest))

    def now(self) -> float:
        """The time by its clock."""
        return self._clock()

    def has(self, digest: str, seconds: float) -> bool:
        """Whether a digest was named within the last `seconds`."""
        at = self._named.get(digest)
        return at is not None and self._clock() - at < seconds

    def certain(self, seconds: float) -> bool:
        """Whether all that was named within the last `seconds` is known."""
        return self._clock() - self._blind >= seconds
