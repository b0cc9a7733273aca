"""Removes faults while the seed still fails."""

from __future__ import annotations

from collections.abc import Callable


def shrink(fails: Callable[[list[int]], bool], count: int) -> list[int]:
    """Numbers of the faults that are needed, after Zeller's delta debugging with shrinking pieces."""
    kept = list(range(count))
    size = max(count // 2, 1)
    while size:
        position = 0
        while position < len(kept):
            trial = kept[:position] + kept[position + size :]
            if fails(trial):
                kept = trial
            else:
                position += size
        size //= 2
    return kept
