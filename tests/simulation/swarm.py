"""Many seeds on all cores."""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections.abc import Iterator, Sequence

from tests.simulation.seeds import simulate

_BLOCK = 32

Failure = tuple[int, str, int]


def failures(seeds: Sequence[int], processes: int = 0) -> Iterator[Failure]:
    """(seed, violation, number of faults) of each that fails, as they are found; `processes` 0: one a core.

    What is planted or patched here is so in the processes too: they are forked, one for each block of seeds, because
    letting a process end is the cheapest way to be rid of what its seeds leave (3 MB each).
    """
    blocks = [seeds[first : first + _BLOCK] for first in range(0, len(seeds), _BLOCK)]
    with multiprocessing.get_context("fork").Pool(processes or os.cpu_count(), maxtasksperchild=1) as pool:
        for found in pool.imap_unordered(_simulate, blocks):
            yield from found


def _simulate(seeds: Sequence[int]) -> list[Failure]:
    gc.disable()
    results = [simulate(seed) for seed in seeds]
    return [(result.seed, result.violation, len(result.faults)) for result in results if result.violation]
