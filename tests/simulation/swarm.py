"""Many seeds on all cores."""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections.abc import Iterator, Sequence

from tests.simulation.seeds import simulate

_BLOCK = 8

Failure = tuple[int, str, int]


def failures(seeds: Sequence[int], processes: int = 0) -> Iterator[Failure]:
    """(seed, violation, number of faults) of each that fails, as they are found; `processes` 0: one a core.

    What is planted or patched here is so in the processes too: they are forked.
    """
    blocks = [seeds[first : first + _BLOCK] for first in range(0, len(seeds), _BLOCK)]
    with multiprocessing.get_context("fork").Pool(processes or os.cpu_count(), _begin) as pool:
        for found in pool.imap_unordered(_simulate, blocks):
            yield from found


def _begin() -> None:
    gc.collect()
    gc.freeze()
    gc.disable()


def _simulate(seeds: Sequence[int]) -> list[Failure]:
    results = [simulate(seed) for seed in seeds]
    gc.collect()
    return [(result.seed, result.violation, len(result.faults)) for result in results if result.violation]
