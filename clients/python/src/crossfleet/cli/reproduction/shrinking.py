"""Delta debugging: the shortest part of a list that still shows a failure.

After "Simplifying and Isolating Failure-Inducing Input", Andreas Zeller and Ralf Hildebrandt, IEEE Transactions on
Software Engineering 28(2), 2002: algorithm ddmin. Pure: what fails is decided by the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeVar

Item = TypeVar("Item")


def shrink(items: Sequence[Item], fails: Callable[[tuple[Item, ...]], bool]) -> tuple[Item, ...]:
    """A part of `items`, in their order, for which `fails` holds and from which no single item can be left out.

    `fails(items)` is taken to hold and not asked; no part is asked about twice, and at most
    n * n + 4 * n + 1 are for n items. What `fails` raises ends the search: the last part for which it held is the best.
    """
    known: dict[tuple[int, ...], bool] = {}

    def holds(part: tuple[int, ...]) -> bool:
        if part not in known:
            known[part] = fails(tuple(items[index] for index in part))
        return known[part]

    if not items or holds(()):
        return ()
    return tuple(items[index] for index in _ddmin(tuple(range(len(items))), holds))


def _ddmin(found: tuple[int, ...], holds: Callable[[tuple[int, ...]], bool]) -> tuple[int, ...]:
    pieces = 2
    while len(found) > 1:
        cut = _cut(found, pieces)
        smaller = next((piece for piece in cut if holds(piece)), None)
        if smaller is not None:
            found, pieces = smaller, 2
            continue
        # With two pieces the rest of one is the other.
        rests = (tuple(index for index in found if index not in piece) for piece in map(frozenset, cut) if pieces > 2)
        smaller = next((rest for rest in rests if holds(rest)), None)
        if smaller is not None:
            found, pieces = smaller, max(pieces - 1, 2)
        elif pieces >= len(found):
            break
        else:
            pieces = min(pieces * 2, len(found))
    return found


def _cut(whole: tuple[int, ...], pieces: int) -> list[tuple[int, ...]]:
    """`whole` in so many pieces, as even as can be."""
    bounds = [len(whole) * number // pieces for number in range(pieces + 1)]
    return [whole[start:end] for start, end in pairwise(bounds)]
