"""Which scheduler decides for a group: the one that its run names, else by pool and by a share of the groups."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

POOL = "pool"
"""The label of workers that names their pool."""


@dataclass(frozen=True, slots=True)
class Decider:
    """A scheduler beside the fallback.

    `pools`: it decides for groups of these; none: for all. `canary`: for how many of them in a hundred.
    """

    name: str
    pools: frozenset[str] = frozenset()
    canary: float = 100.0


@dataclass(frozen=True, slots=True)
class ChangeDecider:
    """Another scheduler decides for groups from now on. `fallback`: it stands in for the one that they belong to."""

    groups: tuple[str, ...]
    scheduler: str
    fallback: bool
    cause: str


def decider_of(group_id: str, pool: str, named: str, deciders: Iterable[Decider]) -> str:
    """The name of the scheduler that decides for a group; empty: the fallback.

    `pool` is the one that the group's selector demands, `named` the scheduler that its run asks for; both may be empty.
    The shares of several schedulers for the same groups lie one behind the other, in their order.
    """
    if named:
        return named if any(one.name == named for one in deciders) else ""
    point, end = _point(group_id), 0.0
    for one in deciders:
        if not one.pools or pool in one.pools:
            end += one.canary
            if point < end:
                return one.name
    return ""


def _point(group_id: str) -> float:
    """From 0 to below 100, evenly, and always the same for an id."""
    return (
        int.from_bytes(blake2b(group_id.encode("utf-8", "surrogateescape"), digest_size=6).digest()) / (1 << 48) * 100
    )
