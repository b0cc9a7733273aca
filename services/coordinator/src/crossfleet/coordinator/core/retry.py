"""What is tried again after an attempt ended, and what that costs, as the table of failures says."""

from __future__ import annotations

from collections.abc import Sequence

from crossfleet.coordinator.core.failures import BY_CAUSE, RETRIED, Charge
from crossfleet.coordinator.core.outcomes import Cause


def charges(cause: Cause, settled: int) -> bool:
    """Whether an ended attempt costs its unfinished cases one of their tries.

    `settled` is how many cases got a verdict in it: a crash is free when the crashed case got its verdict, because the
    rest only shared its process.
    """
    return _charge(cause) is not Charge.NONE and not (cause is Cause.CRASHED and settled)


def charged_cases(cause: Cause, left: Sequence[int]) -> Sequence[int]:
    """Which of the unfinished cases, in the order of execution, lose a try."""
    return left[:1] if blames_first(cause) else left


def blames_first(cause: Cause) -> bool:
    """Whether the case that was executing alone loses a try; those after it had no part in it."""
    return _charge(cause) is Charge.FIRST


def spent(tries: int, max_attempts: int) -> bool:
    """Whether a case that fails for an infrastructure cause once more has used up its attempts."""
    return tries + 1 >= max(max_attempts, 1)


def fails_an_allocation(cause: Cause) -> bool:
    """Whether an allocation that ends so counts among those that failed in a row."""
    return cause in RETRIED and _charge(cause) is not Charge.NONE


def _charge(cause: Cause) -> Charge:
    """Ends that no row names are not meant to leave cases: each of them loses a try, so that nothing goes on for ever."""
    row = BY_CAUSE.get(cause)
    return row.charge if row is not None else Charge.ALL
