"""What a replay shows, and below what no distribution can be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class Outcome:
    """When the last case ended (seconds), and how often shared fixtures were set up."""

    makespan: float
    set_ups: int


def lower_bound(work: Iterable[float], speeds: Sequence[float]) -> float:
    """The makespan of the best schedule that may interrupt cases and move them: for each k the k longest cases on the k fastest
    slots, and all on all (Horvath, Lam and Sethi, "A Level Algorithm for Preemptive Scheduling", 1977)."""
    longest = sorted(work, reverse=True)
    fastest = list(accumulate(sorted(speeds, reverse=True)))
    heads = list(accumulate(longest[: len(fastest) - 1]))
    return max([sum(longest) / fastest[-1], *(head / speed for head, speed in zip(heads, fastest, strict=False))])
