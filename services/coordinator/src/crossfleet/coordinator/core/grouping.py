"""Which cases of a target stay together on one slot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

_SUITE = "*"
_NAMED = "@"
_FIRST = "!"


class Grouping(IntEnum):
    """As the protocol's; NONE leaves it to the dispatcher."""

    NONE = 0
    FILE = 1
    SCOPE = 2
    MARK = 3
    SUITE = 4


class Case(Protocol):
    """What is known of a case's place: setup groups, widest first, the group that the suite put it into, its urgency."""

    @property
    def groups(self) -> tuple[str, ...]:
        """File, then classes."""

    @property
    def named_group(self) -> str:
        """Empty for most cases."""

    @property
    def first(self) -> bool:
        """Whether it goes before others."""


@dataclass(frozen=True, slots=True)
class SetupKeys:
    """A key for each case, equal for those that share what is expensive to set up; empty for one that shares nothing.

    Cases of a key in `bound` are never parted; those of a key in `first` go before others.
    """

    keys: list[str]
    bound: frozenset[str]
    first: frozenset[str]


def setup_keys(cases: Sequence[Case], grouping: Grouping) -> SetupKeys:
    """The keys of a collection."""
    if grouping is Grouping.NONE and not any(case.first for case in cases):
        return SetupKeys([case.groups[0] if case.groups else "" for case in cases], frozenset(), frozenset())
    keys: list[str] = []
    bound: set[str] = set()
    first: set[str] = set()
    for case in cases:
        key, together = _key(case.groups, case.named_group, grouping)
        if together:
            bound.add(key)
        elif case.first:
            key = _FIRST + key  # it leaves its file, which may be set up twice for it
        if case.first:
            first.add(key)
        keys.append(key)
    return SetupKeys(keys, frozenset(bound), frozenset(first))


def _key(groups: Sequence[str], named: str, grouping: Grouping) -> tuple[str, bool]:
    """A case's key, and whether the cases of that key stay together."""
    if grouping is Grouping.SUITE:
        return _SUITE, True
    if grouping is Grouping.MARK and named:
        return _NAMED + named, True
    if grouping is Grouping.SCOPE and groups:
        return "::".join(groups), True
    file = groups[0] if groups else ""
    return file, grouping is Grouping.FILE and bool(file)
