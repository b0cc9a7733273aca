"""Which cases of a target stay together on one slot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Protocol

_SUITE = "*"
_NAMED = "@"


class Grouping(IntEnum):
    """As the protocol's; NONE leaves it to the dispatcher."""

    NONE = 0
    FILE = 1
    SCOPE = 2
    MARK = 3
    SUITE = 4


class Case(Protocol):
    """What is known of a case's place: setup groups, widest first, and the group that the suite put it into."""

    @property
    def groups(self) -> tuple[str, ...]:
        """File, then classes."""

    @property
    def named_group(self) -> str:
        """Empty for most cases."""


def setup_keys(cases: Iterable[Case], grouping: Grouping) -> tuple[list[str], frozenset[str]]:
    """The key of each case, equal for those that share what is expensive to set up, and the keys that are never split.

    Cases that say nothing of their place have an empty key, and share nothing.
    """
    keys = [_key(case.groups, case.named_group, grouping) for case in cases]
    if grouping is Grouping.NONE:
        return keys, frozenset()
    if grouping is Grouping.MARK:
        return keys, frozenset(key for key in keys if key.startswith(_NAMED))
    return keys, frozenset(filter(None, keys))


def _key(groups: Sequence[str], named: str, grouping: Grouping) -> str:
    if grouping is Grouping.SUITE:
        return _SUITE
    if grouping is Grouping.MARK and named:
        return _NAMED + named
    if grouping is Grouping.SCOPE:
        return "::".join(groups)
    return groups[0] if groups else ""
