"""The semaphores that slots hold, from options."""

from __future__ import annotations

from collections.abc import Sequence

from crossfleet.cli.exits import UsageError


def semaphores_of(words: Sequence[str]) -> dict[str, int]:
    """Amounts by name, of `NAME` and `NAME=N`. Raises UsageError."""
    found: dict[str, int] = {}
    for word in words:
        name, equals, amount = word.partition("=")
        if not name or (equals and not (amount.isdecimal() and int(amount))):
            raise UsageError(f"--semaphore {word}: write NAME, or NAME=N with a whole number from 1 on")
        if name in found:
            raise UsageError(f"--semaphore: {name} is given twice")
        found[name] = int(amount or 1)
    return found
