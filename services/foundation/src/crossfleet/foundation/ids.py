"""Where new ids come from: sortable by time in production, countable in tests."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from crossfleet.foundation.clock import Clock, SystemClock

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
_TIME_LETTERS = 9  # 45 bits of milliseconds: until the year 3084
_RANDOM_LETTERS = 13  # 65 bits


class IdSource(Protocol):
    """Makes ids that were never given out before."""

    def new(self, prefix: str) -> str:
        """A new id, `prefix-...`."""
        ...


class RandomIds:
    """`run-1e5kq3m2a` + 13 random letters: ids of one prefix sort by the millisecond in which they were made."""

    def __init__(self, clock: Clock | None = None, random_bits: Callable[[int], int] = secrets.randbits) -> None:
        self._clock = clock or SystemClock()
        self._random_bits = random_bits

    def new(self, prefix: str) -> str:
        """A new id; two of one millisecond differ by 65 random bits."""
        milliseconds = int(self._clock.now() * 1000)
        random = self._random_bits(_RANDOM_LETTERS * 5)
        return f"{prefix}-{_letters(milliseconds, _TIME_LETTERS)}{_letters(random, _RANDOM_LETTERS)}"


class SequentialIds:
    """`run-1`, `run-2`, ...: for tests and the simulation, unique within one source only."""

    def __init__(self) -> None:
        self._last: Counter[str] = Counter()

    def new(self, prefix: str) -> str:
        """The next number of this prefix."""
        self._last[prefix] += 1
        return f"{prefix}-{self._last[prefix]}"


def _letters(number: int, count: int) -> str:
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(count)))
