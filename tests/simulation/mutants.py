"""Bugs that are planted to see that the simulation finds them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

MUTANTS: dict[str, Callable[[], Any]] = {}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """For as long as the block runs; an empty name plants nothing."""
    with MUTANTS[name]() if name else nullcontext():
        yield
