"""What is tried again after an attempt ended, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence

from crossfleet.coordinator.core.outcomes import Cause

# The case that was executing is to blame; those after it had no part in it.
_BLAMES_FIRST = frozenset({Cause.CRASHED, Cause.OUT_OF_MEMORY})


def charges(cause: Cause, settled: int) -> bool:
    """Whether an ended attempt costs its unfinished cases one of their tries.

    `settled` is how many cases got a verdict in it. A preemption is free; a crash is free when the crashed case got its
    verdict, because the rest only shared its process.
    """
    if cause is Cause.PREEMPTED:
        return False
    return not (cause is Cause.CRASHED and settled)


def charged_cases(cause: Cause, left: Sequence[int]) -> Sequence[int]:
    """Which of the unfinished cases, in the order of execution, lose a try."""
    return left[:1] if cause in _BLAMES_FIRST else left


def spent(tries: int, max_attempts: int) -> bool:
    """Whether a case that fails for an infrastructure cause once more has used up its attempts."""
    return tries + 1 >= max(max_attempts, 1)
