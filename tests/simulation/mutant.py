"""A bug that is planted, to see that the simulation finds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple


class Mutant(NamedTuple):
    """`plant` yields what changes the code for a while; `seed` is one that found it when this was written."""

    plant: Callable[[], Iterator[Any]]
    seed: int
